"""The leaver guard as the contacts lane asks it: it knows every row and puts on record what it decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from stream.clock import Clock
from stream.core import guard
from stream.core.folds import reads_everybody
from stream.core.rows import Company, ContactState, Window
from stream.errors import RecordRefused
from stream.lane import Waiting
from stream.records import ConnectionId, ContactKey, GuardOutcome, LeaverGuard, LogPosition
from stream.telemetry import HELD_LEAVERS, log

logger = log("guard")

LIST_S = 5.0
"""Seconds between two looks whether the list was read; thousands may wait for it."""


class LeaverHeld(RecordRefused):
    """The contact is not made inactive before a person says so."""


class Leavers:
    """Of one connection. Told of every row by `note`, before anything is asked."""

    def __init__(
        self,
        connection: ConnectionId,
        policy: LeaverGuard,
        *,
        company: Callable[[], Company | None],
        append: Callable[[GuardOutcome], Awaitable[LogPosition]],
        clock: Clock,
    ) -> None:
        """company: the connection's row. Its window is asked for once, when everything is folded."""
        self._connection = connection
        self._policy = policy
        self._company = company
        self._window: Window | None = None
        self._knows_window = False
        self._append = append
        self._clock = clock
        self._count = guard.Headcount()
        self._shown = HELD_LEAVERS.labels(connection)

    @property
    def waiting(self) -> int:
        """Contacts that wait for a person's decision."""
        return len(self._count.waiting)

    def note(self, key: ContactKey, state: ContactState) -> None:
        """The row is so now."""
        self._count.note(key, state)
        self._shown.set(self.waiting)

    def close(self) -> None:
        """Somebody else may have the connection from now on."""
        self._shown.set(0)

    def wait_for_the_list(self, state: ContactState) -> None:
        """Raises Waiting for a leaver of whom only the list of everybody tells, until that was read to its end: only
        then is it known how many should have a contact, of whom so many may leave.
        """
        debt = state.debt
        undecided = debt.wanted > max(debt.approved, debt.released)
        if state.desired.active is False and state.owes_backfill and undecided and reads_everybody(self._company()):
            raise Waiting("Everybody is being read first.", retry_after=LIST_S)

    async def ask(self, key: ContactKey, state: ContactState) -> None:
        """Return when the contact may be made inactive. Raises LeaverHeld when a person has to say so first."""
        if state.debt.wanted <= state.debt.approved:
            return
        if not self._knows_window:
            row, self._knows_window = self._company(), True
            self._window = None if row is None else row.window
        now = self._clock.now()
        said = guard.decide(key, self._count, self._policy, self._window, now)
        self._window = said.window
        if said.go:
            self._count.let_go[key] = now
        if said.news is not None:
            await self._tell(said, said.news)
        if not said.go:
            raise LeaverHeld(
                "Too many people leave at once: `rosterbook holds` shows whom, and `holds approve` or `holds reject` "
                "decides."
            )

    async def _tell(self, said: guard.Verdict, news: Literal["opened", "closed"]) -> None:
        assert said.window is not None
        window = said.window
        await self._append(
            GuardOutcome(
                connection=self._connection,
                state=news,
                opened_at=window.opened_at,
                people=window.people,
                leaving=said.leaving,
                at=self._clock.now(),
            )
        )
        if news == "closed":
            logger.warning(
                "guard.leavers_held", connection=self._connection, leaving=said.leaving, people=window.people
            )
