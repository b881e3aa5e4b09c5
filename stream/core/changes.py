"""What BambooHR's change feed says against what was heard: who changed without our having read them since.

The feed names each employee once, with the time of their latest change in whole seconds of BambooHR's clock (BambooHR
API, employees/changed). Nothing here compares that with our clock alone: notices carry BambooHR's times too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from stream.core.rows import Person
from stream.records import EmployeeId, MissedChange, MissedWhy

T = TypeVar("T")

OVERLAP = timedelta(minutes=15)
"""So much of what was asked for before is asked for again: the feed may show a change late, and clocks differ."""
RESOLUTION = timedelta(seconds=1)
DOUBT = timedelta(seconds=2)
"""By how much we may be wrong about BambooHR's clock: its Date is in whole seconds, and an answer takes its time."""


@dataclass(frozen=True)
class Changed:
    """An entry of the feed. action: Inserted, Updated or Deleted. at: None where it cannot be read."""

    employee: EmployeeId
    action: str
    at: datetime | None


@dataclass(frozen=True)
class Feed:
    """An answer of the feed. told_at: when it was given, by BambooHR's clock; ahead: how far ours is ahead of that."""

    changes: tuple[Changed, ...]
    told_at: datetime
    ahead: timedelta = timedelta(0)


def missed(feed: Feed, person_of: Callable[[EmployeeId], Person | None]) -> list[MissedChange]:
    """Those of the feed who must be read (again), in its order, and why.

    A change counts as known once an event of its time or later was heard, and the person was read when that second was
    over: a second change within it would bear the same time. A reading that is still owed has not been made.
    """
    return [
        MissedChange(employee=change.employee, action=change.action, changed_at=change.at, why=why)
        for change in feed.changes
        if (why := _why(change, person_of(change.employee), feed.ahead)) is not None
    ]


def _why(change: Changed, person: Person | None, ahead: timedelta) -> MissedWhy | None:
    if change.at is None:
        return "no time given"
    if person is None or person.heard_of is None:
        return "not told"
    if person.heard_of < change.at:
        return "told of earlier ones"
    if person.heard_of >= change.at + RESOLUTION:
        return None
    read_at = None if person.read_at is None else person.read_at - ahead
    return None if read_at is not None and read_at >= change.at + RESOLUTION + DOUBT else "read in that moment"


def reached(cursor: datetime, feed: Feed) -> datetime:
    """How far the feed has been read now, by BambooHR's clock: to its latest change, and never beyond its answer.

    An empty feed moves nothing: what it may not show yet is asked for again.
    """
    latest = max((change.at for change in feed.changes if change.at is not None), default=cursor)
    return max(cursor, min(latest, feed.told_at))


def in_batches(found: Sequence[T], size: int) -> list[Sequence[T]]:
    return [found[begin : begin + size] for begin in range(0, len(found), size)]
