"""`rosterbook topics` and `rosterbook connection` as a user runs them, against real Kafka."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiokafka import AIOKafkaConsumer

from stream.clock import SystemClock
from stream.kafka.embedded import EmbeddedKafka
from stream.sandbox.zoho import ZohoSandbox
from stream.settings import Settings
from stream.topics import COMMANDS, CONNECTIONS, Topic
from stream.vault import load_vault
from stream.vault.vault import new_keyset
from tests.e2e import processes

SECRETS = ("bamboo-5f1d", "0123456789abcdef0123456789abcdef", "1000.CLIENT", "c11e47-secret", "1000.aa11.bb22")
FILE = """
id = "{id}"
mode = "{mode}"
[bamboohr]
subdomain = "{id}"
api_key = {{ env = "ACME_BAMBOO_KEY" }}
webhook_key = "0123456789abcdef0123456789abcdef"
[zoho]
region = "eu"
organization_id = "{organization}"
oauth = {{ client_id = "1000.CLIENT", client_secret = "c11e47-secret", refresh_token = {{ file = "refresh.token" }} }}
"""
OAUTH = '{ client_id = "bamboo-id", client_secret = "bamboo-secret", refresh_token = "bamboo-token" }'
OF_ZOHO = 'client_id = "{known.client_id}", client_secret = "{known.client_secret}"'


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a running broker, with a vault."""
    folder = tmp_path_factory.mktemp("state")
    (folder / "logs").mkdir()
    load_vault(Settings(data=folder), create=True)
    broker = EmbeddedKafka(folder)
    with asyncio.Runner() as runner:
        runner.run(broker.start())
        try:
            yield folder
        finally:
            runner.run(broker.stop())


async def rosterbook(*arguments: str | Path, data: Path, **more: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    variables = {"ROSTERBOOK_DATA": str(data), "ROSTERBOOK_PARTITIONS": "3", "ACME_BAMBOO_KEY": SECRETS[0], **more}
    ended = await processes.rosterbook(*arguments, **variables)
    return ended.code, ended.out, ended.err


@pytest.fixture
async def services(data: Path) -> AsyncIterator[list[str]]:
    """A gateway and a worker that agree to everything, found by the data folder; the paths they were asked for."""
    asked: list[str] = []

    async def agree(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {request.path}")
        return web.json_response({"serving": True, "reason": "suspended: the key is refused"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", agree)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    for part in ("gateway", "worker"):
        (data / part).mkdir(exist_ok=True)
        (data / part / "address").write_text(f"127.0.0.1:{runner.addresses[0][1]}")
    yield asked
    await runner.cleanup()


def connection_file(folder: Path, id: str, organization: str, mode: str = "live") -> Path:
    (folder / "refresh.token").write_text(f"{SECRETS[4]}\n")
    file = folder / f"{id}.toml"
    file.write_text(FILE.format(id=id, organization=organization, mode=mode))
    return file


async def raw_values(data: Path, topic: Topic) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        topic.name,
        bootstrap_servers=(data / "kafka" / "address").read_text().strip(),
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        values: list[bytes] = []
        async with asyncio.timeout(20):
            while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                for messages in (await consumer.getmany(timeout_ms=500)).values():
                    values += [message.value for message in messages]
        return values
    finally:
        await consumer.stop()


async def test_a_company_is_connected_changed_listed_and_shown_without_its_secrets(
    data: Path, services: list[str], tmp_path: Path
) -> None:
    code, out, _ = await rosterbook("topics", "check", "--json", data=data)
    assert code == 1
    assert {"topic": CONNECTIONS.name, "what": "does not exist", "mendable": True} in json.loads(out)
    assert (await rosterbook("topics", "apply", data=data))[0] == 0
    assert await rosterbook("topics", "check", "--json", data=data) == (0, "[]\n", "")
    assert await rosterbook("topics", "apply", data=data) == (0, "All topics were as they should be.\n", "")

    code, out, err = await rosterbook("connection", "list", data=data)
    assert (code, err) == (0, "")
    assert "There are no connections yet" in out

    said: list[str] = []
    code, out, err = await rosterbook("connection", "add", connection_file(tmp_path, "acme", "1"), data=data)
    assert (code, err) == (0, "")
    assert "Connection acme is added, mode live." in out
    assert "Webhooks now flow" in out
    assert services == ["GET /healthz", "POST /webhooks/bamboohr/acme", "GET /connections/acme"]
    said.append(out)

    changed = connection_file(tmp_path, "acme", "1", mode="preview")
    code, out, err = await rosterbook("connection", "add", changed, "--json", data=data)
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert (answer["connection"], answer["mode"], answer["updated"]) == ("acme", "preview", True)
    assert answer["webhooks"].endswith("/webhooks/bamboohr/acme")

    for file, reason in (
        (connection_file(tmp_path, "acme", "2"), "Connection acme is bound for life to subdomain acme"),
        (connection_file(tmp_path, "globex", "1"), "Connection acme has organization 1"),
    ):
        code, out, err = await rosterbook("connection", "add", file, data=data)
        assert (code, out) == (2, "")
        assert reason in err
        assert err.count("\n") == 1
        said.append(err)

    assert (await rosterbook("connection", "add", connection_file(tmp_path, "zeta", "3"), data=data))[0] == 0
    versions = [json.loads(value) for value in await raw_values(data, COMMANDS)]
    assert sorted(one["connection"] for one in versions) == ["acme", "zeta"], "one for each mapping, none for a mode"
    assert {one["command"] for one in versions} == {"mapping version"}
    assert json.loads(versions[0]["arguments"]["mapping"])["contact_type"] == "vendor"
    code, out, _ = await rosterbook("connection", "list", "--json", data=data)
    assert [(row["connection"], row["mode"]) for row in json.loads(out)] == [("acme", "preview"), ("zeta", "live")]
    assert {row["worker"] for row in json.loads(out)} == {"suspended: the key is refused"}
    code, out, _ = await rosterbook("connection", "show", "acme", data=data)
    assert code == 0
    assert "zoho.organization_id" in out
    assert not {"None", "[]"}.intersection(out.split()), "what is not there is no word of Python's"
    said.append(out)
    code, out, _ = await rosterbook("connection", "show", "acme", "--json", data=data)
    shown = json.loads(out)
    assert shown["webhook_key"] == shown["bamboohr"]["api_key"] == shown["zoho"]["refresh_token"] == "***"
    said.append(out)
    code, _, err = await rosterbook("connection", "show", "nobody", data=data)
    assert code == 2
    assert "There is no connection 'nobody'" in err

    records = await raw_values(data, CONNECTIONS)
    assert len([record for record in records if b'"zoho":' in record]) == 3
    assert len([record for record in records if b'"version":' in record]) == 2, "a mapping is on the log in full once"
    seen = [*said, *(record.decode() for record in records), (data / "logs" / "commands.log").read_text()]
    assert not [secret for secret in SECRETS for text in seen if secret in text]


@pytest.mark.thorough
async def test_a_code_of_a_self_client_is_changed_for_tokens_that_nobody_sees(
    data: Path, services: list[str], tmp_path: Path
) -> None:
    zoho = ZohoSandbox(clock=SystemClock())
    await zoho.start()
    try:
        known, urls = zoho.credentials, {"ROSTERBOOK_ZOHO_ACCOUNTS_URL": zoho.accounts_url}
        secret = zoho.tokens.authorize(("ZohoBooks.contacts.READ",), "", offline=True, consent=True)
        file = connection_file(tmp_path, "umbra", "77")
        file.write_text(
            file.read_text()
            .replace('api_key = { env = "ACME_BAMBOO_KEY" }', f"oauth = {OAUTH}")
            .replace('client_id = "1000.CLIENT", client_secret = "c11e47-secret"', OF_ZOHO.format(known=known))
            .replace('refresh_token = { file = "refresh.token" }', f'code = "{secret}"')
        )
        assert (await rosterbook("topics", "apply", data=data))[0] == 0
        code, out, err = await rosterbook("connection", "add", file, data=data, **urls)
        assert (code, err) == (0, "")
        assert zoho.calls.count("oauth.token") == 1
        code, out, err = await rosterbook("connection", "add", file, "--consent", data=data, **urls)
        assert (code, out) == (1, "")
        assert "Zoho does not accept the code, which works once" in err
        assert zoho.calls.count("oauth.token") == 2
    finally:
        await zoho.stop()
    code, out, err = await rosterbook("connection", "show", "umbra", "--json", data=data)
    shown = json.loads(out)
    assert shown["bamboohr"] == {
        "subdomain": "umbra",
        "oauth": dict.fromkeys(("client_id", "client_secret", "refresh_token"), "***"),
    }
    assert shown["zoho"]["refresh_token"] == "***"
    assert not any(text in out for text in ("bamboo-token", known.client_secret))


@pytest.mark.parametrize("process", ["gateway", "worker"])
async def test_keys_of_another_log_end_a_process_at_its_start(data: Path, process: str) -> None:
    """After the test above, which leaves connections on the log."""
    ended = await processes.rosterbook(
        process,
        ROSTERBOOK_DATA=str(data),
        ROSTERBOOK_VAULT_KEYS=new_keyset(),
        ROSTERBOOK_GATEWAY_PORT="0",
        ROSTERBOOK_METRICS_PORT="0",
    )
    assert ended.code == 2
    assert "ROSTERBOOK_VAULT_KEYS opens the secrets of none: put back the file" in ended.err.splitlines()[-1]
