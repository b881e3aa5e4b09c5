"""One Zoho Books organization: its contacts, and the rules by which calls change them.

Every method that takes a body applies the whole of it or, raising `Refused`, nothing. Ids are texts of 18 digits above
2^53, so that a client that reads them as floats breaks here as it would there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from stream.clock import Clock
from stream.sandbox.zoho import fields
from stream.sandbox.zoho.answers import Answers
from stream.sandbox.zoho.contact import Contact, ContactPerson
from stream.sandbox.zoho.contact_book import ContactBook
from stream.sandbox.zoho.custom_fields import CustomField, CustomFields, DefinedField
from stream.sandbox.zoho.persons import PersonReader, is_primary
from stream.sandbox.zoho.quirks import ZohoQuirks
from stream.sandbox.zoho.refusals import Refused, does_not_exist, invalid_value, no_such_url

FIRST_ID = 460_000_000_000_026_001


class Organization:
    """The state of one organization. Read it at any time; change it by the methods."""

    def __init__(self, organization_id: str, *, name: str, zone: ZoneInfo, quirks: ZohoQuirks, clock: Clock) -> None:
        self.organization_id = organization_id
        self.name = name
        self.zone = zone
        self.quirks = quirks
        self.created = clock.now()
        self.book = ContactBook()
        self.custom_fields = CustomFields()
        self.answers = Answers(zone, self.custom_fields)
        self._clock = clock
        self._next_id = FIRST_ID
        self._persons = PersonReader(quirks, self._mint)

    @property
    def contacts(self) -> dict[str, Contact]:
        """contact_id -> contact, oldest first."""
        return self.book.contacts

    def contact(self, contact_id: str) -> Contact:
        """Raises Refused with 404."""
        contact = self.contacts.get(contact_id)
        if contact is None:
            raise self._unknown("Contact", other_entity=self.book.contact_of_person(contact_id) is not None)
        return contact

    def person(self, contact_person_id: str) -> tuple[Contact, ContactPerson]:
        """A contact person and whose it is. Raises Refused with 404."""
        contact = self.book.contact_of_person(contact_person_id)
        if contact is None:
            raise self._unknown("Contact Person", other_entity=contact_person_id in self.contacts)
        return contact, contact.persons[contact_person_id]

    def define_custom_field(self, field: CustomField) -> DefinedField:
        """For the owner of the sandbox: contacts can carry this field from now on."""
        return self.custom_fields.define(field, self._mint())

    def record_transaction(self, contact_id: str) -> None:
        """For the owner of the sandbox: a bill or an invoice names the contact, so that it cannot be deleted."""
        self.contact(contact_id).has_transaction = True

    def create(self, body: Mapping[str, Any]) -> Contact:
        contact_type = _type_in(body) or "customer"
        values = fields.contact_values(body, contact_type, self.quirks)
        self._check_name(values.get("contact_name", ""), contact_id="")
        contact_id = self._mint()
        persons, primary = self._persons.persons(body, None)
        custom = self._custom_in(body, contact_id)
        now = self._clock.now()
        contact = Contact(contact_id, contact_type, created=now, modified=now)
        self._apply(contact, persons, primary, values, custom)
        return contact

    def update(self, contact_id: str, body: Mapping[str, Any]) -> Contact:
        """Keys that the body leaves out stay as they are; persons that `contact_persons` leaves out are removed."""
        contact = self.contact(contact_id)
        contact_type = contact.contact_type
        if self.quirks.type_change == "applied":
            contact_type = _type_in(body) or contact_type
        values = fields.contact_values(body, contact_type, self.quirks)
        if "contact_name" in values:
            self._check_name(values["contact_name"], contact_id=contact_id)
        persons, primary = self._persons.persons(body, contact)
        custom = self._custom_in(body, contact_id)
        contact.contact_type = contact_type
        self._apply(contact, persons, primary, values, custom)
        return contact

    def upsert(self, key: str, value: str, body: Mapping[str, Any], *, creates: bool) -> tuple[Contact, bool]:
        """Update the contact that has the value in the unique field `key`; make one where none has and that is wished.

        Whether it was made. Zoho Books API, contacts, update by custom field. Raises Refused where none has.
        """
        holder = self.custom_fields.holder(key, value)
        if holder is not None:
            return self.update(holder, body), False
        if not creates:
            raise does_not_exist("Contact") if self.quirks.upsert_no_match == 404 else invalid_value(key)
        if self.quirks.upsert_header == "fills the field":
            body = self.custom_fields.with_value(body, key, value)
        return self.create(body), True

    def set_active(self, contact_id: str, *, active: bool) -> Contact:
        contact = self.contact(contact_id)
        contact.active = active
        self._put(contact)
        return contact

    def delete(self, contact_ids: Iterable[str]) -> list[Contact]:
        """All of them or none. Raises Refused where one has transactions."""
        leaving = [self.contact(contact_id) for contact_id in dict.fromkeys(contact_ids)]
        if any(contact.has_transaction for contact in leaving):
            # Zoho documents the refusal, not its code: clients must do without knowing it.
            raise Refused(400, 3000, "Contacts with transactions cannot be deleted. Mark them as inactive instead.")
        for contact in leaving:
            self.custom_fields.hold(contact.contact_id, contact.custom, {})
            self.book.remove(contact)
        return leaving

    def add_person(self, body: Mapping[str, Any]) -> tuple[Contact, ContactPerson]:
        contact = self.contact(_required(body, "contact_id"))
        _required(body, "first_name")
        person = self._persons.read(body)
        self._apply(
            contact, [*contact.persons.values(), person], person.contact_person_id if is_primary(body) else None
        )
        return contact, person

    def update_person(self, contact_person_id: str, body: Mapping[str, Any]) -> tuple[Contact, ContactPerson]:
        """Zoho Books API, contact persons: an update needs contact_id and first_name too."""
        contact, former = self.person(contact_person_id)
        if _required(body, "contact_id") != contact.contact_id:
            raise invalid_value("contact_id")
        _required(body, "first_name")
        person = self._persons.read(body, former)
        persons = [person if other is former else other for other in contact.persons.values()]
        self._apply(contact, persons, contact_person_id if is_primary(body) else None)
        return contact, person

    def delete_person(self, contact_person_id: str) -> None:
        contact, leaving = self.person(contact_person_id)
        self._apply(contact, [person for person in contact.persons.values() if person is not leaving], None)

    def make_primary(self, contact_person_id: str) -> None:
        contact, _ = self.person(contact_person_id)
        self._apply(contact, list(contact.persons.values()), contact_person_id)

    def _apply(
        self,
        contact: Contact,
        persons: list[ContactPerson],
        primary: str | None,
        values: Mapping[str, Any] | None = None,
        custom: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing can be refused from here on."""
        for name, value in (values or {}).items():
            contact.values[name] = {**contact.values.get(name, {}), **value} if isinstance(value, dict) else value
        contact.replace_persons(persons, primary)
        after = {**contact.custom, **(custom or {})}
        self.custom_fields.hold(contact.contact_id, contact.custom, after)
        contact.custom = after
        self._put(contact)

    def _put(self, contact: Contact) -> None:
        contact.modified = self._clock.now()
        self.book.put(contact)

    def _custom_in(self, body: Mapping[str, Any], contact_id: str) -> dict[str, str]:
        return self.custom_fields.read(fields.mappings(body.get("custom_fields", []), "custom_fields"), contact_id)

    def _check_name(self, name: str, *, contact_id: str) -> None:
        if not name:
            raise invalid_value("contact_name")
        if self.quirks.duplicate_names == "allowed":
            return
        for other in self.book.with_name(name):
            if other.contact_id != contact_id:
                text = f'The {other.contact_type} "{name}" already exists. Please specify a different name.'
                raise Refused(400, 3062, text)

    def _unknown(self, entity: str, *, other_entity: bool) -> Refused:
        if other_entity or self.quirks.unknown_id_code == 1002:
            return does_not_exist(entity)
        return no_such_url()

    def _mint(self) -> str:
        self._next_id += 2
        return str(self._next_id)


def _type_in(body: Mapping[str, Any]) -> str | None:
    match body.get("contact_type"):
        case None | "":
            return None
        case "customer" | "vendor" as contact_type:
            return str(contact_type)
        case _:
            raise invalid_value("contact_type")


def _required(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise invalid_value(name)
    return value
