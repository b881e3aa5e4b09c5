"""By what a person's contact is found in Zoho Books: its address, or a unique custom field with the employee's id."""

from __future__ import annotations

from stream.core.contact import ActualContact, spellings
from stream.records import DesiredContact

BY_EMAIL = "email"


def identifier(desired: DesiredContact, match: str) -> str | None:
    """What the field holds of this person's contact; None where its address is what it is found by."""
    return None if match == BY_EMAIL else desired.custom_fields.get(match) or None


def calls_to_create(desired: DesiredContact, match: str) -> int:
    """Of Zoho Books, where contacts were not read in bulk: one is looked for first, by all that it may be found by."""
    by_field = identifier(desired, match) is not None
    return by_field + len(spellings(desired.email or "")) + 1


def may_stand_for(actual: ActualContact, match: str, value: str) -> bool:
    """Whether a contact with the person's address may be theirs: the field is empty yet, or holds this value."""
    return actual.custom_fields.get(match, "").strip() in ("", value)
