"""What commands see of the tables: the rows that an owner would take from the changelogs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any, cast

import pytest

from agents.recovery import named
from agents.rows_seen import AT_ONCE, parsed, rows_seen
from stream.codec import canonical
from stream.core.rows import Address, Person
from stream.errors import ActionNeeded
from stream.kafka.scan import Entry, LogScan
from stream.records import ConnectionId, LogPosition
from stream.topics import changelog_of

ACME = ConnectionId("acme")
PEOPLE, ROSTER = changelog_of("people"), changelog_of("roster")


class Scan:
    """A log that holds this: topic, key, row, claim of its writer."""

    def __init__(self, *held: tuple[str, str, bytes | None, int]) -> None:
        self._held = held

    async def beside(self, connection: ConnectionId, topics: Iterable[str]) -> AsyncIterator[Entry]:
        asked = set(topics)
        for offset, (topic, key, row, claim) in enumerate(self._held):
            if topic in asked:
                position = LogPosition(topic=topic, topic_id="t", partition=0, offset=offset)
                yield Entry(position, key.encode(), row, named(claim))


async def seen(*held: tuple[str, str, bytes | None, int]) -> list[dict[str, bytes]]:
    return await rows_seen(cast(LogScan, cast(Any, Scan(*held))), ACME, "people", "roster")


def person(problem: str) -> bytes:
    return canonical(Person(problem=problem))


async def test_the_last_row_of_each_key_of_this_connection_is_seen_and_none_that_was_taken_away() -> None:
    people, roster = await seen(
        (PEOPLE, "acme/1", person("old"), 1),
        (PEOPLE, "acme/1", person("new"), 1),
        (PEOPLE, "acme2/1", person("another's"), 1),
        (PEOPLE, "acme/2", person("gone"), 1),
        (PEOPLE, "acme/2", None, 1),
        (PEOPLE, "\0origins", b"{}", 1),
        (ROSTER, "acme/a@acme.test", canonical(Address(held=True)), 1),
    )
    assert {key: row.problem for key, row in parsed(people, Person, str).items()} == {"1": "new"}
    assert parsed(roster, Address, str)["a@acme.test"].held


async def test_a_late_row_of_a_former_owner_is_not_seen_however_far_behind_it_lies() -> None:
    filler = [(PEOPLE, f"acme/x{number}", person(""), 5) for number in range(AT_ONCE)]
    people, _ = await seen((PEOPLE, "acme/1", person("owner's"), 5), *filler, (PEOPLE, "acme/1", person("late"), 4))
    assert parsed(people, Person, str)["1"].problem == "owner's"
    assert len(people) == AT_ONCE + 1


def test_rows_of_another_version_are_refused_in_a_sentence() -> None:
    with pytest.raises(ActionNeeded, match="update this one"):
        parsed({"1": b'{"of": "tomorrow"}'}, Person, str)
