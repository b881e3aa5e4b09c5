"""The state of a consent: only what we wrote is read, for its vendor and in its time; only its own answer opens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.codec import canonical, decode
from stream.consent_state import LIVES, Api, answer, answered, new_state, read, written
from stream.records import Command, ConnectionId
from stream.topics import COMMANDS
from stream.vault import Vault
from stream.vault.key_ring import new_ring

NOW = datetime(2026, 3, 4, 9, 15, tzinfo=UTC)
ACME = ConnectionId("acme-2")
VAULT = Vault(new_ring(), source="the test's keys")
STATE = new_state(ACME, "zoho", NOW)
TEXT = written(STATE, VAULT)
FIELDS = {"code": "1000.c0de", "location": "in", "accounts-server": "https://accounts.zoho.in", "state": TEXT, "x": "y"}


@pytest.mark.parametrize("api", ["bamboohr", "zoho"])
def test_a_state_is_read_as_it_was_written_and_hides_its_word(api: Api) -> None:
    state = new_state(ACME, api, NOW)
    text = written(state, VAULT)
    found = read(text, api, VAULT, NOW)
    assert found is not None
    assert (found.connection, found.api, found.word) == (ACME, api, state.word)
    assert state.word not in text
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def test_a_state_lives_for_its_time_by_a_clock_that_agrees() -> None:
    assert read(TEXT, "zoho", VAULT, NOW + LIVES - timedelta(seconds=1)) is not None
    assert read(TEXT, "zoho", VAULT, NOW + LIVES) is None
    assert read(TEXT, "zoho", VAULT, NOW - timedelta(hours=1)) is None


def test_a_state_counts_for_its_vendor_and_connection_and_under_its_keys_alone() -> None:
    assert read(TEXT, "bamboohr", VAULT, NOW) is None
    assert read(TEXT.replace("acme-2", "globex"), "zoho", VAULT, NOW) is None
    assert read(TEXT, "zoho", Vault(new_ring(), source="other keys"), NOW) is None


@given(
    st.text(max_size=80)
    | st.builds(lambda at, char: TEXT[:at] + char + TEXT[at + 1 :], st.integers(0, len(TEXT) - 1), st.characters())
    | st.integers(0, len(TEXT)).map(lambda at: TEXT[:at])
)
def test_nothing_but_what_was_written_is_read(text: str) -> None:
    found = read(text, "zoho", VAULT, NOW)
    # The last character of a box may hold bits that decode to nothing.
    assert found is None or (text[:-1] == TEXT[:-1] and found.word == STATE.word)


def test_an_answer_reaches_its_own_state_and_is_nowhere_in_clear() -> None:
    record = answer(STATE, FIELDS, VAULT, NOW)
    bytes_ = canonical(record)
    assert b"c0de" not in bytes_
    assert not record.work
    command = decode(COMMANDS, bytes_)
    assert isinstance(command, Command)
    assert answered(STATE, command, VAULT) == {name: FIELDS[name] for name in ("code", "location", "accounts-server")}
    assert answered(new_state(ACME, "zoho", NOW), command, VAULT) is None
    assert answered(STATE, command, Vault(new_ring(), source="other keys")) is None
    other = command.model_copy(update={"command": "mapping version"})
    assert answered(STATE, other, VAULT) is None
