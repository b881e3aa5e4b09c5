"""Has the people of a connection read on the day on which their standing changes by the date alone: a window of the
mapping begins or ends, and BambooHR tells nothing of that.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable
from datetime import date

from agents.rounds import Rounds
from stream.clock import Clock
from stream.core.rows import Person
from stream.core.window import day_in
from stream.records import ConnectionId, EmployeeId, HrEvent
from stream.rereading import reread
from stream.telemetry import log

logger = log("dates")

LOOK_EVERY_S = 3600.0


class Dates:
    """Of one connection. Looks when it is opened and every hour. crashed: told of a bug, or the log being away."""

    def __init__(
        self,
        connection: ConnectionId,
        *,
        people: Callable[[], AsyncIterable[tuple[EmployeeId, Person]]],
        append: Callable[[HrEvent], Awaitable[object]],
        crashed: Callable[[BaseException], None],
        clock: Clock,
        time_zone: str = "UTC",
    ) -> None:
        """people: all rows of the connection. time_zone: where the company is."""
        self._time_zone = time_zone
        self._connection = connection
        self._people = people
        self._append = append
        self._clock = clock
        self._asked: set[tuple[EmployeeId, date]] = set()
        """Each day is asked about once, whatever comes of the reading."""
        self._rounds = Rounds(f"dates {connection}", self._round, self._say, crashed)

    def open(self) -> None:
        self._rounds.open(0.0)

    async def close(self) -> None:
        await self._rounds.close()

    async def look(self) -> int:
        """Ask for a reading of everybody whose day has come; how many they are. Raises LogUnavailable."""
        now = self._clock.now()
        today = day_in(self._time_zone, now)
        due = [
            (employee, person.decides_on)
            async for employee, person in self._people()
            if person.decides_on is not None and person.decides_on <= today
        ]
        new = [one for one in due if one not in self._asked]
        await reread(self._connection, [employee for employee, _ in new], "date", self._append, now)
        self._asked = set(due)
        return len(new)

    async def _round(self) -> float:
        if count := await self.look():
            logger.info("dates.people_read", connection=self._connection, people=count)
        return LOOK_EVERY_S

    def _say(self, *, reason: str, retry_in_s: float, **context: str | int | float) -> None:
        logger.warning(
            "dates.look_failed", connection=self._connection, reason=reason, retry_in_s=retry_in_s, **context
        )
