"""`reconcile` as an operator asks for it: the poll, and after it everybody is read, once a first load was made.

The reading of everybody is asked for as an operator would: it goes on after a crash, and joins one that is under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from agents.backfill import LOOK_S, NAME, TELL_S
from agents.operations import Done, Handler
from agents.reconciling import RECONCILE
from agents.telling import progress
from stream.clock import Clock
from stream.core.rows import Asked, Company
from stream.errors import RosterbookError
from stream.records import Command, CommandOutcome, ConnectionId, LogPosition


class Sweeping:
    """Of one connection. poll, load: carry out the two commands that this is made of."""

    def __init__(
        self,
        connection: ConnectionId,
        poll: Handler,
        load: Handler,
        *,
        company: Callable[[], Company | None],
        append: Callable[[Command | CommandOutcome], Awaitable[LogPosition]],
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._poll = poll
        self._load = load
        self._company = company
        self._append = append
        self._clock = clock
        self._ended: Done | RosterbookError | None = None

    async def load(self, asked: Asked) -> Done:
        """Carry out the command by which everybody is read; how it ended is kept for `reconcile`."""
        try:
            self._ended = done = await self._load(asked)
        except RosterbookError as error:
            self._ended = error
            raise
        return done

    async def reconcile(self, asked: Asked) -> Done:
        """Raises what the poll raises, and what the reading of everybody raised."""
        polled = await self._poll(asked)
        company = self._company()
        if company is None or company.swept_at is None:
            state, does = "No first load was made yet", "reads everybody"
            if company is not None and _under_way(company) is not None:
                state, does = "The first load is under way", "watches it"
            hint = f"{state}: `rosterbook backfill {self._connection}` {does}."
            return Done(f"{polled.says} {hint}", {**polled.result, "sweep": None})
        await self._swept(company, asked)
        if not isinstance(self._ended, Done):
            raise self._ended or RosterbookError("Whether everybody was read is not known: run this again.")
        return Done(f"{polled.says} {self._ended.says}", {**polled.result, "sweep": dict(self._ended.result)})

    async def _swept(self, company: Company, asked: Asked) -> None:
        """Have everybody read, and return at the end of that."""
        wanted = _under_way(company)
        if wanted is None:
            order = Command(
                connection=self._connection, command=NAME, asked_by=RECONCILE, work=True, at=self._clock.now()
            )
            wanted = (await self._append(order)).offset
        told = self._clock.monotonic()
        while not self._is_settled(wanted):
            await asyncio.sleep(LOOK_S)
            if self._clock.monotonic() - told >= TELL_S:
                told = self._clock.monotonic()
                await self._append(self._progress(asked))

    def _is_settled(self, wanted: int) -> bool:
        company = self._company()
        sweep = None if company is None else company.asked.get(NAME)
        return sweep is not None and sweep.debt.settled >= wanted

    def _progress(self, asked: Asked) -> CommandOutcome:
        """To the newest who asked, with what the reading of everybody said last."""
        company = self._company()
        sweep = None if company is None else company.asked.get(NAME)
        people = 0 if sweep is None else sweep.progress.get("people", 0)
        says = f"Everybody is being read: {people} people so far."
        return progress(self._connection, RECONCILE, company, says, self._clock.now(), asked=asked)


def _under_way(company: Company) -> int | None:
    """Up to which command the reading of everybody is owed; None where it is not."""
    sweep = company.asked.get(NAME)
    return sweep.debt.wanted if sweep is not None and sweep.debt.owed else None
