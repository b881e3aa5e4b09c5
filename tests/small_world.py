"""A whole connection in one object, without Kafka: BambooHR as a dictionary, the log as lists, the tables as
dictionaries, the folds and the Zoho lane's work as they are, Zoho Books in memory. A test says what happens next, down
to the moment between two calls; nothing here waits, draws a number or reads a clock of its own.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from typing import Any

from agents.connection_rows import ConnectionRows
from stream.clock import Clock
from stream.codec import fingerprint
from stream.core import folds, roster
from stream.core.guard import is_waiting
from stream.core.mapping import desired_contact
from stream.core.rows import Address, Company, ContactState, Person
from stream.core.sharing import Sharing
from stream.errors import ConnectionTrouble, Retriable
from stream.flood import FloodGuard, FloodPolicy
from stream.lane import Paid
from stream.patience import Patience
from stream.records import (
    Command,
    ConnectionId,
    ContactKey,
    ContactUpsert,
    Decision,
    DriftOutcome,
    Email,
    EmployeeId,
    EmployeeSnapshot,
    GuardOutcome,
    HeldContact,
    HrEvent,
    HrEventKind,
    LeaverGuard,
    LogPosition,
    Mapping,
    SyncOutcome,
)
from stream.zoho.index import ContactIndex
from stream.zoho.lane import KeepContacts
from stream.zoho.leavers import Leavers
from tests.fake_clock import FakeClock
from tests.memory_zoho import MemoryZoho

ACME = ConnectionId("acme")
HR_EVENTS, EMPLOYEES, CONTACT_UPSERTS, OUTCOMES, COMMANDS = (
    f"rosterbook.{name}" for name in ("hr-events", "employees", "contact-upserts", "outcomes", "commands")
)
SETTLE_TIME = 60.0
AnyOutcome = SyncOutcome | GuardOutcome | DriftOutcome


def at(topic: str, offset: int) -> LogPosition:
    return LogPosition(topic=topic, topic_id="life-of-" + topic, partition=0, offset=offset)


@types.coroutine
def pause() -> Generator[None, None, None]:
    """A place where somebody else may go on."""
    yield


class Turns:
    """A lock without a loop: who has to wait lets others go on."""

    def __init__(self) -> None:
        self._taken = False

    async def __aenter__(self) -> None:
        while self._taken:
            await pause()
        self._taken = True

    async def __aexit__(self, *_: object) -> None:
        self._taken = False


@dataclass
class Tables:
    """What the folds write, and the next offset of each input."""

    people: dict[EmployeeId, Person] = field(default_factory=dict)
    addresses: dict[Email, Address] = field(default_factory=dict)
    contacts: dict[ContactKey, ContactState] = field(default_factory=dict)
    company: Company = field(default_factory=Company)

    @property
    def rows(self) -> ConnectionRows:
        return ConnectionRows(
            company=lambda: self.company,
            person=lambda employee: self.people.get(employee),
            address=lambda email: self.addresses.get(email),
            contact=lambda key: self.contacts.get(key),
            employees=lambda: iter(list(self.people)),
            keys=lambda: iter(list(self.contacts)),
        )

    def hear(self, event: HrEvent, position: LogPosition) -> None:
        for employee in event.employees:
            self.people[employee] = folds.hear(self.people.get(employee, Person()), event, position)

    def keep_roster(self, snapshot: EmployeeSnapshot, position: LogPosition, mapping: Mapping) -> roster.RosterFold:
        fold = roster.fold(
            snapshot,
            position,
            mapping,
            lambda employee: self.people.get(employee, Person()),
            lambda email: self.addresses.get(email, Address()),
        )
        self.people |= fold.people
        self.addresses |= fold.addresses
        return fold

    def wish(self, upsert: ContactUpsert, position: LogPosition) -> None:
        self.contacts[upsert.contact_key] = folds.wish(self.contacts.get(upsert.contact_key), upsert, position)

    def learn(self, outcome: AnyOutcome, position: LogPosition) -> None:
        if isinstance(outcome, GuardOutcome):
            self.company = folds.watch(self.company, outcome, position)
        elif isinstance(outcome, DriftOutcome):
            state = self.contacts[outcome.contact_key]
            self.contacts[outcome.contact_key] = folds.drift(state, outcome, position)
        else:
            self.contacts[outcome.contact_key] = folds.learn(self.contacts[outcome.contact_key], outcome, position)

    def decide(self, command: Command, position: LogPosition) -> None:
        for held in command.holds:
            state = self.contacts.get(held.contact_key) or folds.not_wished_yet(held.employee)
            self.contacts[held.contact_key] = folds.decide(state, command, held.wish.offset, position)


class SmallWorld:
    """One connection. mappings: by their fingerprints, all that a reading was made under."""

    def __init__(
        self,
        mapping: Mapping | None = None,
        *,
        policy: LeaverGuard | None = None,
        clock: FakeClock | None = None,
        **zoho: Any,
    ) -> None:
        self.mapping = mapping or Mapping()
        self.policy = policy or LeaverGuard()
        self.mappings: dict[str, Mapping] = {}
        self.clock = clock or FakeClock()
        self.zoho = MemoryZoho(self.clock, pause=pause, **zoho)
        self.truth: dict[EmployeeId, dict[str, str] | None] = {}
        self.tables = Tables()
        self.hr_events: list[HrEvent] = []
        self.employees: list[EmployeeSnapshot] = []
        self.upserts: list[ContactUpsert] = []
        self.outcomes: list[AnyOutcome] = []
        self.commands: list[Command] = []
        self.learnt = 0
        self.paying: dict[ContactKey, Coroutine[Any, Any, Paid | None]] = {}
        self.not_before: dict[ContactKey, float] = {}
        self.work = self._new_owner()

    # -- BambooHR -----------------------------------------------------------------------------------------------------

    def change(self, employee: str, fields: dict[str, str] | None, *, insists: bool = False) -> None:
        """The employee is so from now on (None = deleted), and a webhook says that something changed."""
        self.truth[EmployeeId(employee)] = fields
        self.notice(employee, insists=insists)

    def notice(
        self,
        employee: str,
        *,
        insists: bool = False,
        kind: HrEventKind = "webhook",
        among: tuple[str, ...] = (),
    ) -> None:
        """among: an operator gives the address that these state to the employee."""
        event = HrEvent(
            connection=ACME,
            employees=(EmployeeId(employee),),
            kind=kind,
            insists=insists or bool(among),
            decision=Decision(among=tuple(map(EmployeeId, among))) if among else None,
            received_at=self.clock.now(),
        )
        self.hr_events.append(event)
        self.tables.hear(event, at(HR_EVENTS, len(self.hr_events) - 1))

    def read(self, employee: str) -> EmployeeSnapshot | None:
        """Read the employee if that is owed, fold the snapshot and what follows from it."""
        who = EmployeeId(employee)
        person = self.tables.people.get(who, Person())
        if not person.debt.owed:
            return None
        fields = self.truth[who]
        version = fingerprint(self.mapping)
        self.mappings[version] = self.mapping
        snapshot = EmployeeSnapshot(
            connection=ACME,
            employee=who,
            through=person.debt.wanted,
            insists=person.insisted > person.debt.settled,
            decision=person.undone,
            backfill=not person.debt.owes(person.live),
            cause=at(HR_EVENTS, person.debt.wanted),
            mapping_version=version,
            read_at=self.clock.now(),
            state="gone" if fields is None else "read",
            fields=fields or {},
        )
        self.employees.append(snapshot)
        fold = self.tables.keep_roster(snapshot, at(EMPLOYEES, len(self.employees) - 1), self.mapping)
        for upsert in fold.upserts:
            self.upserts.append(upsert)
            self.tables.wish(upsert, at(CONTACT_UPSERTS, len(self.upserts) - 1))
            self.work.look(upsert.contact_key)
        return snapshot

    def hire(self, employee: str, fields: dict[str, str] | None) -> None:
        """`change` and `read` in one."""
        self.change(employee, fields)
        self.read(employee)

    def load(self) -> None:
        """A first load reads all contacts in bulk; nothing else happens meanwhile."""
        reading = self.index.fill(Patience())
        try:
            while True:
                reading.send(None)
        except StopIteration:
            return

    # -- the lane -----------------------------------------------------------------------------------------------------

    def due(self) -> list[ContactKey]:
        """What a lane may begin with: owed, not under way, not waiting, and nothing of it unfolded."""
        return [
            key
            for key, state in self.tables.contacts.items()
            if state.debt.owed and key not in self.paying and self.not_before.get(key, 0.0) <= self.clock.passed
        ]

    def begin(self, key: ContactKey) -> None:
        self.work.look(key)
        self.paying[key] = self.work.pay(key)
        self.go_on(key)

    def go_on(self, key: ContactKey) -> None:
        """Let the payment run to its next call, or to its end."""
        payment = self.paying[key]
        try:
            payment.send(None)
        except StopIteration:
            del self.paying[key]
        except Retriable as error:
            del self.paying[key]
            self.not_before[key] = self.clock.passed + max(error.retry_after or 0.5, 0.01)
        except ConnectionTrouble:
            del self.paying[key]
            self.not_before[key] = self.clock.passed + 30.0

    def learn(self) -> None:
        """Fold the outcomes that are not folded yet."""
        while self.learnt < len(self.outcomes):
            outcome = self.outcomes[self.learnt]
            self.tables.learn(outcome, at(OUTCOMES, self.learnt))
            self.learnt += 1
            if isinstance(outcome, SyncOutcome):
                self.work.look(outcome.contact_key)

    def insist(self) -> None:
        """An operator has everybody put right."""
        for employee in self.truth:
            self.notice(employee, insists=True)

    def held(self, *employees: str) -> tuple[HeldContact, ...]:
        """The contacts that wait for a decision, of these people where any are named, as an operator sees them."""
        return tuple(
            HeldContact(contact_key=key, employee=state.employee, wish=at(EMPLOYEES, state.debt.held))
            for key, state in self.tables.contacts.items()
            if is_waiting(state) and (not employees or state.employee in employees)
        )

    def decide(self, command: str, holds: tuple[HeldContact, ...]) -> None:
        """An operator decides so about these."""
        said = Command(connection=ACME, command=command, asked_by="ada", holds=holds, at=self.clock.now())
        self.commands.append(said)
        self.tables.decide(said, at(COMMANDS, len(self.commands) - 1))
        for held in holds:
            self.work.look(held.contact_key)

    def remap(self, mapping: Mapping) -> None:
        """The connection is added again with another mapping: everybody is read anew."""
        before, self.mapping = self.mapping, mapping
        if before.match != mapping.match:
            self.new_owner()
        for employee in self.truth:
            self.notice(employee, kind="sweep")

    def new_owner(self) -> None:
        """The worker dies between two calls; another one takes over once it has folded everything."""
        for payment in self.paying.values():
            payment.close()
        self.paying.clear()
        self.not_before.clear()
        self.work = self._new_owner()
        self.learn()
        for key in self.tables.contacts:
            self.work.look(key)

    def settle(self, rounds: int = 20_000) -> None:
        """Let everything come to its end: people read, outcomes folded, debts paid, waits jumped over."""
        for _ in range(rounds):
            for employee, person in list(self.tables.people.items()):
                if person.debt.owed:
                    self.read(employee)
            for key in list(self.paying):
                self.go_on(key)
            self.learn()
            due = self.due()
            for key in due:
                self.begin(key)
            if not due and not self.paying:
                waiting = [self.not_before[k] for k, s in self.tables.contacts.items() if s.debt.owed]
                if not waiting:
                    return
                self.clock.passed = max(self.clock.passed, min(waiting))
        raise AssertionError("there is no end to it")

    def _new_owner(self) -> KeepContacts:
        self.index = ContactIndex(self.zoho, self.clock, field=self.mapping.match)
        self.index._refreshing = Turns()  # type: ignore[assignment]
        return keep_contacts(
            self.zoho,
            self.tables.contacts.get,
            self.append,
            self.clock,
            mapping=self.mapping,
            index=self.index,
            leavers=Leavers(
                ACME, self.policy, company=lambda: self.tables.company, append=self.append, clock=self.clock
            ),
        )

    async def append(self, outcome: AnyOutcome) -> LogPosition:
        await pause()
        self.outcomes.append(outcome)
        return at(OUTCOMES, len(self.outcomes) - 1)

    # -- what must be true --------------------------------------------------------------------------------------------

    def replayed(self) -> Tables:
        """The tables as a replay of the whole log builds them, topic after topic; it must append the same upserts."""
        tables = Tables()
        for offset, event in enumerate(self.hr_events):
            tables.hear(event, at(HR_EVENTS, offset))
        upserts: list[ContactUpsert] = []
        for offset, snapshot in enumerate(self.employees):
            mapping = self.mappings[snapshot.mapping_version]
            upserts += tables.keep_roster(snapshot, at(EMPLOYEES, offset), mapping).upserts
        assert upserts == self.upserts
        for offset, upsert in enumerate(self.upserts):
            tables.wish(upsert, at(CONTACT_UPSERTS, offset))
        for offset, outcome in enumerate(self.outcomes[: self.learnt]):
            tables.learn(outcome, at(OUTCOMES, offset))
        for offset, command in enumerate(self.commands):
            tables.decide(command, at(COMMANDS, offset))
        return tables

    def desired(self, employee: str) -> dict[str, str | None]:
        fields = self.truth[EmployeeId(employee)]
        assert fields is not None
        contact = desired_contact(fields, self.mapping, active=True)
        return contact.model_dump(include={"first_name", "last_name", "email", "designation", "department"})


def keep_contacts(
    zoho: MemoryZoho,
    state_of: Callable[[ContactKey], ContactState | None],
    append: Callable[[AnyOutcome], Coroutine[Any, Any, LogPosition]],
    clock: Clock,
    *,
    preview: bool = False,
    mapping: Mapping | None = None,
    guard: FloodGuard | None = None,
    leavers: Leavers | None = None,
    sharing: Sharing | None = None,
    index: ContactIndex | None = None,
) -> KeepContacts:
    return KeepContacts(
        ACME,
        zoho,
        preview=preview,
        mapping=mapping or Mapping(),
        state_of=state_of,
        append=append,
        guard=guard or FloodGuard(FloodPolicy()),
        leavers=leavers or Leavers(ACME, LeaverGuard(), company=lambda: None, append=append, clock=clock),
        sharing=sharing or Sharing(lambda: None),
        clock=clock,
        settle_time=SETTLE_TIME,
        index=ContactIndex(zoho, clock) if index is None else index,
    )


def person(email: str | None = "ada@acme.test", *, status: str = "Active", **fields: str) -> dict[str, str]:
    """An employee record. email: None leaves the field out, as BambooHR does where it is withheld."""
    record = {
        "firstName": "Ada",
        "lastName": "Moreno",
        "jobTitle": "Engineer",
        "department": "Operations",
        "status": status,
        "employmentHistoryStatus": "Full-Time" if status == "Active" else "Terminated",
        "hireDate": "2020-01-01",
        **({} if email is None else {"workEmail": email}),
    }
    return record | fields
