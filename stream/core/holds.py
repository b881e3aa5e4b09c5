"""What waits for a person, as the rows say it, and what has become of a decision about it.

Three kinds wait: a leaver whose contact the leaver guard keeps active, an address that several active people state, and
a contact whose address another contact shows. Each is named by its kind, the employees it is about and, where one wish
alone is meant, by that wish's place, so that a name never means anything else than what was seen under it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from stream.core.folds import on_employees
from stream.core.order import in_order
from stream.core.rows import Address, ContactState, Person
from stream.records import ContactId, ContactKey, Email, EmployeeId, HeldContact
from stream.topics import EMPLOYEES

HoldKind = Literal["leaver", "address", "taken"]


@dataclass(frozen=True)
class Hold:
    """employees: one, or all who state the address. rejected: decided, but an approval is still possible.

    contact: the one that is held, for the wish that a decision is about; None for an address. at: since when; None
    where the rows do not say.
    """

    id: str
    kind: HoldKind
    employees: tuple[EmployeeId, ...]
    rejected: bool = False
    contact: HeldContact | None = None
    contact_id: ContactId | None = None
    at: datetime | None = None


class End(NamedTuple):
    """What has become of a decision. well: it was done, or nothing is left to do."""

    says: str
    well: bool = True


def holds(contacts: Mapping[ContactKey, ContactState], addresses: Iterable[Address]) -> list[Hold]:
    """Leavers first, each kind by employee."""
    found = [hold for key, state in contacts.items() for hold in (_leaver(key, state), _taken(key, state)) if hold]
    for address in addresses:
        if address.held:
            active = sorted(address.active, key=in_order)
            found.append(Hold("-".join(("address", *active)), "address", tuple(active)))
    kinds = ("leaver", "address", "taken")
    return sorted(found, key=lambda hold: (kinds.index(hold.kind), in_order(hold.employees[0]), hold.id))


def digest(found: Iterable[Hold]) -> str:
    """12 hex characters for what waits for a decision: others as soon as anything of that is another."""
    names = sorted(hold.id for hold in found if not hold.rejected)
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]


def approved(hold: Hold, contacts: Mapping[ContactKey, ContactState]) -> End | None:
    """What has become of a leaver's approval; None while that is not known."""
    assert hold.contact is not None
    state, offset = contacts[hold.contact.contact_key], hold.contact.wish.offset
    debt = state.debt
    if debt.settled >= offset:
        return End("is inactive" if state.desired.active is False else "stays active: something newer came first")
    if debt.approved < offset:
        return None
    if debt.held > offset:
        return End("waits again: something newer is wanted", well=False)
    return End(f"could not be made inactive: {state.error}", well=False) if debt.parked >= offset else None


def rejected(hold: Hold, contacts: Mapping[ContactKey, ContactState]) -> End | None:
    """What has become of a leaver's rejection; None while that is not known."""
    assert hold.contact is not None
    debt, offset = contacts[hold.contact.contact_key].debt, hold.contact.wish.offset
    if debt.approved >= offset:
        return End("was approved before", well=False)
    return End("stays active") if max(debt.rejected, debt.settled) >= offset else None


def given(person: Person | None, employee: EmployeeId, event: int, addresses: Mapping[Email, Address]) -> End | None:
    """What has become of giving an address to this person, for which the hr-events record `event` asked.

    None while that is not known: whoever reads the rows of two tables may find that of the person newer.
    """
    if person is None or person.debt.owes(event):
        return None
    if person.debt.settled < event:
        return End(f"could not be read: {person.debt.reason}", well=False)
    if person.email is not None:
        address = addresses.get(person.email)
        if address is None or not address.has_folded(EMPLOYEES.name, person.snapshot):
            return None
        if address.holder == employee and not address.held and employee in address.active:
            return End("holds the address")
    return End("does not hold it: not the same people state it any more", well=False)


def tried_again(person: Person | None, event: int, contacts: Mapping[ContactKey, ContactState]) -> End | None:
    """What has become of trying a contact once more, for which the hr-events record `event` asked."""
    if person is None or person.debt.owes(event):
        return None
    if person.debt.settled < event:
        return End(f"could not be read: {person.debt.reason}", well=False)
    if person.contact_key is None:
        return End("has no contact any more")
    state = contacts.get(person.contact_key)
    if state is None or state.debt.wanted < person.upsert or state.debt.owed:
        return None
    if state.debt.settled >= person.upsert:
        return End("is right")
    return End(f"still waits: {state.error or 'several active people state the address'}", well=False)


def _leaver(key: ContactKey, state: ContactState) -> Hold | None:
    debt = state.debt
    if state.desired.active is not False or debt.held <= max(debt.settled, debt.approved):
        return None
    return _of_contact("leaver", key, state, debt.held, not debt.undecided, state.held_at)


def _taken(key: ContactKey, state: ContactState) -> Hold | None:
    debt = state.debt
    if not debt.settled < debt.wanted <= state.taken or state.taken < debt.parked:
        return None
    return _of_contact("taken", key, state, state.taken, False, None)


def _of_contact(
    kind: HoldKind, key: ContactKey, state: ContactState, offset: int, is_rejected: bool, at: datetime | None
) -> Hold | None:
    wish = on_employees(state.chain)
    if wish is None:
        return None
    contact = HeldContact(contact_key=key, employee=state.employee, wish=wish.model_copy(update={"offset": offset}))
    name = f"{kind}-{state.employee}@{offset}"
    return Hold(name, kind, (state.employee,), is_rejected, contact, state.contact_id, at)
