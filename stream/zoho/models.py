"""Zoho Books' answers -> the core's types. Tolerant where Zoho's answers are known to vary, strict about ids: 18-19
digits that are text, since a float would make another contact of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from stream.core.contact import CONTACT_FIELDS, WRITABLE, ActualContact, ContactPerson, ContactRow
from stream.core.day import DailyBudget
from stream.core.schemas import CustomField
from stream.core.targets import is_custom
from stream.records import ContactId


class Unreadable(ValueError):
    """An answer that says success and does not hold what it must."""


@dataclass(frozen=True)
class Organization:
    """One of the organizations that the credentials reach."""

    organization_id: str
    name: str
    active: bool
    plan_name: str
    time_zone: str


@dataclass(frozen=True)
class Page:
    """Some rows of the contact list. more: there are further pages.

    newest_by: by what Zoho says that it sorts them, the greatest first; None where it says something else or nothing.
    """

    rows: tuple[ContactRow, ...]
    more: bool
    newest_by: str | None


def budget_in(headers: Mapping[str, str]) -> DailyBudget | None:
    """The X-Rate-Limit headers. None when an answer does not carry all three; Zoho does not always send them.

    As seen live they speak of the day, to midnight where the organization is; of whatever time they do, Reset says when
    it ends.
    """
    texts = [headers.get(f"x-rate-limit-{name}", "").strip() for name in ("limit", "remaining", "reset")]
    return DailyBudget(*map(int, texts)) if all(t.isascii() and t.isdigit() and len(t) < 10 for t in texts) else None


def contact(raw: object) -> ActualContact:
    """A contact in full. Raises Unreadable.

    Whether the fields at the top mirror the primary person, and whether that person is always in the list, is not
    documented: where the contact names a primary person that the list lacks, it is made from those fields. Where none
    is named the first one is it.
    """
    found = _object(raw)
    primary_id = _id(found["primary_contact_id"]) if found.get("primary_contact_id") else ""
    rows = [_object(row) for row in _list(found.get("contact_persons"))]
    flagged = any(row.get("is_primary_contact") is True for row in rows)
    persons = [_person(row, primary_id="" if flagged else primary_id) for row in rows]
    if primary_id and not any(person.is_primary for person in persons):
        mirrored = {name: found[name] for name in WRITABLE if name in found}
        persons.insert(0, _person({"contact_person_id": primary_id, **mirrored}, primary_id=primary_id))
    if persons and not any(person.is_primary for person in persons):
        persons[0] = replace(persons[0], is_primary=True)
    return ActualContact(
        contact_id=ContactId(_id(found.get("contact_id"))),
        contact_name=_text(found.get("contact_name")),
        contact_type=_text(found.get("contact_type")),
        active=_active(found),
        persons=tuple(persons),
        custom_fields=_custom_fields(found),
        last_modified_time=_text(found.get("last_modified_time")),
        own={name: _text(found.get(name)) for name in CONTACT_FIELDS},
    )


def contact_row(raw: object) -> ContactRow:
    """A row of the list. Raises Unreadable."""
    found = _object(raw)
    return ContactRow(
        contact_id=ContactId(_id(found.get("contact_id"))),
        contact_name=_text(found.get("contact_name")),
        contact_type=_text(found.get("contact_type")),
        active=_active(found),
        email=_text(found.get("email")),
        created_time=_text(found.get("created_time")),
        last_modified_time=_text(found.get("last_modified_time")),
        custom_fields={name: text for name, value in found.items() if is_custom(name) and (text := _text(value))},
    )


def page(body: Mapping[str, Any]) -> Page:
    """A page of contacts. Raises Unreadable."""
    if "contacts" not in body:
        raise Unreadable("contacts")
    told = body.get("page_context")
    context: dict[str, Any] = told if isinstance(told, dict) else {}
    column, order = _text(context.get("sort_column")), _text(context.get("sort_order"))
    return Page(
        rows=tuple(contact_row(row) for row in _list(body["contacts"])),
        more=context.get("has_more_page") is True,
        newest_by=column if order[:1].upper() == "D" else None,
    )


def organization(raw: object) -> Organization:
    """One row of the list of organizations. Raises Unreadable."""
    found = _object(raw)
    return Organization(
        organization_id=_id(found.get("organization_id")),
        name=_text(found.get("name")),
        active=found.get("is_org_active") is not False,
        plan_name=_text(found.get("plan_name")),
        time_zone=_text(found.get("time_zone")),
    )


def custom_field(raw: object) -> CustomField:
    """One row of the list of fields. Raises Unreadable.

    Whether Zoho tells there that a field takes each value once, and how, is not documented: where it does not, None.
    """
    found = _object(raw)
    told = next((found[name] for name in ("is_unique", "unique") if isinstance(found.get(name), bool)), None)
    options = [_object(one) for one in _list(found.get("values"))]
    return CustomField(
        api_name=_text(found.get("api_name")),
        data_type=_text(found.get("data_type")),
        options=tuple(_text(one.get("name")) for one in options if one.get("is_active") is not False),
        unique=told,
    )


def moment(text: str) -> datetime | None:
    """A time as Zoho writes it (`2026-01-09T13:16:32-0400`), in UTC; None where it is missing, or has no zone."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _person(row: Mapping[str, Any], *, primary_id: str) -> ContactPerson:
    person_id = _id(row["contact_person_id"]) if row.get("contact_person_id") else ""
    return ContactPerson(
        contact_person_id=person_id,
        is_primary=row.get("is_primary_contact") is True or (bool(primary_id) and person_id == primary_id),
        first_name=_text(row.get("first_name")),
        last_name=_text(row.get("last_name")),
        email=_text(row.get("email")),
        designation=_text(row.get("designation")),
        department=_text(row.get("department")),
        phone=_text(row.get("phone")),
        mobile=_text(row.get("mobile")),
        raw=dict(row),
    )


def _custom_fields(found: Mapping[str, Any]) -> dict[str, str]:
    """By api name, from the list of fields, and from the hash where the list does not name them."""
    hashed = found.get("custom_field_hash")
    fields = {name: _text(value) for name, value in hashed.items()} if isinstance(hashed, dict) else {}
    for entry in _list(found.get("custom_fields")):
        if name := _text(_object(entry).get("api_name")):
            fields[name] = _text(entry.get("value"))
    return fields


def _active(found: Mapping[str, Any]) -> bool:
    return _text(found.get("status")).strip().lower() != "inactive"


def _id(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise Unreadable("id")
    return value.strip()


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable("object")
    return value


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unreadable("list")
    return value
