"""Has everybody of a connection read again by its schedule, nightly unless the file says otherwise: whoever is missing,
stale or gone on either side is found that way, whatever became of webhooks and polls.

It asks as an operator would, so that the run is on the log, goes on after a crash, and is joined by whoever asks too.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from datetime import datetime

from agents.backfill import NAME
from agents.rounds import Rounds
from stream.clock import Clock
from stream.core.rows import Company
from stream.core.schedule import next_sweep
from stream.records import Command, Connection
from stream.telemetry import log

logger = log("nightly")

LOOK_S = 3600.0
"""Until a first load was made by hand; nothing is swept before that."""


class Nightly:
    """Of one connection, for as long as this worker owns it."""

    def __init__(
        self,
        record: Connection,
        *,
        company: Callable[[], Company | None],
        append: Callable[[Command], Awaitable[object]],
        crashed: Callable[[BaseException], None],
        clock: Clock,
    ) -> None:
        """crashed: told of a bug, or the log being away."""
        self._record = record
        self._company = company
        self._append = append
        self._clock = clock
        self._asked_at: datetime | None = None
        self._rounds = Rounds(f"nightly {record.connection}", self._round, self._say, crashed)

    def open(self) -> None:
        if self._record.mode != "paused" and self._record.reconcile.sweep is not None:
            self._rounds.open(self._wait())

    async def close(self) -> None:
        await self._rounds.close()

    def _wait(self) -> float:
        """Seconds until the next sweep is to be asked for."""
        company, now = self._company(), self._clock.now()
        if company is None or company.swept_at is None:
            return LOOK_S
        due = next_sweep(self._record.reconcile, max(company.swept_at, self._asked_at or company.swept_at), now)
        return math.inf if due is None else (due - now).total_seconds()

    async def _round(self) -> float:
        if self._wait() <= 0:
            self._asked_at = self._clock.now()
            company = self._company()
            asked = None if company is None else company.asked.get(NAME)
            if asked is None or not asked.debt.owed:  # else it is under way
                await self._append(
                    Command(
                        connection=self._record.connection,
                        command=NAME,
                        asked_by="schedule",
                        work=True,
                        at=self._asked_at,
                    )
                )
        return self._wait()

    def _say(self, *, reason: str, retry_in_s: float, **context: str | int | float) -> None:
        logger.warning(
            "nightly.failed", connection=self._record.connection, reason=reason, retry_in_s=retry_in_s, **context
        )
