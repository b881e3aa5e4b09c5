"""Tables are gone on with only beside the topics that they were folded from."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.origins import ORIGINS, see_origins
from agents.recovery import Recovered
from agents.stores import keep_stores_of
from agents.tables import Rows
from stream.core.rows import Person
from stream.errors import ActionNeeded, NewerRecord
from tests.unit.test_tables import HERE, MemoryChangelog, MemoryStore

INPUTS = {"rosterbook.hr-events": "its first life", "rosterbook.employees": "another id"}


def table(row: bytes | None = None) -> dict[str, Rows[Person]]:
    store = MemoryStore(Recovered(0))
    if row is not None:
        store.rows[ORIGINS.encode()] = row
    changelog = MemoryChangelog()
    return {"people": Rows(changelog, changelog.headers, "people", Person, store)}


def test_tables_of_a_topic_that_was_made_again_are_refused() -> None:
    row = see_origins(table(), HERE, INPUTS, folded=False)
    assert see_origins(table(row), HERE, INPUTS, folded=True) == row
    now = {**INPUTS, "rosterbook.employees": "its second life"}
    with pytest.raises(ActionNeeded, match=r"Topic rosterbook\.employees was deleted and made again"):
        see_origins(table(row), HERE, now, folded=True)
    with pytest.raises(ActionNeeded, match="`rosterbook tables rebuild`"):
        see_origins(table(row), HERE, now, folded=False)


def test_an_input_that_is_folded_from_now_on_is_noted() -> None:
    row = see_origins(table(), HERE, INPUTS, folded=False)
    more = {**INPUTS, "rosterbook.commands": "its first life"}
    row = see_origins(table(row), HERE, more, folded=True)
    with pytest.raises(ActionNeeded, match=r"rosterbook\.commands was deleted"):
        see_origins(table(row), HERE, {**more, "rosterbook.commands": "its second life"}, folded=True)


def test_tables_of_a_newer_version_are_not_read() -> None:
    row = see_origins(table(), HERE, INPUTS, folded=False)
    with pytest.raises(NewerRecord):
        see_origins(table(row.replace(b'"schema":1', b'"schema":2,"unheard":"of"')), HERE, INPUTS, folded=True)


def test_a_table_that_lacks_what_was_folded_is_refused() -> None:
    with pytest.raises(ActionNeeded, match=r"Table people lacks what was folded .* `rosterbook tables rebuild`"):
        see_origins(table(), HERE, INPUTS, folded=True)


def test_stores_are_kept_for_their_changelogs_and_emptied_for_others(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    keep_stores_of({"a": "1", "b": "2"}, folder)
    store = folder / "a-0.db"
    store.touch()
    keep_stores_of({"b": "2", "a": "1"}, folder)
    assert store.exists()
    keep_stores_of({"a": "1", "b": "3"}, folder)
    assert not store.exists()


def test_stores_that_nothing_is_known_of_are_emptied(tmp_path: Path) -> None:
    keep_stores_of({"a": "1"}, tmp_path)
    (tmp_path / "a-0.db").touch()
    (tmp_path / "changelogs.json").write_bytes(b'{"a": ')
    keep_stores_of({"a": "1"}, tmp_path)
    assert not (tmp_path / "a-0.db").exists()
