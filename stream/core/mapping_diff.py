"""Whose contact another mapping would change: the newest reading of each person, under both."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from stream.core.claim import Brought, brought
from stream.core.contact import Changes, display_names
from stream.core.mapping import fields_to_read
from stream.core.order import in_order
from stream.core.rows import ContactState, Person, Seen
from stream.records import ContactKey, DesiredContact, EmployeeId, EmployeeSnapshot, Mapping

IN_SCOPE = "in scope"
STATUS = {True: "active", False: "inactive", None: "as it is"}


@dataclass(frozen=True)
class Difference:
    """changes: field of the contact, `status` and `scope` among them -> (under the one, under the other)."""

    employee: EmployeeId
    changes: Changes


@dataclass(frozen=True)
class Comparison:
    """people: who was read at least once. outside: whom the other mapping puts out of scope -> by which expression.

    undecided: of whom it cannot say -> why. unread: field that the other mapping needs -> how many readings lack it.
    """

    people: int
    differences: list[Difference] = field(default_factory=list)
    outside: dict[EmployeeId, str] = field(default_factory=dict)
    undecided: dict[EmployeeId, str] = field(default_factory=dict)
    unread: dict[str, int] = field(default_factory=dict)


def counts(snapshot: EmployeeSnapshot, before: EmployeeSnapshot | None) -> bool:
    """Whether it takes the place of the one before it in the log: not one of somebody who could not be read, and none
    that is older, though appended later. Positions of another life of their topic are no measure.
    """
    if snapshot.state == "unreadable":
        return False
    if before is None or before.cause.topic_id != snapshot.cause.topic_id:
        return True
    return snapshot.through >= before.through


def compare(
    people: dict[EmployeeId, EmployeeSnapshot], one: Mapping, other: Mapping, known: Seen, today: date
) -> Comparison:
    """`other` against `one`, as far as each reading goes: holds and shared addresses are left out of it.

    known: what the rows say of them so far; who is in none counts as new. today: where the company is.
    """
    found = Comparison(people=len(people))
    for employee, snapshot in sorted(people.items(), key=lambda item: in_order(item[0])):
        if snapshot.state == "unreadable":
            continue
        snapshot = snapshot.model_copy(update={"read_on": today})
        for name in fields_to_read(other) if snapshot.state == "read" else ():
            if name not in snapshot.fields:
                found.unread[name] = found.unread.get(name, 0) + 1
        row = known.people.get(employee)
        email = None if row is None else row.email
        claim = known.addresses[email].claims.get(employee) if email in known.addresses else None
        before = brought(snapshot, one, email, claim)
        # Who had a claim is taken out of scope as a leaver, who had none gets none.
        after = brought(snapshot, other, before.email or email, before.claim or claim)
        if after.outside is not None:
            found.outside[employee] = after.outside
        changes = _changes(_shown(before, employee), _shown(after, employee))
        if after.problem is not None and (after.claim is None or not changes):
            found.undecided[employee] = after.problem
        elif changes and not (_has_left(after) and _has_none(row, known.contacts, before)):
            found.differences.append(Difference(employee, changes))
    return found


def _has_none(row: Person | None, contacts: dict[ContactKey, ContactState], before: Brought) -> bool:
    """Whether there is no contact that could change: who has left gets none."""
    if row is None:
        return _has_left(before)
    state = None if row.contact_key is None else contacts.get(row.contact_key)
    return state is None or state.contact_id is None


def _has_left(found: Brought) -> bool:
    return found.claim is None or (found.claim.standing == "departed" and not found.claim.desired.active)


def _changes(before: dict[str, str | None], after: dict[str, str | None]) -> Changes:
    """What is not known afterwards is not touched."""
    return {
        name: (before.get(name), value)
        for name, value in after.items()
        if value is not None and value != before.get(name) and (value or before.get(name))
    }


def _shown(found: Brought, employee: EmployeeId) -> dict[str, str | None]:
    scope = IN_SCOPE if found.outside is None else f"out: {found.outside}"
    return {"scope": scope, **({} if found.claim is None else _contact(found.claim.desired, employee))}


def _contact(desired: DesiredContact, employee: EmployeeId) -> dict[str, str | None]:
    """The type is left out: that of a contact that is there stays as it is."""
    fields = desired.model_dump(exclude={"active", "contact_type", "custom_fields"})
    name = desired.contact_name or display_names(desired.first_name, desired.last_name, employee)[0]
    return {**fields, **desired.custom_fields, "contact_name": name, "status": STATUS[desired.active]}
