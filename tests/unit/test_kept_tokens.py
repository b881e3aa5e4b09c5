"""Kept tokens: sealed, and of one descent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stream.codec import canonical, decode
from stream.errors import VaultLocked
from stream.kept_tokens import KeptTokens
from stream.records import ConnectionId, Tokens
from stream.telemetry import Masked
from stream.tokens import HeldTokens
from stream.topics import TOKENS
from stream.vault import Vault
from stream.vault.key_ring import new_ring

ACME = ConnectionId("acme")
NOW = datetime(2026, 3, 4, 9, 15, tzinfo=UTC)
ROTATED = HeldTokens(Masked("at-2"), NOW, (NOW,), Masked("rt-2"), asking=True)


@pytest.fixture(scope="module")
def vault() -> Vault:
    return Vault(new_ring(), source="the test's keys")


def kept(
    vault: Vault, given: str, saved: Tokens | None = None, connection: ConnectionId = ACME, client: str = "app"
) -> KeptTokens:
    async def append(_: Tokens) -> None: ...

    return KeptTokens(connection, "bamboohr", Masked(given), Masked(client), vault=vault, append=append, saved=saved)


async def saved(vault: Vault, held: HeldTokens) -> Tokens:
    log: list[Tokens] = []

    async def append(tokens: Tokens) -> None:
        log.append(tokens)

    await KeptTokens(ACME, "bamboohr", Masked("rt-1"), Masked("app"), vault=vault, append=append, saved=None).save(held)
    return log[0]


def shown(held: HeldTokens | None) -> object:
    if held is None:
        return None
    reveal = [secret and secret.reveal for secret in (held.access_token, held.refresh_token)]
    return (*reveal, held.expires_at, held.requested_at, held.asking)


@pytest.mark.parametrize("held", [ROTATED, HeldTokens(None, NOW)])
async def test_what_was_saved_comes_back_and_is_nowhere_in_clear(vault: Vault, held: HeldTokens) -> None:
    record = await saved(vault, held)
    written = canonical(record)
    assert shown(kept(vault, "rt-1", decode(TOKENS, written)).held) == shown(held)
    assert not any(secret in written for secret in (b"at-2", b"rt-1", b"rt-2"))


async def test_a_connection_added_again_with_the_same_refresh_token_goes_on_with_the_one_that_replaced_it(
    vault: Vault,
) -> None:
    held = kept(vault, "rt-1", await saved(vault, ROTATED)).held
    assert held is not None
    assert held.refresh_token is not None
    assert held.refresh_token.reveal == "rt-2"


@pytest.mark.parametrize("given", ["rt-new", "rt-2"])
async def test_a_connection_added_again_with_another_refresh_token_begins_anew(vault: Vault, given: str) -> None:
    assert kept(vault, given, await saved(vault, ROTATED)).held is None


async def test_another_client_asks_for_an_access_token_of_its_own_by_the_newest_refresh_token(vault: Vault) -> None:
    record = await saved(vault, ROTATED)
    changed = kept(vault, "rt-1")
    await changed.save(ROTATED)
    changed.of_client(Masked("other"))
    for held in (kept(vault, "rt-1", record, client="other").held, changed.held):
        assert shown(held) == (None, "rt-2", NOW, (NOW,), True)
    before = record.model_copy(update={"client": None})
    assert shown(kept(vault, "rt-1", before, client="other").held) == shown(ROTATED)


async def test_a_record_that_does_not_say_what_it_descends_from_counts(vault: Vault) -> None:
    before = (await saved(vault, ROTATED)).model_copy(update={"given": None})
    assert kept(vault, "rt-1", before).held is not None
    assert kept(vault, "rt-1").held is None


async def test_tokens_of_another_connection_do_not_open(vault: Vault) -> None:
    with pytest.raises(VaultLocked):
        kept(vault, "rt-1", await saved(vault, ROTATED), ConnectionId("globex"))


async def test_tokens_whose_key_is_missing_are_not_replaced_and_those_whose_key_is_lost_are(vault: Vault) -> None:
    before = await saved(vault, ROTATED)
    with pytest.raises(VaultLocked, match="needs vault key"):
        kept(Vault(new_ring(), source="another"), "rt-1", before)
    assert kept(Vault(new_ring(lost=vault.key_ids), source="new"), "rt-1", before).held is None
