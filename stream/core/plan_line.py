"""One line of a plan: what would be done about a person's contact, from a trial and the contact as Zoho shows it.

Each line says on what it is based, so that whoever carries it out later can tell what has moved since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson

from stream.codec import fingerprint
from stream.core.contact import (
    CONTACT_FIELDS,
    PERSON_FIELDS,
    ActualContact,
    Changes,
    ContactPerson,
    ContactRow,
    display_names,
    squeezed,
    writes,
)
from stream.core.guard import Headcount, decide
from stream.core.matching import calls_to_create
from stream.core.order import in_order
from stream.core.rows import ContactState, Window
from stream.core.trial import Trial
from stream.records import ContactId, ContactKey, DesiredContact, EmployeeId, LeaverGuard, Model

Action = Literal["create", "change", "reactivate", "deactivate", "held", "out of scope", "unchanged"]
ACTIONS: tuple[Action, ...] = ("create", "change", "reactivate", "deactivate", "held", "out of scope", "unchanged")
"""In the order in which they are shown."""
WRITING: tuple[Action, ...] = ("create", "change", "reactivate", "deactivate")


class Basis(Model):
    """What a line rests on, as 16 hex characters each: the record in BambooHR, the contact in Zoho Books as far as the
    line would overwrite it, and what was decided.
    """

    reading: str
    contact: str
    decision: str


class Line(Model):
    """What would be done for one employee. changes: field of the contact -> (before, after). why: of a hold, and of who
    is out of scope or has something undecided. after: whose contacts must give up the address first. calls: of Zoho
    Books.
    """

    employee: EmployeeId
    action: Action
    changes: Changes = {}
    why: str | None = None
    contact_id: ContactId | None = None
    after: tuple[EmployeeId, ...] = ()
    calls: int = 0
    basis: Basis


@dataclass(frozen=True)
class Found:
    """Whom Zoho Books shows for a contact of a trial. why: the contact cannot be had, and a person must act.

    after: as in a line.
    """

    actual: ActualContact | None = None
    why: str | None = None
    after: tuple[EmployeeId, ...] = ()


def must_look(state: ContactState) -> bool:
    """Whether Zoho's contact decides what there is to do."""
    return state.debt.owed and not state.is_shown(fingerprint(state.desired))


def as_applied(before: ContactState | None, wanted: DesiredContact, row: ContactRow | None) -> ActualContact | None:
    """The contact as our own last write left it, as far as `wanted` touches it; None where it must be read.

    before: its row as the log has it. row: as the list shows it now; the caller has seen that nobody changed it since.
    """
    if before is None or row is None or before.applied != fingerprint(before.desired) or before.unresolved is not None:
        return None
    shown = before.desired
    for name in (*PERSON_FIELDS, *CONTACT_FIELDS):
        if getattr(wanted, name) is not None and getattr(shown, name) is None:
            return None
    if (
        shown.first_name is None
        or shown.last_name is None
        or not wanted.custom_fields.keys() <= shown.custom_fields.keys()
    ):
        return None
    known: dict[str, Any] = {name: getattr(shown, name) or "" for name in PERSON_FIELDS}
    primary = ContactPerson("", True, **known)
    return ActualContact(
        row.contact_id,
        row.contact_name,
        row.contact_type,
        row.active,
        (primary,),
        dict(shown.custom_fields),
        row.last_modified_time,
        {name: getattr(shown, name) or "" for name in CONTACT_FIELDS},
    )


def line_of(trial: Trial, employee: EmployeeId, key: ContactKey | None, found: Found | None) -> Line:
    """What would be done for the employee, the leaver guard not yet asked.

    key: of the contact that stands for this person; None where none is needed. found: None where nobody had to look.
    """
    person, reading = trial.person(employee), trial.readings.get(employee)
    state = None if key is None else trial.state(key)
    shared = _shared(trial, employee)
    action: Action = "unchanged"
    changes: Changes = {}
    calls = 0
    why = trial.unclear.get(employee)
    contact_id = None if state is None else state.contact_id
    if reading is not None and reading.state == "unreadable":
        action, why = "held", f"cannot be read: {reading.reason}"
    elif shared and (state is None or not state.debt.owed):
        action, why = "held", f"employees {', '.join(shared)} state one address"
    elif state is None:
        if employee in trial.outside:
            action, why = "out of scope", trial.outside[employee]
        elif why is not None and person.shown is None:
            action = "held"
    elif found is not None and found.why is not None:
        action, why = "held", found.why
    elif found is not None:
        action, changes, calls = _done(state, found.actual, trial.mapping.match)
        contact_id = found.actual.contact_id if found.actual is not None else contact_id
        if action == "unchanged" and employee in trial.outside:
            action, why = "out of scope", trial.outside[employee]
        elif employee in trial.outside:
            why = f"out of scope: {trial.outside[employee]}"
    elif (waits := waits_for(state)) is not None:
        action, why = "held", waits
    elif employee in trial.outside:
        action, why = "out of scope", trial.outside[employee]
    basis = Basis(
        reading="" if reading is None else _digest({"state": reading.state, "fields": reading.fields}),
        contact=_digest({"contact": contact_id, "before": _overwritten(changes)}),
        decision=_digest(None if state is None else fingerprint(state.desired)),
    )
    return Line(
        employee=employee,
        action=action,
        changes=dict(sorted(changes.items())),
        why=why,
        contact_id=contact_id,
        after=found.after if found is not None and action in WRITING else (),
        calls=calls,
        basis=basis,
    )


def undecided(employee: EmployeeId, why: str) -> Line:
    """Of somebody of whom it cannot be said whether the plan is about them."""
    return Line(employee=employee, action="held", why=why, basis=Basis(reading="", contact="", decision=""))


def guarded(
    lines: Mapping[ContactKey, Line],
    states: Mapping[ContactKey, ContactState],
    policy: LeaverGuard,
    window: Window | None,
    now: datetime,
) -> dict[ContactKey, Line]:
    """The lines as the leaver guard lets them be: asked about one after the other, in the order of the employees.

    states: of all the connection's contacts, as they would be. window: the last one that the log knows of.
    """
    count, said = Headcount(), dict(lines)
    for key, state in states.items():
        count.note(key, state)
    for key, line in sorted(lines.items(), key=lambda item: in_order(item[1].employee)):
        debt = states[key].debt
        if line.action != "deactivate" or debt.wanted <= debt.approved:
            continue
        verdict = decide(key, count, policy, window, now)
        window = verdict.window
        if verdict.go:
            count.let_go[key] = now
        else:
            why = "leaver guard: too many people leave at once"
            # The address alone is put right even so: the old one may be another's by now.
            address = {name: change for name, change in line.changes.items() if name == "email"}
            update = {"action": "held", "why": why, "changes": address, "calls": 2 if address else 0}
            said[key] = line.model_copy(update=update)
    return said


def waits_for(state: ContactState) -> str | None:
    """Why a contact that owes something is left alone as it is."""
    debt = state.debt
    if state.desired.active is False and debt.held > max(debt.settled, debt.approved):
        return "leaver guard: rejected, stays active" if not debt.undecided else "leaver guard: waits for a decision"
    if debt.parked > debt.settled and debt.parked >= debt.wanted:
        return state.error or debt.reason or "failed"
    return None


def _shared(trial: Trial, employee: EmployeeId) -> list[EmployeeId]:
    email = trial.person(employee).email
    address = None if email is None else trial.address(email)
    held = address is not None and address.held and employee in address.active
    return sorted(address.active, key=in_order) if held and address is not None else []


def _done(state: ContactState, actual: ActualContact | None, match: str) -> tuple[Action, Changes, int]:
    """As the lane does it, and in how many calls."""
    desired = state.desired
    if actual is None:
        if not desired.active or not desired.email:
            return "unchanged", {}, 0  # who left, or has no address, needs no new contact
        return "create", _created(desired, state.employee), calls_to_create(desired, match)
    wanted = writes(desired, actual, state.employee)
    if wanted.none:
        return "unchanged", {}, 0
    calls = 1 + (wanted.update is not None) + wanted.activate + wanted.deactivate
    action: Action = "deactivate" if wanted.deactivate else "reactivate" if wanted.activate else "change"
    return action, wanted.changes, calls


def _created(desired: DesiredContact, employee: EmployeeId) -> Changes:
    fields = {name: getattr(desired, name) for name in (*PERSON_FIELDS, *CONTACT_FIELDS)} | desired.custom_fields
    name = desired.contact_name or display_names(desired.first_name, desired.last_name, employee)[0]
    return {target: (None, value) for target, value in ({"contact_name": name} | fields).items() if value}


def _overwritten(changes: Changes) -> dict[str, str]:
    """What the line would change for good: not what Zoho shows in a form of its own, which only a reading tells."""
    forms = {name: (squeezed(old or ""), squeezed(new or "")) for name, (old, new) in changes.items()}
    return {name: old for name, (old, new) in forms.items() if old != new}


def _digest(value: object) -> str:
    return hashlib.blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()
