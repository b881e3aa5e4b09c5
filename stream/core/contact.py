"""Desired against actual: which calls make Zoho Books show the contact that it should, and what they change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any

from stream.records import ContactId, DesiredContact, Email

NAME_MAX = 100
"""first_name and last_name (Zoho Books API, contacts)."""
CONTACT_NAME_MAX = 200
EMAIL_MAX = 100
PERSON_FIELD_MAX = 50
"""designation and department: Zoho's documents disagree (50 or 100), so the smaller one holds."""

PERSON_FIELDS = ("first_name", "last_name", "email", "designation", "department", "phone", "mobile")
CONTACT_FIELDS = ("company_name", "website", "notes")
"""Of the contact itself, beside its name and type."""

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


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
    phone: str = ""
    mobile: str = ""
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ActualContact:
    """A contact in full, as Zoho Books shows it. Where it has persons one of them is primary.

    custom_fields: api name -> value as text. own: CONTACT_FIELDS. last_modified_time: as Zoho wrote it, empty where it
    did not.
    """

    contact_id: ContactId
    contact_name: str
    contact_type: str
    active: bool
    persons: tuple[ContactPerson, ...]
    custom_fields: dict[str, str] = field(default_factory=dict)
    last_modified_time: str = ""
    own: dict[str, str] = field(default_factory=dict)

    @property
    def primary(self) -> ContactPerson | None:
        return next((person for person in self.persons if person.is_primary), None)


@dataclass(frozen=True)
class ContactRow:
    """A row of the contact list: no persons. created_time and last_modified_time as Zoho wrote them.

    custom_fields: those that have a value, by API name, where the list shows them.
    """

    contact_id: ContactId
    contact_name: str
    contact_type: str
    active: bool
    email: str
    created_time: str
    last_modified_time: str
    custom_fields: Mapping[str, str] = field(default_factory=dict)


def row_of(actual: ActualContact) -> ContactRow:
    """As the contact list would show it; the time at which it was made is not known."""
    primary = actual.primary
    return ContactRow(
        contact_id=actual.contact_id,
        contact_name=actual.contact_name,
        contact_type=actual.contact_type,
        active=actual.active,
        email=primary.email if primary is not None else "",
        created_time="",
        last_modified_time=actual.last_modified_time,
        custom_fields=actual.custom_fields,
    )


def email_key(address: str) -> Email:
    """The address as a key: no surrounding space, lower case. Plus-addresses stay apart: they are other boxes."""
    return Email(address.strip().lower())


def spellings(address: str) -> tuple[str, ...]:
    """In which it is searched for: whether Zoho's filter minds letter case is not documented."""
    return tuple(dict.fromkeys((address, address.lower())))


def is_address(text: str) -> bool:
    """Whether it can be a contact's: one that is cut would be another one, and Zoho Books refuses what is none."""
    return 0 < len(text) <= EMAIL_MAX and _ADDRESS.fullmatch(text) is not None


WRITABLE = ("salutation", *PERSON_FIELDS, "skype")
"""Fields of a contact person that are sent back as they were. Portal flags never are: they invite people."""


Change = tuple[str | None, str | None]
"""Before and after."""
Changes = dict[str, Change]
"""By field of the contact."""


@dataclass(frozen=True)
class Writes:
    """What must be written to a contact: an update's body, active or inactive. changes: field -> (before, after)."""

    update: dict[str, Any] | None = None
    activate: bool = False
    deactivate: bool = False
    changes: Changes = field(default_factory=dict)

    @property
    def none(self) -> bool:
        return self.update is None and not self.activate and not self.deactivate


def display_names(first: str | None, last: str | None, employee: str) -> tuple[str, ...]:
    """The contact names that a person may have, first choice first; the second where the organization has the first."""
    name = " ".join(part for part in ((first or "").strip(), (last or "").strip()) if part)
    return _choices(name, employee) if name else (f"Employee {employee}",)


def _choices(name: str, employee: str) -> tuple[str, str]:
    mark = f" ({employee})"
    return name[:CONTACT_NAME_MAX].strip(), name[: CONTACT_NAME_MAX - len(mark)].strip() + mark


def _names_of(desired: DesiredContact, employee: str) -> tuple[str, ...]:
    if desired.contact_name:
        return _choices(desired.contact_name, employee)
    return display_names(desired.first_name, desired.last_name, employee)


def body_to_create(desired: DesiredContact, employee: str, *, plain_name: bool = True) -> dict[str, Any]:
    """The body of a new contact. plain_name: False after the organization refused the first choice."""
    names = _names_of(desired, employee)
    return {
        "contact_name": names[0] if plain_name else names[-1],
        "contact_type": desired.contact_type,
        "contact_persons": [{**_known(desired, PERSON_FIELDS), "is_primary_contact": True}],
        **_known(desired, CONTACT_FIELDS),
        **_custom_fields(desired.custom_fields),
    }


def writes(desired: DesiredContact, actual: ActualContact, employee: str) -> Writes:
    """What makes `actual` show `desired`; nothing when it does already.

    All persons of the contact are in each body, with their ids: Zoho removes those that an update leaves out (Zoho
    Books API, contacts), and whether it keeps them where the update names none is not documented. A display name that
    the mapping makes is put back; else it follows the person's name while it is made of it, and a name given by hand
    stays. The contact type of an existing contact stays too.
    """
    primary = actual.primary or ContactPerson("", True)
    wanted = _known(desired, PERSON_FIELDS)
    changes = _differences({name: getattr(primary, name) for name in PERSON_FIELDS}, wanted)
    with_persons = bool(changes or actual.persons)
    body: dict[str, Any] = {}
    if (name := _new_name(desired, actual, primary, employee)) is not None:
        body["contact_name"] = name
        changes["contact_name"] = (actual.contact_name, name)
    own = _differences(actual.own, _known(desired, CONTACT_FIELDS))
    body |= {name: after for name, (_, after) in own.items()}
    fields = _differences(actual.custom_fields, desired.custom_fields)
    body |= _custom_fields({name: after for name, (_, after) in fields.items() if after is not None})
    changes |= own | fields
    if changes and with_persons:
        others = [_kept(person) for person in actual.persons if person is not primary]
        body["contact_persons"] = [{**_kept(primary), **wanted, "is_primary_contact": True}, *others]
    if desired.active is not None and desired.active != actual.active:
        changes["status"] = _status(actual.active), _status(desired.active)
    return Writes(
        update=body or None,
        activate=desired.active is True and not actual.active,
        deactivate=actual.active and desired.active is False,
        changes=changes,
    )


def address_alone(desired: DesiredContact, actual: ActualContact) -> DesiredContact:
    """The contact as it is, but for its address, which is as wanted."""
    unknown: dict[str, Any] = dict.fromkeys(DesiredContact.model_fields.keys() - {"contact_type", "email"})
    return desired.model_copy(update={**unknown, "custom_fields": {}, "active": actual.active})


def identifier_given_up(desired: DesiredContact, actual: ActualContact, field: str) -> DesiredContact:
    """The contact as it is, with the field that contacts are matched by empty."""
    return address_alone(desired, actual).model_copy(update={"email": None, "custom_fields": {field: ""}})


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> Changes:
    """Of what is wanted; Zoho keeps no surrounding spaces."""
    return {
        name: (before.get(name), value)
        for name, value in after.items()
        if before.get(name, "").strip() != value.strip()
    }


def _new_name(desired: DesiredContact, actual: ActualContact, primary: ContactPerson, employee: str) -> str | None:
    """The display name that the contact is to get, None where it stays."""
    if desired.contact_name:
        names = _names_of(desired, employee)
        return None if actual.contact_name in names else names[0]
    first = primary.first_name if desired.first_name is None else desired.first_name
    last = primary.last_name if desired.last_name is None else desired.last_name
    old_names = display_names(primary.first_name, primary.last_name, employee)
    new_names = display_names(first, last, employee)
    if actual.contact_name not in old_names or actual.contact_name in new_names:
        return None
    return new_names[old_names.index(actual.contact_name) if len(new_names) > 1 else 0]


def not_kept(
    desired: DesiredContact, before: ActualContact | None, after: ActualContact, employee: str
) -> tuple[str, ...]:
    """Names of the fields that were sent with a value and are empty now, or still show what they did before.

    Zoho may drop a field silently (seen live), such as a custom field that somebody has deleted. A value in a form of
    Zoho's own was kept. before: None of a new contact.
    """
    now = writes(desired, after, employee).changes
    then = writes(desired, before, employee).changes if now and before is not None else {}
    return tuple(sorted(name for name, change in now.items() if name != "status" and _is_lost(change, then.get(name))))


def _is_lost(change: Change, before: Change | None) -> bool:
    """change: what is shown, and what was sent."""
    shown, sent = (squeezed(text or "") for text in change)
    if not shown:
        return bool(sent)
    cut = len(shown) >= PERSON_FIELD_MAX and sent.startswith(shown)
    return change == before and shown not in (sent, f"http{sent}", f"https{sent}") and not cut


def squeezed(text: str) -> str:
    """Its letters and digits, all that is sure to stay in another's form of a value. Empty for what stands for none."""
    found = "".join(character for character in unescape(text).casefold() if character.isalnum())
    return "" if found in ("false", "null") or not found.strip("0") else found


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
    names = _choices(desired.contact_name, employee) if desired.contact_name else display_names(first, last, employee)
    return {**body, "contact_name": names[-1]}


def _known(desired: DesiredContact, fields: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name in fields if (value := getattr(desired, name)) is not None}


def _kept(person: ContactPerson) -> dict[str, Any]:
    kept = {name: person.raw[name] for name in WRITABLE if person.raw.get(name)}
    return {**({"contact_person_id": person.contact_person_id} if person.contact_person_id else {}), **kept}


def _custom_fields(fields: dict[str, str]) -> dict[str, Any]:
    return {"custom_fields": [{"api_name": name, "value": value} for name, value in fields.items()]} if fields else {}


def _status(active: bool) -> str:
    return "active" if active else "inactive"
