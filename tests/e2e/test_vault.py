"""The vault's keys under a running installation: replaced without a call lost, and missed."""

from __future__ import annotations

import os
import signal
import time

import orjson
import pytest

from agents.demo.vendors import CONNECTION
from tests.e2e.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
    assert set((await checked(world)).values()) == {newest}
    assert (await world.add()).code == 0
    world.hire(1)
    await world.synced()


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
