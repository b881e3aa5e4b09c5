"""One contact of the organization with its contact persons: the state, and the rules about the primary person."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass
class ContactPerson:
    """`texts` holds the fields of `fields.PERSON_LENGTHS` that have been written."""

    contact_person_id: str
    texts: dict[str, str] = field(default_factory=dict)
    enable_portal: bool = False
    communication_preference: dict[str, bool] = field(default_factory=dict)


@dataclass
class Contact:
    """`values` holds what of `fields.contact_values` has been written; `custom` maps customfield_id to value."""

    contact_id: str
    contact_type: str
    created: datetime
    modified: datetime
    values: dict[str, Any] = field(default_factory=dict)
    persons: dict[str, ContactPerson] = field(default_factory=dict)
    primary_contact_id: str = ""
    custom: dict[str, str] = field(default_factory=dict)
    active: bool = True
    has_transaction: bool = False

    @property
    def name(self) -> str:
        name: str = self.values["contact_name"]
        return name

    @property
    def primary(self) -> ContactPerson | None:
        return self.persons.get(self.primary_contact_id)

    def text_of_primary(self, name: str) -> str:
        """A person field as the contact shows it: that of its primary person, empty without one."""
        primary = self.primary
        return primary.texts.get(name, "") if primary else ""

    def replace_persons(self, persons: list[ContactPerson], primary_contact_id: str | None) -> None:
        """These persons and no other. One is primary while there are any: the named, the former, or the first."""
        self.persons = {person.contact_person_id: person for person in persons}
        wanted = primary_contact_id or self.primary_contact_id
        self.primary_contact_id = wanted if wanted in self.persons else next(iter(self.persons), "")
