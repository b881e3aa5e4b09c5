"""What somebody changed by hand in Zoho Books: which contacts are to be looked at, and in what they differ."""

from __future__ import annotations

from datetime import datetime

from stream.core.contact import ActualContact, writes
from stream.core.rows import ContactState

GONE = ("contact",)
"""In place of the names of fields, of a contact that was deleted."""


def has_moved(state: ContactState, there: bool, modified_at: datetime | None) -> bool:
    """Whether the contact was changed or deleted in Zoho since we last knew it to be right.

    there, modified_at: whether Zoho has it, and when it was changed last; None where it has not, or does not say. These
    are whole seconds: what is changed by hand within the second of our own change looks like it.
    """
    if state.contact_id is None or state.debt.settled < state.debt.wanted:
        return False
    return is_another(state, there, modified_at)


def is_another(state: ContactState, there: bool, modified_at: datetime | None) -> bool:
    """The same of a contact that owes something: it was seen last at another time of change. Who left needs none."""
    if not there:
        return bool(state.desired.active)
    return state.modified_at is None or modified_at != state.modified_at


def is_to_be_looked_at(state: ContactState, there: bool, modified_at: datetime | None) -> bool:
    """Whether it has moved, and was not looked at since."""
    known = state.drifted is not None and state.drifted.modified_at == modified_at
    return not known and state.unresolved is None and has_moved(state, there, modified_at)


def differing(state: ContactState, actual: ActualContact | None) -> tuple[str, ...]:
    """Names of the fields that do not show what is wanted; GONE where there is no contact. Who left needs none."""
    if actual is None:
        return GONE if state.desired.active else ()
    return tuple(sorted(writes(state.desired, actual, state.employee).changes))
