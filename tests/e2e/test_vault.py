"""The vault's keys under a running installation: replaced without a call lost, and missed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import aiohttp
import orjson
import pytest
import pytest_asyncio

from agents.demo.vendors import CONNECTION
from stream.bamboohr.signature import SIGNATURE, TIMESTAMP
from stream.sandbox.faults import Fault
from tests.e2e.marks import Marks, Place, files, processes, topics
from tests.e2e.processes import Ended
from tests.e2e.waiting import until
from tests.e2e.world import World, connected

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.thorough]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One that says all that it ever says."""
    async with connected(tmp_path_factory.mktemp("e2e") / "data", settle_time="2", log_level="debug") as world:
        yield world


OAUTH = {"client_id": "BAMBOO_CLIENT", "client_secret": "BAMBOO_SECRET", "refresh_token": "BAMBOO_REFRESH"}
Command = Callable[..., Awaitable[Ended]]


def bamboohr_client(world: World) -> dict[str, str]:
    """The variables of a connection file with OAuth for BambooHR."""
    known = world.vendors.bamboohr.credentials
    return {variable: getattr(known, name) for name, variable in OAUTH.items()}


def one_sentence(said: str) -> str:
    assert said.count("\n") == 1, said
    return said


async def checked(world: World) -> dict[str, dict[str, str]]:
    """Secret -> the key it is sealed with, when all of them open."""
    ended = await world.rosterbook("vault", "check", "--json")
    assert ended.code == 0, ended
    found = orjson.loads(ended.out)
    assert all(row["opens"] and row["connection"] == CONNECTION for row in found["secrets"])
    return {row["secret"]: row["key"] for row in found["secrets"]}


async def test_new_key_seals_everything_while_all_goes_on_and_the_old_one_goes(world: World) -> None:
    world.hire(1)
    await world.synced()
    before, file = await checked(world), world.data / "vault.json"
    assert set(before) == {
        "bamboohr.api_key",
        "bamboohr.webhook_key",
        "zoho.client_id",
        "zoho.client_secret",
        "zoho.refresh_token",
        "zoho.access_token",
    }
    (old,) = set(before.values())
    said, tokens = await world.connection(), len(world.vendors.zoho.tokens._access)

    ended = await world.rosterbook("vault", "rotate", "--json")
    assert (ended.code, ended.err) == (0, "")
    newest = orjson.loads(ended.out)["newest"]
    assert newest != old
    assert set((await checked(world)).values()) == {newest}
    assert await world.connection() == said, "the lanes went on as they were"
    assert (await world.ask("worker", "/healthz"))["vault_keys"] == sorted([old, newest])
    world.hire(1)
    await world.synced()
    assert len(world.vendors.zoho.tokens._access) == tokens

    ended = await world.rosterbook("vault", "rotate", "--retire")
    assert ended.code == 1
    assert "so new that an older one may still be in use" in one_sentence(ended.err)
    os.utime(file, (time.time() - 61,) * 2)
    ended = await world.rosterbook("vault", "rotate", "--retire", "--json")
    assert (ended.code, orjson.loads(ended.out)["removed"]) == (0, [old])
    assert (await world.ask("worker", "/healthz"))["vault_keys"] == [newest]
    assert (await world.add()).code == 0, "gateway, worker and command line have the newest key alone"


async def test_no_secret_is_anywhere_in_clear_and_no_person_in_what_is_said(world: World) -> None:
    """A whole life with both vendors failing, then everything that anybody can read is searched."""
    wrong = {
        "DEMO_BAMBOO_KEY": "wrong-key-9c41d7e0",
        "DEMO_REFRESH_TOKEN": "1000.wrong-refresh-5b7a91",
        "BAMBOO_REFRESH": "rt-wrong-refresh-77c2e9",
        "KEYS": "garbled-31f0c2",
    }
    person = {"firstName": "Quenmarkiabella", "lastName": "Zyxmarkovnastein", "workEmail": "quen@zyx-mark.example"}
    said = await _life(world, wrong, person)
    ring = orjson.loads((world.data / "vault.json").read_bytes())
    secrets = Marks(
        {
            **world.secrets,
            **bamboohr_client(world),
            **{f"wrong {name}": value for name, value in wrong.items()},
            **{f"token of BambooHR {n}": token for n, token in enumerate(world.vendors.bamboohr.accounts._access)},
            **{f"access token {n}": token for n, token in enumerate(world.vendors.zoho.tokens._ever_issued)},
            **{f"vault key {n}": key["keyData"]["value"] for n, key in enumerate(ring["key"])},
        }
    )
    stored = [place for place in files(world.data) if place[0] != "vault.json"]
    on_topics = await topics((world.data / "kafka" / "address").read_text().strip())
    running = list(processes(world.up.process.pid))
    pages = await _pages(world)
    assert len(world.vendors.zoho.tokens._ever_issued) > 1
    assert len(world.vendors.bamboohr.accounts._access) > 1
    assert secrets.found([*stored, *on_topics, *running, *pages, *said]) == []

    people = Marks(person)
    logs = [(name, content) for name, content in stored if name.startswith("logs/") or name == "kafka/broker.log"]
    assert {"logs/gateway.log", "logs/worker.log", "logs/up.log", "logs/commands.log", "kafka/broker.log"} <= {
        name for name, _ in logs
    }
    events = [(f"up said {n}", orjson.dumps(event)) for n, event in enumerate(world.up.events)]
    assert people.found([*logs, *events, *running, *pages, *said]) == []

    assert any("employees" in line for line in people.found(on_topics)), "the topics were read, and people are there"
    assert any("kafka/" in line for line in people.found(stored)), "and so are the files that hold them"
    (world.data / "logs" / "planted.log").write_bytes(b64encode(f"x:{world.secrets['DEMO_BAMBOO_KEY']}".encode()))
    assert secrets.found(files(world.data / "logs")) == ["DEMO_BAMBOO_KEY in planted.log"]


async def _life(world: World, wrong: dict[str, str], person: dict[str, str]) -> list[Place]:
    """Both vendors fail, refuse credentials, and refuse a person; what all commands and pages said meanwhile."""
    said: list[Place] = []

    async def command(*words: str | Path, **variables: str) -> Ended:
        ended = await world.rosterbook(*words, **variables)
        said.append((" ".join(map(str, words[:2])), f"{ended.out} {ended.err}".encode()))
        return ended

    async def add(**variables: str) -> Ended:
        return await command("connection", "add", world.file, **{**world.secrets, **variables})

    zoho, bamboohr = world.vendors.zoho, world.vendors.bamboohr
    for name, api in (("DEMO_BAMBOO_KEY", "bamboohr"), ("DEMO_REFRESH_TOKEN", "zoho")):
        assert (await add(**{name: wrong[name]})).code == 0
        zoho.tokens.expire_access_tokens()
        world.hire(1)
        await until(f"{api} refuses", lambda api=api: _reason(world, f"{api}: "), 30)  # type: ignore[misc]
        said.extend(await _pages(world))
    assert (await add(ROSTERBOOK_VAULT_KEYS=wrong["KEYS"])).code == 2
    misplaced = world.data.parent / "misplaced.toml"
    misplaced.write_text(world.file.read_text().replace('subdomain = "', f'subdomain = "{wrong["DEMO_BAMBOO_KEY"]} '))
    assert (await command("connection", "add", misplaced, **world.secrets)).code == 2
    for faults, path in ((zoho.faults, "/books/"), (bamboohr.faults, ".*/employees/")):
        faults.plant(Fault(path=path, status=503, times=2))
    assert (await add()).code == 0
    await world.synced()
    zoho.faults.plant(
        Fault(method="POST", path="/books/v3/contacts$", status=400, code=9, message=" ".join(person.values()))
    )
    world.company.hire(person)

    async def set_aside() -> list[str]:
        return [str(row["id"]) for row in orjson.loads((await command("dead-letters", "list", "--json")).out)]

    (letter,) = await until("the person is set aside", set_aside, 30)
    async with aiohttp.ClientSession() as http:
        for path in (f"/webhooks/bamboohr/{CONNECTION}", "/webhooks/bamboohr/nobody", "/nothing"):
            url = f"http://127.0.0.1:{world._gateway_port}{path}"
            async with http.post(
                url, data=orjson.dumps(person), headers={SIGNATURE: "0" * 64, TIMESTAMP: "1"}
            ) as answer:
                assert answer.status in (401, 404)
                said.append((f"answer of {path}", await answer.read()))
    commands = (
        ("connection", "list"),
        ("connection", "show", CONNECTION, "--json"),
        ("connection", "test", CONNECTION),
        ("dead-letters", "show", letter),
        ("dead-letters", "redrive", "--all"),
    )
    ended = await asyncio.gather(*(command(*words) for words in commands))
    assert [one.code for one in ended] == [0] * len(commands), ended
    await world.synced()
    await _with_oauth(world, wrong, command)
    said.extend(await _pages(world))
    return said


async def _with_oauth(world: World, wrong: dict[str, str], command: Command) -> None:
    """The same connection signs in to BambooHR by OAuth: refused at first, then with tokens that end once."""
    file = world.file_with("oauth")
    oauth = ", ".join(f'{name} = {{ env = "{variable}" }}' for name, variable in OAUTH.items())
    file.write_text(file.read_text().replace('api_key = { env = "DEMO_BAMBOO_KEY" }', f"oauth = {{ {oauth} }}"))
    secrets = {**world.secrets, **bamboohr_client(world)}
    assert (
        await command("connection", "add", file, **{**secrets, "BAMBOO_REFRESH": wrong["BAMBOO_REFRESH"]})
    ).code == 0
    world.hire(1)
    await until("bamboohr refuses", lambda: _reason(world, "bamboohr: "), 30)
    assert (await command("connection", "test", CONNECTION)).code == 1
    assert (await command("connection", "add", file, **secrets)).code == 0
    await world.synced()
    for token in list(world.vendors.bamboohr.accounts._access):
        world.vendors.bamboohr.accounts._access[token] = replace(
            world.vendors.bamboohr.accounts._access[token], expires=0.0
        )
    world.hire(1)
    await world.synced()
    assert (await command("connection", "show", CONNECTION)).code == 0


async def _reason(world: World, words: str) -> bool:
    return words in str((await world.connection()).get("reason"))


async def _pages(world: World) -> list[Place]:
    """What both processes answer to whoever asks."""
    return [
        (f"{part}{path}", orjson.dumps(await world.ask(part, path)))
        for part, paths in (
            ("gateway", ("/healthz", "/readyz", "/metrics", "/nothing")),
            ("worker", ("/healthz", "/readyz", "/metrics", f"/connections/{CONNECTION}", "/connections/nobody")),
        )
        for path in paths
    ]


async def test_lost_key_file_is_asked_for_and_none_is_made_in_its_place(world: World) -> None:
    """The last of this world: it ends the installation."""
    file = world.data / "vault.json"
    key = f"{orjson.loads(file.read_bytes())['primaryKeyId']:08x}"
    world.up.send(signal.SIGTERM)
    assert await world.up.ended(10) == 0
    file.unlink()
    up = await world.start_up()
    assert await up.ended(60) == 2
    assert "There is 1 connection on the log, but there is no key file" in one_sentence(up.errors)
    assert f"--lost {key}" in up.errors
    assert not file.exists(), "a new one would hide that the secrets cannot be opened any more"
