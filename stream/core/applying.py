"""Carrying a plan out: what of it still holds, and what has become of it, from a plan made anew and the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stream.core.folds import on_employees
from stream.core.plan import moved
from stream.core.plan_line import Basis, Line, waits_for
from stream.core.rows import ContactState
from stream.records import ContactKey, DesiredContact, EmployeeId, HeldContact

NEWER = "something newer came meanwhile"


@dataclass
class Applied:
    """moved: why a line was not carried out, or not to its end. done: carried out, or there was nothing left to do."""

    done: set[EmployeeId] = field(default_factory=set)
    moved: dict[EmployeeId, str] = field(default_factory=dict)


def sorted_out(planned: Mapping[EmployeeId, Basis], now: Mapping[EmployeeId, Line]) -> tuple[list[EmployeeId], Applied]:
    """Whose lines still hold, and what is to be said of the others: done already, or moved."""
    go, applied = [], Applied()
    for employee, basis in planned.items():
        line = now[employee]
        if (why := moved(basis, line)) is None:
            go.append(employee)
        elif line.action == "unchanged" and (line.basis.reading, line.basis.decision) == (
            basis.reading,
            basis.decision,
        ):
            applied.done.add(employee)
        else:
            applied.moved[employee] = why
    return go, applied


def release_of(key: ContactKey, state: ContactState, wanted: DesiredContact) -> HeldContact | str | None:
    """What lets the planned change through in preview, or why it cannot be; None where there is nothing left to do."""
    wish = on_employees(state.chain)
    if state.desired != wanted or wish is None:
        return NEWER
    if not state.debt.owed:
        return None
    return HeldContact(
        contact_key=key, employee=state.employee, wish=wish.model_copy(update={"offset": state.debt.wanted})
    )


def ended(state: ContactState, offset: int, *, preview: bool) -> bool:
    """Whether the contact's debt up to an employees offset has come to an end, good or bad."""
    debt = state.debt
    return not debt.owes(offset) or (preview and debt.wanted > max(offset, debt.released))


def became(state: ContactState, offset: int) -> str | None:
    """Of a debt that has ended: why it was not paid, None when it was."""
    if state.debt.settled >= offset:
        return None
    return waits_for(state) or NEWER
