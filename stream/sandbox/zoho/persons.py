"""What a body makes of a contact's persons: who stays, who is new, who is left out and so removed, who is primary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stream.sandbox.zoho import fields
from stream.sandbox.zoho.contact import Contact, ContactPerson
from stream.sandbox.zoho.quirks import ZohoQuirks
from stream.sandbox.zoho.refusals import does_not_exist, invalid_value


class PersonReader:
    """Reads contact persons out of bodies. What it returns is new; the former persons stay as they are, in case the
    rest of the body is refused."""

    def __init__(self, quirks: ZohoQuirks, mint: Callable[[], str]) -> None:
        self._quirks = quirks
        self._mint = mint

    def persons(self, body: Mapping[str, Any], contact: Contact | None) -> tuple[list[ContactPerson], str | None]:
        """The persons a contact has after this body, and the id of the one the body calls primary, if any.

        Zoho Books API, contacts: an update removes the persons that `contact_persons` leaves out.
        """
        former = contact.persons if contact else {}
        persons: list[ContactPerson] = []
        primary: str | None = None
        for entry in self._entries(body, former):
            person = self.read(entry, self._named(entry, former))
            if any(other.contact_person_id == person.contact_person_id for other in persons):
                raise invalid_value("contact_person_id")
            persons.append(person)
            if primary is None and is_primary(entry):
                primary = person.contact_person_id
        if self._quirks.top_level_email == "taken":
            self._take_top_level(body, persons, primary or (contact.primary_contact_id if contact else ""))
        return persons, primary

    def read(self, entry: Mapping[str, Any], former: ContactPerson | None = None) -> ContactPerson:
        """One person, with what the entry says laid over the former; a new one when there is none."""
        before = former or ContactPerson(self._mint())
        said = fields.mapping(entry.get("communication_preference", {}), "communication_preference")
        return ContactPerson(
            before.contact_person_id,
            {**before.texts, **fields.person_texts(entry, self._quirks)},
            fields.flag(entry.get("enable_portal", before.enable_portal), "enable_portal"),
            {**before.communication_preference, **{name: fields.flag(value, name) for name, value in said.items()}},
        )

    def _entries(self, body: Mapping[str, Any], former: Mapping[str, ContactPerson]) -> list[Mapping[str, Any]]:
        if "contact_persons" in body:
            return fields.mappings(body["contact_persons"], "contact_persons")
        if self._quirks.omitted_persons == "unchanged":
            return [{"contact_person_id": contact_person_id} for contact_person_id in former]
        return []

    @staticmethod
    def _named(entry: Mapping[str, Any], former: Mapping[str, ContactPerson]) -> ContactPerson | None:
        named = entry.get("contact_person_id")
        if not named:
            return None
        if not isinstance(named, str):
            raise invalid_value("contact_person_id")
        if named not in former:
            raise does_not_exist("Contact Person")
        return former[named]

    def _take_top_level(self, body: Mapping[str, Any], persons: list[ContactPerson], primary: str) -> None:
        given = fields.person_texts(body, self._quirks)
        if not given:
            return
        if not persons:
            persons.append(ContactPerson(self._mint()))
        target = next((person for person in persons if person.contact_person_id == primary), persons[0])
        target.texts = {**target.texts, **given}


def is_primary(entry: Mapping[str, Any]) -> bool:
    return fields.flag(entry.get("is_primary_contact", False), "is_primary_contact")
