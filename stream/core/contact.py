"""Desired against actual: which calls make Zoho Books show the contact that it should, and what they change."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from stream.records import ContactId, DesiredContact, Email

NAME_MAX = 100
"""first_name and last_name (Zoho Books API, contacts)."""
CONTACT_NAME_MAX = 200
EMAIL_MAX = 100
PERSON_FIELD_MAX = 50
"""designation and department: Zoho's documents disagree (50 or 100), so the smaller one holds."""

PERSON_FIELDS = ("first_name", "last_name", "email", "designation", "department")


@dataclass(frozen=True)
class ContactPerson:
    """One person of a contact as Zoho Books has it. raw: all that the answer held, to send back what is not ours."""

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
    """A contact in full, as Zoho Books shows it. custom_fields: api name -> value as text.

    last_modified_time: as Zoho wrote it, empty where it did not.
    """

    contact_id: ContactId
    contact_name: str
    contact_type: str
    active: bool
    persons: tuple[ContactPerson, ...]
    custom_fields: dict[str, str] = field(default_factory=dict)
    last_modified_time: str = ""

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
    """The address as a key: no surrounding space, lower case. Plus-addresses stay apart: they are other boxes."""
    return Email(address.strip().lower())


WRITABLE = ("salutation", *PERSON_FIELDS, "phone", "mobile", "skype")
"""Fields of a contact person that are sent back as they were. Portal flags never are: they invite people."""


@dataclass(frozen=True)
class Writes:
    """What must be written to a contact: an update's body, active or inactive. changes: field -> (before, after)."""

    update: dict[str, Any] | None = None
    activate: bool = False
    deactivate: bool = False
    changes: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)

    @property
    def none(self) -> bool:
        return self.update is None and not self.activate and not self.deactivate


def display_names(first: str | None, last: str | None, employee: str) -> tuple[str, ...]:
    """The contact names that a person may have, first choice first; the second where the organization has the first."""
    name = " ".join(part for part in ((first or "").strip(), (last or "").strip()) if part)
    if not name:
        return (f"Employee {employee}",)
    mark = f" ({employee})"
    return name[:CONTACT_NAME_MAX], name[: CONTACT_NAME_MAX - len(mark)] + mark


def body_to_create(desired: DesiredContact, employee: str, *, plain_name: bool = True) -> dict[str, Any]:
    """The body of a new contact. plain_name: False after the organization refused the first choice."""
    names = display_names(desired.first_name, desired.last_name, employee)
    return {
        "contact_name": names[0] if plain_name else names[-1],
        "contact_type": desired.contact_type,
        "contact_persons": [{**_known(desired), "is_primary_contact": True}],
        **_custom_fields(desired.custom_fields),
    }


def writes(desired: DesiredContact, actual: ActualContact, employee: str) -> Writes:
    """What makes `actual` show `desired`; nothing when it does already.

    All persons of the contact are in the body, with their ids: Zoho removes those that an update leaves out (Zoho Books
    API, contacts). The display name follows the person's name while it is made of it; a name given by hand stays. The
    contact type of an existing contact stays too.
    """
    primary = actual.primary or ContactPerson("", True)
    wanted = _known(desired)
    changes: dict[str, tuple[str | None, str | None]] = {
        name: (getattr(primary, name), value)
        for name, value in wanted.items()
        if getattr(primary, name).strip() != value.strip()
    }
    body: dict[str, Any] = {}
    if changes:
        others = [_kept(person) for person in actual.persons if person is not primary]
        body["contact_persons"] = [{**_kept(primary), **wanted, "is_primary_contact": True}, *others]
    old_names = display_names(primary.first_name, primary.last_name, employee)
    first, last = wanted.get("first_name", primary.first_name), wanted.get("last_name", primary.last_name)
    new_names = display_names(first, last, employee)
    if actual.contact_name in old_names and actual.contact_name not in new_names:
        body["contact_name"] = new_names[old_names.index(actual.contact_name) if len(new_names) > 1 else 0]
        changes["contact_name"] = (actual.contact_name, body["contact_name"])
    fields = {
        name: value
        for name, value in desired.custom_fields.items()
        if actual.custom_fields.get(name, "").strip() != value.strip()
    }
    changes |= {name: (actual.custom_fields.get(name), value) for name, value in fields.items()}
    body |= _custom_fields(fields)
    if desired.active != actual.active:
        changes["status"] = _status(actual.active), _status(desired.active)
    return Writes(
        update=body or None,
        activate=desired.active and not actual.active,
        deactivate=actual.active and not desired.active,
        changes=changes,
    )


def address_given_up(desired: DesiredContact, actual: ActualContact) -> DesiredContact:
    """The contact as it is, without its address."""
    unknown = dict.fromkeys(PERSON_FIELDS)
    return desired.model_copy(update={**unknown, "email": "", "custom_fields": {}, "active": actual.active})


def shows(desired: DesiredContact, actual: ActualContact) -> bool:
    """Whether an answer shows what was sent. Zoho may drop a field silently (seen live)."""
    primary = actual.primary
    return primary is not None and all(
        getattr(primary, name).strip() == value.strip() for name, value in _known(desired).items()
    )


def adoptable(rows: list[ContactRow], desired: DesiredContact) -> ContactRow | None:
    """Of the contacts with a person's address, the one that stands for this person: of our type, active, the oldest."""
    return min(
        rows,
        key=lambda row: (row.contact_type != desired.contact_type, not row.active, len(row.contact_id), row.contact_id),
        default=None,
    )


def renamed(body: dict[str, Any], desired: DesiredContact, employee: str) -> dict[str, Any]:
    """The same update with the second choice of a name; made of the names that it sends, where it sends the person."""
    person: dict[str, Any] = next(iter(body.get("contact_persons", ())), {})
    first = person.get("first_name", desired.first_name)
    last = person.get("last_name", desired.last_name)
    return {**body, "contact_name": display_names(first, last, employee)[-1]}


def without_unknown_persons(actual: ActualContact) -> ActualContact:
    """The contact with its first person as the primary one, where Zoho names none."""
    if actual.primary is not None or not actual.persons:
        return actual
    first, *others = actual.persons
    return replace(actual, persons=(replace(first, is_primary=True), *others))


def _known(desired: DesiredContact) -> dict[str, str]:
    return {name: value for name in PERSON_FIELDS if (value := getattr(desired, name)) is not None}


def _kept(person: ContactPerson) -> dict[str, Any]:
    kept = {name: person.raw[name] for name in WRITABLE if person.raw.get(name)}
    return {**({"contact_person_id": person.contact_person_id} if person.contact_person_id else {}), **kept}


def _custom_fields(fields: dict[str, str]) -> dict[str, Any]:
    return {"custom_fields": [{"api_name": name, "value": value} for name, value in fields.items()]} if fields else {}


def _status(active: bool) -> str:
    return "active" if active else "inactive"
