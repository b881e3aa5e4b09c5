"""The first load of a connection, and every later one: read everybody, and wait until what their contacts owe is done.

Zoho's contacts are read in bulk first, so that nobody need be searched for; what they show of contacts that we know
tells which of them somebody has changed since. How far it has come is on the log with each page: the next owner of the
connection reads list and contacts anew, and leaves out whoever was read since this began.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from pydantic import JsonValue

from agents import doubled as doubles
from agents.connection_rows import ConnectionRows
from agents.drift import SHOWN, Differing, FindDrift, said, told
from agents.operations import Done
from agents.telling import progress, telling, waits_for
from stream.bamboohr.client import PageMoved
from stream.bamboohr.everybody import ReadEverybody, Sweep
from stream.bamboohr.listed import MOVES, READINGS
from stream.clock import Clock
from stream.core.folds import PAGES, SWEEP
from stream.core.forecast import CALLS, forecast
from stream.core.order import in_order, some
from stream.core.repair import Finding, Known
from stream.core.roster import is_to_be_asked_about
from stream.core.rows import Asked, Person
from stream.core.sharing import Sharing
from stream.errors import RecordRefused, RosterbookError
from stream.lane import Lane
from stream.patience import Patience
from stream.records import CommandOutcome, Connection, ContactKey, EmployeeId
from stream.telemetry import log
from stream.zoho.index import CLOCK_SKEW, ContactIndex

logger = log("backfill")

NAME = SWEEP
BY_HAND: Finding = "changed in Zoho Books"
LOOK_S = 0.5
TELL_S = 20.0
"""Whoever asked gives up after a minute without a word."""


class Backfill:
    """Of one connection; carries out one command at a time."""

    def __init__(
        self,
        record: Connection,
        *,
        people: Lane,
        contacts: Lane,
        everybody: ReadEverybody,
        sharing: Sharing,
        index: ContactIndex,
        drift: FindDrift,
        rows: ConnectionRows,
        wishes_folded: Callable[[], Awaitable[None]],
        append: Callable[[CommandOutcome], Awaitable[object]],
        clock: Clock,
    ) -> None:
        """wishes_folded: waits until the contacts' rows have every wish that follows from what is folded by now."""
        self._record = record
        self._people = people
        self._contacts = contacts
        self._everybody = everybody
        self._sharing = sharing
        self._index = index
        self._drift = drift
        self._rows = rows
        self._wishes_folded = wishes_folded
        self._append = append
        self._clock = clock
        self._patience = Patience()
        self._sweep = Sweep()
        self._looked_at: dict[ContactKey, int] = {}
        """Contacts that somebody changed since we did -> what was settled of them before they were looked at."""

    async def __call__(self, asked: Asked) -> Done:
        """Safe to repeat: people and contacts that are as they should be are left alone."""
        self._sweep = Sweep.model_validate(asked.progress.get(PAGES) or {}).anew
        await self._tell()
        try:
            async with telling(self._tell, TELL_S, name=f"{self._record.connection} backfill told", first=TELL_S):
                return await self._load()
        finally:
            self._looked_at.clear()
            self._everybody.forget()
            self._index.clear()
            self._sharing.forget()

    async def _load(self) -> Done:
        await self._fill()
        with self._people.in_bulk():
            await self._read()
        if not self._sweep.people:
            raise RecordRefused("BambooHR lists nobody: give the key's user access to all employees.")
        await self._read_absent()
        await _paid(self._people)  # whom the list does not tell of, or not enough
        self._sweep = self._sweep.with_found(self._everybody.found_alone())
        await self._wishes_folded()
        self._sharing.folded()
        await _paid(self._contacts)
        return await self._done(await self._find_drift())

    async def _fill(self) -> None:
        try:
            with self._contacts.in_bulk():
                await self._index.fill(self._patience)
        except RosterbookError as error:
            if self._record.mode == "live":
                raise
            logger.warning("backfill.contacts_unread", connection=self._record.connection, reason=error.message)

    async def _read(self) -> None:
        for _ in range(READINGS):
            try:
                async with aclosing(self._everybody.pages(self._sweep, self._patience, self._known)) as pages:
                    async for sweep in pages:
                        self._sweep = sweep
                        await self._tell()
            except PageMoved:
                logger.warning("backfill.list_moved", connection=self._record.connection, read=self._sweep.people)
                self._sweep = self._sweep.anew
            else:
                return
        await self._wishes_folded()
        raise RecordRefused(f"{MOVES}: nobody was deactivated for that; run this again later.")

    async def _read_absent(self) -> None:
        """Have those read alone whom the list does not show, where that may matter, or whose contact was changed by
        hand.
        """
        began, listed = self._sweep.began, self._everybody.on_list
        assert began is not None, "the list was read"
        absent: dict[EmployeeId, Known] = {}
        async for employee, person in self._rows.people():
            if employee not in listed and not person.debt.owed and person.debt.settled < began:
                known = self._known(person)
                if known.insists or is_to_be_asked_about(employee, person, self._rows.address):
                    absent[employee] = known
        if absent:
            logger.info("backfill.absent_are_read", connection=self._record.connection, people=len(absent))
        await self._everybody.read_alone(absent)

    def _known(self, person: Person) -> Known:
        """A contact that may have been changed by hand is looked at. Whether it was is not known where Zoho did not say
        when we changed it ourselves.
        """
        if self._record.reconcile.drift != "put back" or not self._index.filled or person.contact_key is None:
            return Known(person.shown)
        state = self._rows.contact(person.contact_key)
        moved = self._index.has_moved(state)
        if not moved or state is None or state.modified_at is None:
            return Known(person.shown, insists=moved)
        there, _ = self._index.seen(state.contact_id)
        may_lag = not there and state.modified_at > self._clock.now() - CLOCK_SKEW  # made as the list was read
        if not may_lag:
            self._looked_at[person.contact_key] = state.debt.settled
        return Known(person.shown, insists=True, changed=not may_lag)

    def _missed(self, waiting: int) -> str:
        """What webhooks and polls had missed; everybody is new to a first load. waiting: who is not put right."""
        company, sweep = self._rows.company(), self._sweep
        if company is None or company.swept_at is None or not sweep.found:
            return ""
        kinds = []
        for kind, count in sorted(sweep.found.items()):
            named = [employee for employee, found in sweep.named.items() if found == kind]
            kinds.append(f"{count} {kind}" + (f" (employees {some(named)})" if named else ""))
        reasons = ", ".join(f"{count} {why}" for why, count in sorted(Counter(sweep.why.values()).items()))
        why = f"; why: {reasons}" if reasons else ""
        waits = f", waiting: {waiting}" if waiting else ""
        return f" Found: {', '.join(kinds)}{why}; put right: {sum(sweep.found.values()) - waiting}{waits}."

    async def _find_drift(self) -> Differing | None:
        """None where it was not looked for."""
        wanted = self._record.mode == "live" and self._record.reconcile.drift == "report"
        if not wanted or not self._index.filled:
            return None
        with self._contacts.in_bulk():
            return await self._drift(self._patience)

    async def _tell(self) -> None:
        """Put on the log how far it has come, for the next owner and for whoever asked."""
        unread = max(0, (self._total or 0) - self._sweep.people) + self._people.debts
        backfill = self._contacts.backfill
        expected = forecast(
            self._contacts.debts - backfill,
            backfill + unread,
            self._contacts.ledger.limits,
            calls_of_backfill=1 if self._index.filled else CALLS,
        )
        result: dict[str, JsonValue] = {
            PAGES: self._sweep.model_dump(),
            "people": self._sweep.people,
            "total": self._total,
            "owed": self._contacts.debts,
            "minutes": expected.minutes,
        }
        waits = waits_for(self._patience, self._people, self._contacts)
        at, company = self._clock.now(), self._rows.company()
        said = self._said(expected.minutes)
        await self._append(progress(self._record.connection, NAME, company, said, at, waits=waits, result=result))

    @property
    def _total(self) -> int | None:
        """People on the list, as far as it is known."""
        return max(self._sweep.total or 0, len(self._everybody.on_list)) or self._sweep.total

    def _said(self, minutes: float) -> str:
        of = f" of {self._total}" if self._total else ""
        return f"{self._sweep.people}{of} people read, {self._contacts.debts} contacts owed, about {minutes:g} minutes."

    async def _done(self, found: Differing | None) -> Done:
        sweep = self._sweep
        all_named = len(sweep.named) == sum(sweep.found.values())
        set_aside = waiting = 0
        doubled: list[EmployeeId] = []
        same: set[EmployeeId] = set()
        async for key, state in self._rows.contacts():
            set_aside += state.debt.set_aside
            before = self._looked_at.get(key)
            unwritten = before is not None and state.written <= before and state.debt.settled >= state.debt.wanted
            if unwritten and sweep.named.get(state.employee) == BY_HAND:
                same.add(state.employee)
            if state.employee in sweep.named:
                waiting += state.debt.settled < state.debt.wanted
            elif not all_named:
                waiting += state.debt.set_aside
            if self._index.is_doubled(state):
                doubled.append(state.employee)
        self._sweep = sweep = sweep.without(same)
        differed = sum(sweep.found.values())
        waiting = differed if self._record.mode == "preview" else min(waiting, differed)
        named = sorted(sweep.named.items(), key=lambda one: in_order(one[0]))
        result: dict[str, JsonValue] = {
            "people": sweep.people,
            "set_aside": set_aside,
            "differed": {**dict(sorted(sweep.found.items()))},
            "repaired": differed - waiting,
            "found": [{"employee": who, "what": kind, "why": sweep.why.get(who)} for who, kind in named],
            "doubled": [*sorted(doubled, key=in_order)[:SHOWN]],
            **({} if found is None else told(found)),
        }
        others = f" {doubles.said(doubled)}" if doubled else ""
        if self._record.mode == "live" and self._record.reconcile.drift != "leave" and not self._index.filled:
            result["drift_unknown"] = True
            others += " What was changed by hand in Zoho Books was not looked for: its list of contacts kept changing."
        if self._record.mode == "preview":
            says = f"{sweep.people} people were read, and what would be done is recorded: nothing was written.{others}"
            return Done(says, result)
        aside = "1 contact is" if set_aside == 1 else f"{set_aside} contacts are"
        rest = f"; {aside} held or failed" if set_aside else ""
        return Done(
            f"{sweep.people} people were read, and their contacts are as they should be{rest}."
            f"{self._missed(waiting)}{said(found or {})}{others}",
            result,
        )


async def _paid(lane: Lane) -> None:
    """Return when what is owed now is paid, or waits for a person; what comes meanwhile is not waited for."""
    owed = lane.open_keys
    while owed:
        await asyncio.sleep(LOOK_S)
        owed &= lane.open_keys
