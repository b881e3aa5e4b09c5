"""Makes plans for one connection, as its owner: reads people and contacts as they are, folds a trial, writes nothing.

It decides by the folds and functions that decide when live. Nothing of it goes to the log and no call changes anything;
rows are read one by one while the agents go on, so what changes meanwhile may show as it was or as it is, and whoever
carries the plan out sees that it has moved. The calls let live work go first and leave it the rest of the day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from agents.connection_rows import ConnectionRows
from agents.telling import waits_for
from stream.bamboohr.looking import LookAtPeople, Looked, People, within
from stream.clock import Clock
from stream.codec import fingerprint
from stream.core import schemas, scope
from stream.core.contact import email_key, spellings
from stream.core.drift import is_another
from stream.core.mapping import fields_to_read
from stream.core.matching import identifier
from stream.core.order import in_order
from stream.core.plan import Company as Paired
from stream.core.plan import Plan, summed
from stream.core.plan_line import Found, Line, as_applied, guarded, line_of, must_look, undecided
from stream.core.roster import is_to_be_asked_about, rivals
from stream.core.rows import ContactState, Person
from stream.core.trial import Reading, Trial
from stream.core.window import day_told
from stream.errors import NotFound, RecordRefused
from stream.lane import Lane, Waiting
from stream.patience import Patience
from stream.records import Connection, ContactId, ContactKey, EmployeeId
from stream.records import Mapping as Mapped
from stream.zoho.index import PER_PAGE, ContactIndex, Lists
from stream.zoho.lookup import AddressTaken, Lookup
from stream.zoho.payment import Contacts, Payment
from stream.zoho.unique_field import ListedField

T = TypeVar("T")

AT_ONCE = 25
"""People who are folded before the loop gets a turn."""
TAKEN = "another contact shows the work email"
FEW = 50
"""So many are read one by one; more are taken from the list."""


class Books(Contacts, Lists, Protocol):
    """What is asked of the client."""


@dataclass(frozen=True)
class Choice:
    """Whom a plan is about: these employees; all for whom the expression holds; everybody.

    planned: they are of an earlier plan, and nobody typed them: one whom BambooHR has no more is gone, and no mistake.
    """

    employees: tuple[EmployeeId, ...] = ()
    where: str | None = None
    planned: bool = False

    @property
    def everybody(self) -> bool:
        return not self.employees and self.where is None


@dataclass
class Progress:
    """Where a plan stands. looked: contacts seen, of so many."""

    people: int = 0
    total: int | None = None
    looked: int = 0
    contacts: int = 0


@dataclass(frozen=True)
class Planned:
    """lines: of everybody, the unchanged too. trial: with the rows as they would be."""

    plan: Plan
    lines: dict[EmployeeId, Line]
    trial: Trial


class Planner:
    """Of one connection. May make one plan at a time."""

    def __init__(
        self,
        record: Connection,
        hr: People,
        books: Books,
        rows: ConnectionRows,
        *,
        people: Lane,
        contacts: Lane,
        clock: Clock,
    ) -> None:
        """people, contacts: the lanes whose calls these are."""
        self._record = record
        self._hr = hr
        self._books = books
        self._rows = rows
        self._people = people
        self._contacts = contacts
        self._clock = clock
        self._patience = Patience()
        self._fields = fields_to_read(record.mapping)
        self._look = LookAtPeople(hr, self._fields, self._patience)
        self._looked = self._to_look = 0
        self._is_unlisted = False
        """Whether the list of contacts was wanted, and could not be had."""
        self._undecided: dict[EmployeeId, str] = {}
        """For whom the filter cannot be decided, and why."""

    @property
    def progress(self) -> Progress:
        """Of the plan that is being made."""
        looked: Looked = self._look.looked
        return Progress(looked.people, looked.total, self._looked, self._to_look)

    @property
    def waits_for(self) -> str | None:
        """Why it does not go on now."""
        return waits_for(self._patience, self._people, self._contacts)

    async def make(self, choice: Choice) -> Planned:
        """Raises RecordRefused: paused, nobody is chosen, an unknown employee, a filter that cannot be decided."""
        record = self._record
        if record.mode == "paused":
            raise RecordRefused(f"The connection is paused: `rosterbook connection resume {record.connection}` first.")
        self._looked = self._to_look = 0
        self._is_unlisted = False
        self._undecided.clear()
        index = ContactIndex(self._books, self._clock, field=record.mapping.match)
        readings = await self._chosen_by(choice, index)
        trial = Trial(
            record.connection,
            record.mapping,
            fingerprint(record.mapping),
            person_of=self._rows.person,
            address_of=self._rows.address,
            state_of=self._rows.contact,
        )
        now = self._clock.now()
        today = day_told(record.reconcile.time_zone, now)
        insisting = set[EmployeeId]()
        for number, employee in enumerate(readings, 1):  # by the rows as they are; the trial reads each once
            if self._insists(trial.person(employee), trial.state, index):
                insisting.add(employee)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        for number, employee in enumerate(sorted(readings, key=in_order), 1):
            trial.read(within(readings[employee], self._fields), now, today, insists=employee in insisting)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        with self._people.in_bulk():  # whom others' addresses concern, as they are by now
            while unread := sorted(self._concerned(trial) - trial.readings.keys(), key=in_order):
                for employee in unread:
                    reading = await self._look.alone(employee)
                    insists = self._insists(self._rows.person(employee) or Person(), self._rows.contact, index)
                    trial.read(within(reading, self._fields), now, today, insists=insists)
        about = dict.fromkeys(trial.readings)
        if choice.everybody:
            about |= dict.fromkeys(filter(self._is_known, self._rows.employees()))
        lines = await self._lines(trial, sorted(about, key=in_order), index)
        lines |= {
            employee: undecided(employee, why) for employee, why in self._undecided.items() if employee not in lines
        }
        counts, calls, said = summed(lines.values())
        zoho = record.zoho
        plan = Plan(
            connection=record.connection,
            company=Paired(
                subdomain=record.bamboohr.subdomain, region=zoho.region, organization_id=zoho.organization_id
            ),
            mapping=fingerprint(record.mapping),
            employees=tuple(sorted(set(choice.employees), key=in_order)),
            where=choice.where,
            people=len(lines),
            counts=counts,
            calls=calls,
            doubled=await self._doubled(trial, lines, index),
            lines=said,
        )
        return Planned(plan, lines, trial)

    def _concerned(self, trial: Trial) -> set[EmployeeId]:
        """Whose contact would be another, and who states the address of somebody who was read."""
        stated = ((employee, trial.person(employee).email) for employee in trial.readings)
        return set(trial.touched.values()).union(*(rivals(who, email, trial.address) for who, email in stated))

    # -- BambooHR -----------------------------------------------------------------------------------------------------

    async def _chosen_by(self, choice: Choice, index: ContactIndex) -> dict[EmployeeId, Reading]:
        """Whom the plan is about, as they are now. index: filled on the way where that takes fewer calls."""
        with self._people.in_bulk():
            seen = await self._read(choice)
        readings = self._filtered(seen, choice.where)
        if choice.everybody or (len(readings) > FEW and len(readings) * PER_PAGE > len(list(self._rows.keys()))):
            with self._contacts.in_bulk():
                await index.fill(self._patience)
            self._is_unlisted = not index.filled
        if not choice.employees:
            with self._people.in_bulk():
                absent = await self._read_absent(seen.keys(), index)
            readings |= self._filtered(absent, choice.where)
        if not readings and not self._undecided:
            raise RecordRefused("The filter holds for nobody.")
        return readings

    async def _read(self, choice: Choice) -> dict[EmployeeId, Reading]:
        fields = self._fields
        if choice.where is not None:
            await self._check(choice.where)
            fields = tuple(dict.fromkeys((*fields, *scope.fields_of(choice.where))))
        self._look = LookAtPeople(self._hr, fields, self._patience)
        if choice.employees:
            return await self._read_these(set(choice.employees), planned=choice.planned)
        readings = await self._look.listed()
        if not readings:
            raise RecordRefused("BambooHR lists nobody: give the key's user access to all employees.")
        return readings

    def _is_known(self, employee: EmployeeId) -> bool:
        """Not of whom somebody asked, and BambooHR knew nothing."""
        person = self._rows.person(employee)
        return person is not None and (person.email is not None or person.contact_key is not None or person.debt.owed)

    async def _read_absent(self, listed: Set[EmployeeId], index: ContactIndex) -> dict[EmployeeId, Reading]:
        """Whom the list does not show, where that may matter, or whose contact moved."""
        readings: dict[EmployeeId, Reading] = {}
        for employee in sorted(set(self._rows.employees()) - listed, key=in_order):
            person = self._rows.person(employee) or Person()
            asked = is_to_be_asked_about(employee, person, self._rows.address)
            if asked or (index.filled and self._insists(person, self._rows.contact, index)):
                readings[employee] = await self._look.alone(employee)
        return readings

    async def _check(self, where: str) -> None:
        """Raises RecordRefused for a field that is none: it would look as if it were withheld, of everybody."""
        listed = await self._patience(self._hr.fields)
        kinds = {name: field.kind for field in listed for name in (field.id, field.alias) if name}
        if faults := schemas.faults(Mapped(scope=(where,)), kinds, None):
            raise RecordRefused(f"The filter cannot be used: {faults[0].says}.")

    async def _read_these(self, employees: set[EmployeeId], *, planned: bool) -> dict[EmployeeId, Reading]:
        readings = await self._look.listed(employees.__contains__) if len(employees) > FEW else {}
        for employee in sorted(employees - readings.keys(), key=in_order):
            readings[employee] = await self._look.alone(employee)
            if not planned and readings[employee].state == "gone" and self._rows.person(employee) is None:
                raise RecordRefused(
                    f"BambooHR has no employee {employee}: take the number in the address of the person's page."
                )
        return readings

    def _filtered(self, readings: dict[EmployeeId, Reading], where: str | None) -> dict[EmployeeId, Reading]:
        """Those for whom the expression holds; all without one."""
        if where is None:
            return readings
        found: dict[EmployeeId, Reading] = {}
        for employee, reading in readings.items():
            if reading.state != "read":
                continue
            match scope.standing((where,), reading.fields):
                case None:
                    found[employee] = reading
                case scope.Undecided(reason):
                    self._undecided[employee] = reason.replace("scope", "the filter", 1)
                case scope.Outside():
                    pass
        return found

    # -- Zoho Books ---------------------------------------------------------------------------------------------------

    async def _lines(self, trial: Trial, about: Sequence[EmployeeId], index: ContactIndex) -> dict[EmployeeId, Line]:
        keys = {employee: key for employee in about if (key := trial.person(employee).contact_key) is not None}
        with self._contacts.in_bulk():
            if not index.filled and any(self._is_found_by_list(trial.state(key)) for key in keys.values()):
                await index.fill(self._patience)
            unique = ListedField(self._books, self._record.mapping.match, index)
            lookup = Lookup(self._books, trial.state, index, unique)
            states = await self._states(trial, (*self._rows.keys(), *keys.values()))
            owners = {one.contact_id: key for key, one in states.items() if one.contact_id is not None}
            for key, row in states.items():
                lookup.note(key, row)
            to_look = {
                employee: key
                for employee, key in keys.items()
                if (state := states.get(key)) is not None and must_look(state)
            }
            self._to_look = len(to_look)
            found: dict[EmployeeId, Found] = {}
            for self._looked, (employee, key) in enumerate(to_look.items(), 1):
                try:
                    found[employee] = await self._found(key, states, owners, lookup, index)
                except RecordRefused as error:  # this contact's alone: nobody else's plan ends by it
                    found[employee] = Found(why=error.message)
                if self._looked % AT_ONCE == 0:
                    await asyncio.sleep(0)
        lines: dict[EmployeeId, Line] = {}
        for number, employee in enumerate(about, 1):
            lines[employee] = line_of(trial, employee, keys.get(employee), found.get(employee))
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        company = self._rows.company()
        by_key = guarded(
            {key: lines[employee] for employee, key in keys.items() if key in states},
            states,
            self._record.guard,
            None if company is None else company.window,
            self._clock.now(),
        )
        return lines | {line.employee: line for line in by_key.values()}

    async def _doubled(self, trial: Trial, about: Iterable[EmployeeId], index: ContactIndex) -> tuple[EmployeeId, ...]:
        """Whose address several contacts show, as far as they were listed."""
        found = []
        for number, employee in enumerate(about, 1):
            key = trial.person(employee).contact_key
            state = None if key is None else trial.state(key)
            if state is not None and state.employee == employee and index.is_doubled(state):
                found.append(employee)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        return tuple(sorted(found, key=in_order))

    async def _states(self, trial: Trial, keys: Sequence[ContactKey]) -> dict[ContactKey, ContactState]:
        """Of all contacts, as they would be: the guard counts them, and an id is bound to one of them."""
        states: dict[ContactKey, ContactState] = {}
        for number, key in enumerate(keys, 1):
            if (state := trial.state(key)) is not None:
                states[key] = state
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        return states

    def _is_found_by_list(self, state: ContactState | None) -> bool:
        """Whether the contact, if there is one, is found by the unique field, which the list alone shows unchanged."""
        match = self._record.mapping.match
        return state is not None and state.contact_id is None and identifier(state.desired, match) is not None

    def _insists(
        self, person: Person, state_of: Callable[[ContactKey], ContactState | None], index: ContactIndex
    ) -> bool:
        """Whether their contact, as it is by now, may be another one than we know. Of a few, each may be; of everybody
        that is not known where the list could not be had, as it is not to a sweep.
        """
        if self._record.reconcile.drift != "put back" or person.contact_key is None or self._is_unlisted:
            return False
        return not index.filled or index.has_moved(state_of(person.contact_key))

    async def _found(
        self,
        key: ContactKey,
        states: Mapping[ContactKey, ContactState],
        owners: Mapping[ContactId, ContactKey],
        lookup: Lookup,
        index: ContactIndex,
    ) -> Found:
        """owners: of the contacts that are bound already. Raises RecordRefused."""
        state, before = states[key], self._rows.contact(key)
        bound = None if before is None else before.contact_id
        if before is not None and bound is not None and index.filled and not is_another(before, *index.seen(bound)):
            known = as_applied(before, state.desired, index.row(bound))
            if known is not None:
                return Found(known)
        payment = Payment(
            key=key,
            state=state,
            wanted=state.debt.wanted,
            fingerprint=fingerprint(state.desired),
            contact=state.contact_id,
            modified_at=state.modified_at,
        )
        try:
            actual, _ = await self._patience(partial(lookup.find, payment))
        except NotFound:  # it vanished between the search and the reading
            return Found()
        except (Waiting, AddressTaken):
            givers = await self._givers(state, states, owners, index)
            return Found(why=TAKEN) if givers is None else Found(after=givers)
        first = None if state.after is None else states.get(state.after)
        waits = first is not None and first.contact_id is not None and first.debt.owed
        return Found(actual, after=(first.employee,) if waits and first is not None else ())

    async def _givers(
        self,
        state: ContactState,
        states: Mapping[ContactKey, ContactState],
        owners: Mapping[ContactId, ContactKey],
        index: ContactIndex,
    ) -> tuple[EmployeeId, ...] | None:
        """Whose contacts show the address now and are to show another one; None where one of them is to keep it."""
        email = state.desired.email or ""
        rows = list(await index.with_address(email, _plainly) or ())
        for spelling in spellings(email):
            rows = rows or await self._patience(partial(self._books.find_by_email, spelling))
        givers = []
        for row in rows:
            owner = states[owners[row.contact_id]] if row.contact_id in owners else None
            if (
                owner is None
                or owner.desired.email is None
                or email_key(owner.desired.email) == email_key(email)
                or not owner.debt.owed
            ):
                return None
            givers.append(owner.employee)
        return tuple(sorted(givers, key=in_order))


async def _plainly(call: Coroutine[Any, Any, T]) -> T:
    return await call
