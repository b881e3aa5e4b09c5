"""One run of the poll: BambooHR's change feed is asked who has changed, and whoever was missed gets an event on the
log, so that the lane reads them again. How far the feed was read is on the log only after these events.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from stream.clock import Clock
from stream.core.changes import OVERLAP, Feed, in_batches, missed, reached
from stream.core.completeness import DeliveryLog, fate
from stream.core.repair import Repair
from stream.core.rows import Company, Person
from stream.errors import ConnectionTrouble, LogUnavailable, RecordRefused, Retriable
from stream.records import (
    ConnectionId,
    DesiredContact,
    EmployeeId,
    HrEvent,
    LogPosition,
    LogReading,
    MissedChange,
    PollOutcome,
)
from stream.rereading import AT_ONCE

A_RECORD = 1000
"""Missed changes in a record of the run, so that it stays far below what a topic takes."""


class Deliveries(Protocol):
    """What is asked of `stream/bamboohr/delivery_log.py`."""

    async def read(self) -> DeliveryLog: ...


class Changes(Protocol):
    """What is asked of the client (`stream/bamboohr/client.py`)."""

    async def changed(self, since: datetime) -> Feed: ...


@dataclass(frozen=True)
class Polled:
    """What a run found. repairs: what is owed to each of those who were missed. log: None where it was not read; later:
    the same call may work then.
    """

    began_at: datetime
    since: datetime
    through: datetime
    feed: Feed
    log: DeliveryLog | None
    later: bool
    reading: LogReading
    missed: tuple[MissedChange, ...]
    repairs: dict[EmployeeId, Repair]


class Poll:
    """Of one connection, for as long as this worker owns it. A run that is cut off is made again by the next owner."""

    def __init__(
        self,
        connection: ConnectionId,
        api: Changes,
        deliveries: Deliveries,
        *,
        connected_at: datetime,
        company: Callable[[], Company | None],
        person_of: Callable[[EmployeeId], Person | None],
        append: Callable[[HrEvent | PollOutcome], Awaitable[LogPosition]],
        folded: Callable[[EmployeeId, int], Awaitable[None]],
        clock: Clock,
    ) -> None:
        """folded: returns once the person's row was folded up to that offset of hr-events."""
        self._connection = connection
        self._api = api
        self._deliveries = deliveries
        self._connected_at = connected_at
        self._company = company
        self._person_of = person_of
        self._append = append
        self._folded = folded
        self._clock = clock

    async def run(self, by: Literal["schedule", "operator"], back_to: datetime | None = None) -> Polled:
        """back_to: look at changes since then too. Raises what the API raises, LogUnavailable, and LaneClosed when the
        connection is given away.
        """
        began_at, cursor = self._clock.now(), self._cursor()
        since = cursor - OVERLAP if back_to is None else min(back_to, cursor - OVERLAP)
        feed = await self._api.changed(since)
        log, reading, later = await self._log(feed.told_at)
        found = [
            change.model_copy(update={"delivery": fate(change.employee, change.changed_at, log)})
            for change in missed(feed, self._person_of)
        ]
        through = reached(cursor, feed)
        shown = {change.employee: self._shown(change.employee) for change in found}
        repairs: dict[EmployeeId, Repair] = {}
        for batch in in_batches(found, AT_ONCE):
            event = self._event(batch, through)
            position = await self._append(event)
            repairs |= {employee: Repair(position.offset, shown[employee]) for employee in event.employees}
            await self._folded(event.employees[-1], position.offset)
        parts = in_batches(found, A_RECORD) or [[]]
        for number, part in enumerate(parts, 1):
            await self._append(
                PollOutcome(
                    connection=self._connection,
                    by=by,
                    began_at=began_at,
                    since=since,
                    through=through if number == len(parts) else cursor,
                    looked_at=len(feed.changes),
                    missed=tuple(part),
                    log=reading,
                    at=self._clock.now(),
                )
            )
        return Polled(began_at, since, through, feed, log, later, reading, tuple(found), repairs)

    def _cursor(self) -> datetime:
        """The first run ever begins where the connection does, by our clock; the overlap covers the difference."""
        company = self._company()
        return self._connected_at if company is None or company.polled is None else company.polled.through

    async def _log(self, now: datetime) -> tuple[DeliveryLog | None, LogReading, bool]:
        """now: by BambooHR's clock. That it cannot be read is said, and keeps nobody from being read again. The last
        tells whether it may be later.
        """
        company = self._company()
        before = None if company is None or company.polled is None else company.polled.log_read_at
        try:
            log = await self._deliveries.read()
        except LogUnavailable:
            raise
        except (Retriable, RecordRefused, ConnectionTrouble) as error:
            return None, LogReading(at=now, problem=error.message), isinstance(error, Retriable)
        return log, LogReading(at=now, lines=len(log.lines), whole=log.reaches(before or self._connected_at)), False

    def _shown(self, employee: EmployeeId) -> DesiredContact | None:
        person = self._person_of(employee)
        return None if person is None else person.shown

    def _event(self, batch: Sequence[MissedChange], through: datetime) -> HrEvent:
        """occurred_at: it tells of all changes up to there, since the reading follows."""
        return HrEvent(
            connection=self._connection,
            employees=tuple(change.employee for change in batch),
            kind="poll",
            types=tuple(sorted({change.action for change in batch if change.action})),
            occurred_at=through,
            received_at=self._clock.now(),
        )
