"""One person, from the wish to look at them to what came of it in Zoho: followed in what the log tells, step by step.

It is told records and rows in any order in which topics may be read side by side, and knows when nothing more is to
come.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from stream.core import scope
from stream.core.employment import employment
from stream.core.mapping import fields_to_read
from stream.core.rows import Address, Person, Row
from stream.records import ContactUpsert, Email, EmployeeId, EmployeeSnapshot, LogPosition, Mapping, SyncOutcome

End = Literal["kept", "nothing to keep", "previewed", "held", "failed"]


@dataclass(frozen=True)
class Step:
    """step: its name, one word. says: a sentence for a person."""

    step: Literal["read", "standing", "scope", "match", "decision", "fields", "calls"]
    says: str


@dataclass
class Trace:
    """asked: the hr-events offset of the wish. mapping: as it is now."""

    employee: EmployeeId
    asked: int
    mapping: Mapping
    snapshot: EmployeeSnapshot | None = None
    person: Person | None = None
    _read_at: LogPosition | None = None
    _addresses: dict[Email, Address] = field(default_factory=dict)
    _upserts: list[ContactUpsert] = field(default_factory=list)
    _outcomes: list[SyncOutcome] = field(default_factory=list)

    def read(self, snapshot: EmployeeSnapshot, position: LogPosition) -> None:
        if self.snapshot is None and snapshot.employee == self.employee and snapshot.through >= self.asked:
            self.snapshot, self._read_at = snapshot, position

    def wished(self, upsert: ContactUpsert) -> None:
        if upsert.employee == self.employee:
            self._upserts.append(upsert)

    def learnt(self, outcome: SyncOutcome) -> None:
        if outcome.employee == self.employee:
            self._outcomes.append(outcome)

    def folded(self, person: Person) -> None:
        """The person's row was written."""
        self.person = person

    def claimed(self, email: Email, address: Address) -> None:
        """The row of an address was written."""
        self._addresses[email] = address

    @property
    def upsert(self) -> ContactUpsert | None:
        """What followed from the reading, if anything did."""
        at = self._read_at
        return next((one for one in self._upserts if at is not None and one.cause.offset == at.offset), None)

    @property
    def outcomes(self) -> list[SyncOutcome]:
        """What happened to the contact since."""
        upsert = self.upsert
        return [one for one in self._outcomes if upsert is not None and one.contact_key == upsert.contact_key]

    def _is_folded(self, row: Row | None) -> bool:
        at = self._read_at
        return row is not None and at is not None and row.has_folded(at.topic, at.offset)

    @property
    def end(self) -> End | None:
        """None while more is to come."""
        snapshot, person = self.snapshot, self.person
        if snapshot is None or person is None or not self._is_folded(person):
            return None
        stated = snapshot.state == "read" and person.email is not None and person.problem is None
        if stated and not self._is_folded(self.address):
            return None
        if snapshot.state == "unreadable":
            return "failed"
        if self._is_held:
            return "held"
        if self.upsert is None:  # who has a contact gets one, since the event insists; it may be read after the rows
            return None if person.contact_key is not None and person.shown is not None else "nothing to keep"
        wanted = self.upsert.cause.offset
        return next((end for outcome in self.outcomes if (end := _end(outcome, wanted)) is not None), None)

    @property
    def _is_held(self) -> bool:
        """Whether this person waits with others for the address. Who has left does not: that contact goes."""
        return self.address is not None and self.address.held and self.employee in self.address.active

    @property
    def address(self) -> Address | None:
        email = None if self.person is None else self.person.email
        return None if email is None else self._addresses.get(email)

    def steps(self) -> list[Step]:
        """What is known so far, in order."""
        found = [self._reading(), self._standing(), self._scope(), self._match(), self._decision(), *self._writing()]
        return [step for step in found if step is not None]

    def _reading(self) -> Step | None:
        snapshot = self.snapshot
        if snapshot is None:
            return None
        if snapshot.state == "gone":
            return Step("read", "BambooHR has no such employee, or none that these credentials may see.")
        if snapshot.state == "unreadable":
            return Step("read", f"BambooHR could not be read: {snapshot.reason}")
        at = snapshot.read_at.isoformat(timespec="seconds")
        wanted = fields_to_read(self.mapping)
        withheld = [name for name in wanted if name not in snapshot.fields]
        kept = f" Withheld, hence left as they are: {', '.join(withheld)}." if withheld else ""
        return Step("read", f"Read from BambooHR at {at}, {len(snapshot.fields)} of {len(wanted)} fields.{kept}")

    def _standing(self) -> Step | None:
        snapshot = self.snapshot
        if snapshot is None or snapshot.state != "read":
            return None
        kind = employment(snapshot.fields, snapshot.day)
        status, history = (snapshot.fields.get(name) for name in ("status", "employmentHistoryStatus"))
        return Step("standing", f"{kind}: status {_shown(status)}, employment status {_shown(history)}.")

    def _scope(self) -> Step | None:
        snapshot = self.snapshot
        if snapshot is None or snapshot.state != "read" or not self.mapping.scope:
            return None
        match scope.standing(self.mapping.scope, snapshot.fields):
            case scope.Outside(expression):
                return Step("scope", f"Out of scope: {expression} does not hold.")
            case scope.Undecided(reason):
                return Step("scope", f"Not decided: {reason}.")
        return Step("scope", "In scope.")

    def _match(self) -> Step | None:
        person, address = self.person, self.address
        if person is None:
            return None
        if person.email is None:
            return Step("match", "Claims no address, and so has no contact of their own.")
        if address is None:
            return Step("match", f"Still known at {person.email}.")
        if address.held:
            claim = "both claim" if len(address.active) == 2 else "claim"
            return Step("match", f"Employees {' and '.join(address.active)} {claim} {person.email}.")
        if address.holder == self.employee:
            return Step("match", f"Holds {person.email}.")
        return Step("match", f"Claims {person.email}, which employee {address.holder} holds.")

    def _decision(self) -> Step | None:
        person, upsert = self.person, self.upsert
        if self._is_held:
            return Step("decision", "Held: nobody's contact is touched until one of them moves on or a person decides.")
        if upsert is not None:
            state = {True: "active", False: "inactive", None: "as it is"}[upsert.desired.active]
            return Step("decision", f"Contact {upsert.contact_key} is to be {state}.")
        if person is None:
            return None
        if person.problem is not None:
            return Step("decision", f"Nothing is changed: {person.problem}.")
        return Step("decision", "No contact is needed.")

    def _writing(self) -> list[Step]:
        if self.upsert is None or (self.end in (None, "held") and not self.outcomes):
            return []
        ended = [outcome for outcome in self.outcomes if outcome.action != "attempting"]
        written = [outcome for outcome in ended if outcome.action not in ("previewed", "held", "failed")]
        changes = {name: change for outcome in written for name, change in outcome.changes.items()}
        shown = "; ".join(f"{name}: {_value(before)} -> {_value(after)}" for name, (before, after) in changes.items())
        nothing = "Zoho Books shows all as it should be." if self.end == "kept" else "Nothing was written."
        if self.end == "previewed":
            nothing = f"Nothing was written: `rosterbook plan` with employee {self.employee} shows what would change."
        calls = sum(outcome.calls for outcome in self.outcomes)
        said = ", ".join(dict.fromkeys(outcome.action for outcome in ended))
        why = next((f" {outcome.reason}" for outcome in ended if outcome.reason), "")
        return [
            Step("fields", f"{shown}." if shown else nothing),
            Step("calls", f"{calls} to Zoho Books: {said}.{why}"),
        ]


def _value(text: str | None) -> str:
    """Of a field in Zoho Books."""
    return repr(text) if text else "nothing"


def _end(outcome: SyncOutcome, wanted: int) -> End | None:
    if outcome.settles is not None and outcome.settles >= wanted:
        return "kept"
    if outcome.parks is None or outcome.parks < wanted:
        return None
    match outcome.action:
        case "previewed":
            return "previewed"
        case "held":
            return "held"
        case _:
            return "failed"


def _shown(value: str | None) -> str:
    return "withheld" if value is None else f"'{value}'" if value else "empty"
