"""Desired against actual: which calls make Zoho Books show the contact that it should, and what they change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stream.records import ContactId, Email

NAME_MAX = 100
"""first_name and last_name (Zoho Books API, contacts)."""
EMAIL_MAX = 100
PERSON_FIELD_MAX = 50
"""designation and department: Zoho's documents disagree (50 or 100), so the smaller one holds."""

PERSON_FIELDS = ("first_name", "last_name", "email", "designation", "department")


@dataclass(frozen=True)
class ContactPerson:
    """One person of a contact as Zoho Books has it. `raw`: everything the answer held, to send back what is not ours."""

    contact_person_id: str
    is_primary: bool
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    designation: str = ""
    department: str = ""
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ActualContact:
    """A contact in full, as Zoho Books shows it. custom_fields: api name -> value as text."""

    contact_id: ContactId
    contact_name: str
    contact_type: str
    active: bool
    persons: tuple[ContactPerson, ...]
    custom_fields: dict[str, str] = field(default_factory=dict)

    @property
    def primary(self) -> ContactPerson | None:
        return next((person for person in self.persons if person.is_primary), None)


@dataclass(frozen=True)
class ContactRow:
    """A row of the contact list: no persons. created_time and last_modified_time as Zoho wrote them."""

    contact_id: ContactId
    contact_name: str
    contact_type: str
    active: bool
    email: str
    created_time: str
    last_modified_time: str


def email_key(address: str) -> Email:
    """The address as a key: no surrounding space, letter case folded. Plus-addresses stay apart: they are other boxes."""
    return Email(address.strip().lower())
