"""Reconciles a connection with BambooHR: on its schedule, and when an operator asks, the change feed is polled, and
whoever was missed is followed until they are read and their contacts are right. Each run leaves its record.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import JsonValue

from agents.connection_rows import ConnectionRows
from agents.operations import Done
from agents.rounds import Rounds
from agents.telling import progress
from stream.bamboohr.poll import Changes, Deliveries, Poll, Polled
from stream.clock import Clock
from stream.core.debt import NOTHING
from stream.core.repair import OPEN, Repair, Standing, standing
from stream.core.rows import Asked
from stream.core.schedule import next_run
from stream.errors import Retriable
from stream.records import (
    CommandOutcome,
    Connection,
    ContactKey,
    EmployeeId,
    LogPosition,
    RepairOutcome,
)
from stream.telemetry import CHANGES_MISSED, log

logger = log("reconcile")

RECONCILE = "reconcile"
FOLLOWED_S = 600.0
"""Seconds after which a run ends, whoever is still to be read."""
SAY_EVERY_S = 10.0
BEFORE_OVERFLOW = 150
"""Deliveries after which the next run comes before its time: BambooHR's log of them holds the newest 200."""
SOONEST_S = 60.0
"""Between two runs that come for that. A burst may outrun the log then, which the run says."""
SHOWN = 2000
"""Missed changes that the answer to an operator names; the records on the log name all."""


@dataclass
class _Followed:
    """Those whom a run missed: who is still to be read or repaired, and how each stands."""

    pending: dict[EmployeeId, Repair]
    stand: Counter[Standing] = field(default_factory=Counter)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def look(self, employee: EmployeeId, rows: ConnectionRows, *, last: bool = False) -> None:
        """last: it is not followed any longer, however it stands."""
        if (repair := self.pending.get(employee)) is None:
            return
        found = standing(repair, rows.person(employee), rows.contact)
        if last or found not in OPEN:
            del self.pending[employee]
            self.stand[found] += 1
        if not self.pending:
            self.over.set()


class Reconciler:
    """Of one connection, for as long as this worker owns it."""

    def __init__(
        self,
        record: Connection,
        api: Changes,
        deliveries: Deliveries,
        rows: ConnectionRows,
        *,
        append: Callable[[Any], Awaitable[LogPosition]],
        clock: Clock,
        crashed: Callable[[BaseException], None],
    ) -> None:
        """crashed: told of an error that is no answer to anything: a bug, or the log being away."""
        self._record = record
        self._rows = rows
        self._append = append
        self._clock = clock
        self._last = record.connected_at or record.saved_at
        self._poll = Poll(
            record.connection,
            api,
            deliveries,
            connected_at=self._last,
            company=rows.company,
            person_of=rows.person,
            append=append,
            folded=self._folded,
            clock=clock,
        )
        self._rounds = Rounds(f"reconcile {record.connection}", self._round, self._say, crashed)
        self._asked = False
        self._busy = False
        self._heard = NOTHING
        self._deliveries = 0
        self._back_to: datetime | None = None
        self._done: tuple[Polled, RepairOutcome] | None = None
        self._followed = _Followed({})
        self._awaited: tuple[EmployeeId, int, asyncio.Event] | None = None

    def open(self) -> None:
        if self._record.mode != "paused":
            self._rounds.open(self._wait())

    async def close(self) -> None:
        """Cut off what is under way: the next owner polls from where the log says."""
        await self._rounds.close()

    @property
    def reason(self) -> str | None:
        """Why changes that no notice told of may not be found, None when nothing is known to be wrong."""
        return self._rounds.trouble

    def person_changed(self, employee: EmployeeId) -> None:
        """The person's row was written."""
        if self._awaited is not None and self._awaited[0] == employee:
            self._look_at_awaited()
        self._followed.look(employee, self._rows)
        self._count(employee)

    def _count(self, employee: EmployeeId) -> None:
        """A delivery is an event, which is folded into the rows of all whom it names, one delivery after the other."""
        if (person := self._rows.person(employee)) is not None and person.live > self._heard:
            self._heard = person.live
            self._deliveries += 1
            if self._deliveries == BEFORE_OVERFLOW:
                self._rounds.wake()

    def contact_changed(self, key: ContactKey) -> None:
        """The contact's row was written."""
        if self._followed.pending and (contact := self._rows.contact(key)) is not None:
            self._followed.look(contact.employee, self._rows)

    async def carry_out(self, asked: Asked) -> Done:
        """Have a run now, or join the one that is under way; returns at its end, and says on the way how it goes.

        Raises Retriable with the reason when there was none.
        """
        polled, repaired = await self._run_now(asked, RECONCILE, None)
        return Done(_told(polled, repaired), _result(polled, repaired))

    async def look_back(self, since: datetime, asked: Asked, command: str) -> Polled:
        """Have a run that looks at all changes since then, after the one that is under way. Raises as `carry_out`."""
        while self._busy:
            await self._ended(asked, command)
        polled, _ = await self._run_now(asked, command, since)
        return polled

    async def _run_now(self, asked: Asked, command: str, since: datetime | None) -> tuple[Polled, RepairOutcome]:
        before = self._done
        if not self._busy:
            self._asked = True
            if since is not None:
                self._back_to = min(since, self._back_to or since)
            self._rounds.wake()
        await self._ended(asked, command)
        if self._rounds.trouble is not None:
            raise Retriable(self._rounds.trouble)
        if self._done is None or self._done is before:
            raise Retriable("BambooHR was not asked: run this again.")
        return self._done

    async def _ended(self, asked: Asked, command: str) -> None:
        """Wait for the end of a run, and say meanwhile how it goes."""
        ended = asyncio.create_task(self._rounds.ended())
        try:
            while not (await asyncio.wait({ended}, timeout=SAY_EVERY_S))[0]:
                await self._append(self._progress(asked, command))
        finally:
            ended.cancel()

    def _progress(self, asked: Asked, command: str) -> CommandOutcome:
        left = len(self._followed.pending)
        says = f"Still to be read or put right: {left}." if left else "BambooHR is being asked."
        return progress(self._record.connection, command, self._rows.company(), says, self._clock.now(), asked=asked)

    def _wait(self) -> float:
        """Seconds until the next run by the schedule."""
        now, company = self._clock.now(), self._rows.company()
        last = self._last if company is None or company.polled is None else max(self._last, company.polled.at)
        plan = self._record.reconcile
        due = next_run(plan, last, now)
        if due is None:
            return math.inf
        if self._deliveries >= BEFORE_OVERFLOW:
            due = min(due, next_run(plan.model_copy(update={"cron": None, "every": SOONEST_S}), last, now) or due)
        return (due - now).total_seconds()

    async def _round(self) -> float:
        if self._asked or self._wait() <= 0:
            self._busy = True
            try:
                await self._run()
            finally:
                self._busy = False
        return self._wait()

    async def _run(self) -> None:
        asked, self._asked = self._asked, False
        counted, self._deliveries = self._deliveries, 0
        back_to, self._back_to = self._back_to, None
        later = True
        try:
            polled = await self._poll.run("operator" if asked else "schedule", back_to)
            later = polled.later
        finally:
            self._deliveries += counted if later else 0  # so many are still to be looked for in the log
        self._last = polled.began_at
        for change in polled.missed:
            CHANGES_MISSED.labels(self._record.connection, change.why).inc()
        repaired = await self._follow(polled)
        await self._append(repaired)
        logger.info(
            "reconcile.done",
            connection=self._record.connection,
            looked_at=len(polled.feed.changes),
            missed=len(polled.missed),
            differed=repaired.differed,
            repaired=repaired.repaired,
            unread=repaired.unread,
        )
        self._done = polled, repaired

    async def _follow(self, polled: Polled) -> RepairOutcome:
        """Wait until all are read, and the contacts of those who differed are right, but not for ever."""
        followed = self._followed = _Followed(dict(polled.repairs))
        for employee in polled.repairs:
            followed.look(employee, self._rows)
        if followed.pending:
            with suppress(TimeoutError):
                async with asyncio.timeout(FOLLOWED_S):
                    await followed.over.wait()
        for employee in list(followed.pending):
            followed.look(employee, self._rows, last=True)
        stand = followed.stand
        differed = stand["repaired"] + stand["held"] + stand["to repair"]
        return RepairOutcome(
            connection=self._record.connection,
            began_at=polled.began_at,
            read=stand["same"] + differed,
            differed=differed,
            repaired=stand["repaired"],
            unread=stand["unreadable"] + stand["to read"],
            at=self._clock.now(),
        )

    async def _folded(self, employee: EmployeeId, offset: int) -> None:
        event = asyncio.Event()
        self._awaited = (employee, offset, event)
        self._look_at_awaited()
        await event.wait()
        self._awaited = None

    def _look_at_awaited(self) -> None:
        assert self._awaited is not None
        employee, offset, event = self._awaited
        if (person := self._rows.person(employee)) is not None and person.debt.wanted >= offset:
            event.set()

    def _say(self, **context: str | float) -> None:
        logger.warning("reconcile.failed", connection=self._record.connection, **context)


def _told(polled: Polled, repaired: RepairOutcome) -> str:
    waiting = repaired.differed - repaired.repaired
    return (
        f"Changed since {polled.since:%Y-%m-%d %H:%M:%S} UTC: {len(polled.feed.changes)}; missed and read again: "
        f"{len(polled.missed)}, differed: {repaired.differed}, put right: {repaired.repaired}, waiting: {waiting}, not "
        f"read yet: {repaired.unread}."
    )


def _result(polled: Polled, repaired: RepairOutcome) -> dict[str, JsonValue]:
    return {
        "since": polled.since.isoformat(),
        "through": polled.through.isoformat(),
        "looked_at": len(polled.feed.changes),
        "read_again": len(polled.missed),
        "differed": repaired.differed,
        "repaired": repaired.repaired,
        "unread": repaired.unread,
        "log": polled.reading.model_dump(mode="json"),
        "missed": [change.model_dump(mode="json") for change in polled.missed[:SHOWN]],
    }
