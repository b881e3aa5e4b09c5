"""Reads the holds of one connection, puts decisions about them on the log, and sees what becomes of those.

A leaver's hold is decided by a command that names the very contact and wish. An address, and a contact that is to be
tried once more, are decided by an event that has the person read again and the contact put right.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from agents.cli.surroundings import who
from agents.rows_seen import people_seen
from stream.clock import SystemClock
from stream.core import holds
from stream.core.folds import APPROVE, REJECT
from stream.core.holds import End, Hold
from stream.core.rows import Seen
from stream.errors import Retriable
from stream.kafka.event_log import EventLog
from stream.kafka.scan import LogScan
from stream.records import Command, ConnectionId, Decision, EmployeeId, HrEvent

AT_ONCE = 500
"""Holds that one command names: a record has its limit."""
LOOK_S = 1.0
PATIENCE_S = 180.0
"""Seconds without any progress after which nobody seems to be at it; longer than a lost answer takes to settle."""


@dataclass(frozen=True)
class Decided:
    """A hold that was decided, and how to see what has become of it."""

    hold: Hold
    end: Callable[[Seen], End | None]


class Desk:
    """Of one connection."""

    def __init__(self, bootstrap: str, connection: ConnectionId) -> None:
        self._bootstrap = bootstrap
        self._scan = LogScan(bootstrap)
        self._connection = connection
        self._clock = SystemClock()

    async def holds(self) -> list[Hold]:
        """What waits now. Raises LogUnavailable."""
        seen = await self._seen()
        return holds.holds(seen.contacts, seen.addresses.values())

    async def approve(self, chosen: Sequence[Hold]) -> list[Decided]:
        """Let leavers go, and have contacts whose address was taken tried once more."""
        leavers = [hold for hold in chosen if hold.kind == "leaver"]
        others = [hold for hold in chosen if hold.kind != "leaver"]
        async with self._log() as log:
            await self._say(log, APPROVE, leavers)
            decided = [Decided(hold, partial(_approved, hold)) for hold in leavers]
            for hold in others:
                event = await self._have_read(log, hold, hold.employees[0], None)
                decided.append(Decided(hold, partial(_tried, hold.employees[0], event)))
        return decided

    async def reject(self, chosen: Sequence[Hold]) -> list[Decided]:
        """Have leavers' contacts stay as they are."""
        async with self._log() as log:
            await self._say(log, REJECT, chosen)
        return [Decided(hold, partial(_rejected, hold)) for hold in chosen]

    async def give(self, hold: Hold, holder: str) -> list[Decided]:
        """Give the address to one of those who state it."""
        employee = EmployeeId(holder)
        async with self._log() as log:
            event = await self._have_read(log, hold, employee, Decision(among=hold.employees))
        return [Decided(hold, partial(_given, employee, event))]

    async def wait(self, decided: Sequence[Decided], tell: Callable[[int, int], None]) -> dict[str, End]:
        """Hold -> what has become of it, in the order of `decided`. tell: how many of how many have come to an end.

        Raises Retriable when nothing goes on for PATIENCE_S: what was decided stays on the log.
        """
        ends: dict[str, End] = {}
        moved = self._clock.monotonic()
        while True:
            begun = self._clock.monotonic()
            seen = await self._seen()
            before = len(ends)
            for one in decided:
                if one.hold.id not in ends and (end := one.end(seen)) is not None:
                    ends[one.hold.id] = end
            if len(ends) == len(decided):
                return {one.hold.id: ends[one.hold.id] for one in decided}
            now = self._clock.monotonic()
            if len(ends) > before:
                moved = now
                tell(len(ends), len(decided))
            if now - moved > PATIENCE_S:
                raise Retriable(
                    f"{len(ends)} of {len(decided)} are done, and nothing went on for {PATIENCE_S:g} s: see by "
                    f"`rosterbook connection show {self._connection}` how it stands. The rest stays decided.",
                    connection=self._connection,
                )
            await asyncio.sleep(max(LOOK_S, 2 * (now - begun)))

    async def _seen(self) -> Seen:
        return await people_seen(self._scan, self._connection)

    async def _say(self, log: EventLog, command: str, chosen: Sequence[Hold]) -> None:
        contacts = [hold.contact for hold in chosen if hold.contact is not None]
        for first in range(0, len(contacts), AT_ONCE):
            part = tuple(contacts[first : first + AT_ONCE])
            await log.append(
                self._command(command, {"digest": holds.digest(chosen)}).model_copy(update={"holds": part})
            )

    async def _have_read(self, log: EventLog, hold: Hold, employee: EmployeeId, decision: Decision | None) -> int:
        """Have the person read again; returns the offset of the event that asks for it."""
        event = HrEvent(
            connection=self._connection,
            employees=(employee,),
            kind="operator",
            insists=True,
            decision=decision,
            received_at=self._clock.now(),
        )
        position = await log.append(event)
        arguments = {"hold": hold.id, **({} if decision is None else {"holder": employee})}
        await log.append(self._command(APPROVE, arguments))
        return position.offset

    def _command(self, command: str, arguments: dict[str, str]) -> Command:
        return Command(
            connection=self._connection, command=command, asked_by=who(), arguments=arguments, at=self._clock.now()
        )

    @asynccontextmanager
    async def _log(self) -> AsyncIterator[EventLog]:
        log = EventLog(self._bootstrap)
        await log.start()
        try:
            yield log
        finally:
            await log.stop()


def _approved(hold: Hold, seen: Seen) -> End | None:
    return holds.approved(hold, seen.contacts)


def _rejected(hold: Hold, seen: Seen) -> End | None:
    return holds.rejected(hold, seen.contacts)


def _tried(employee: EmployeeId, event: int, seen: Seen) -> End | None:
    return holds.tried_again(seen.people.get(employee), event, seen.contacts)


def _given(employee: EmployeeId, event: int, seen: Seen) -> End | None:
    return holds.given(seen.people.get(employee), employee, event, seen.addresses)
