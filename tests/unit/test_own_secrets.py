"""What the owner of a connection seals anew: its newest records, in turn with its own writes, and only while it may."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agents.own_secrets import OwnSecrets
from stream.errors import VaultLocked
from stream.records import CallsCounted, ConnectionId, Tokens
from stream.telemetry import Masked
from stream.topics import TOKENS
from stream.vault import Vault
from stream.vault.key_ring import new_ring, with_new_key
from stream.vault.places import keys_of
from tests.fake_clock import START
from tests.small_world import ACME

RING = new_ring()
OLD, BOTH = Vault(RING, source="old"), Vault(with_new_key(RING), source="both")


def tokens(vault: Vault, name: str, connection: ConnectionId = ACME) -> Tokens:
    sealed = vault.seal(Masked(name), connection=connection, purpose="zoho.access_token")
    return Tokens(connection=connection, api="zoho", access_token=sealed, expires_at=START + timedelta(hours=1))


def name_of(record: Tokens) -> str:
    return BOTH.open(record.access_token, connection=record.connection, purpose="zoho.access_token").reveal


class Log:
    """The topic `tokens`, its view, which knows what it was read for, and the fence."""

    def __init__(self, *records: Tokens | CallsCounted, vault: Vault = BOTH) -> None:
        self.appended: list[Tokens] = []
        self.records: dict[str, Tokens | CallsCounted] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self._unread = list(records)
        self.own = OwnSecrets(cast(Any, self), cast(Any, self), vault, cast(Any, SimpleNamespace(wait_open=self.fence)))

    async def fence(self) -> None:
        await self.gate.wait()

    async def append(self, record: Tokens) -> None:
        self.appended.append(record)
        self._unread.append(record)

    async def read_to_end(self) -> None:
        self.records |= {TOKENS.key_of(record).decode(): record for record in self._unread}
        self._unread = []


async def test_the_newest_record_is_sealed_anew_and_those_of_others_are_left() -> None:
    theirs = tokens(OLD, "theirs", ConnectionId("globex"))
    count = CallsCounted(connection=ACME, api="zoho", organization_id="1", calls=7)
    log = Log(tokens(OLD, "older"), tokens(OLD, "newer"), theirs, count)
    assert await log.own.seal_anew(ACME) == 1
    (anew,) = log.appended
    assert (name_of(anew), keys_of(anew)) == ("newer", {BOTH.newest})
    assert await log.own.seal_anew(ACME) == 0, "it is safe to repeat"
    assert log.appended == [anew]


async def test_a_token_that_is_saved_meanwhile_is_not_put_behind_an_older_one() -> None:
    log = Log(tokens(OLD, "older"))
    log.gate.clear()
    sealing = asyncio.create_task(log.own.seal_anew(ACME))
    await asyncio.sleep(0)
    saving = asyncio.create_task(log.own.save(tokens(BOTH, "newer")))
    await asyncio.sleep(0)
    assert log.appended == [], "nothing is written while the fence is shut, nor past the one that waits for it"
    log.gate.set()
    await asyncio.gather(sealing, saving)
    assert [name_of(record) for record in log.appended] == ["older", "newer"]


async def test_what_does_not_open_is_left_as_it_is() -> None:
    log = Log(tokens(Vault(new_ring(), source="another"), "theirs"))
    with pytest.raises(VaultLocked, match="needs vault key"):
        await log.own.seal_anew(ACME)
    assert log.appended == []
