"""Zoho Books' contacts in memory, as strict as the real ones where it matters to the lane: an update removes the
persons that it leaves out, and all of them where it names none, a name may be allowed once, nothing keeps two contacts
from showing one address, and what was just created is not found for a while. Writes can be told to fail, before or
after they were applied.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from stream.core import contact as fields_of_contacts
from stream.core.contact import CONTACT_FIELDS, ActualContact, ContactPerson, ContactRow, email_key
from stream.core.schemas import CustomField
from stream.errors import AnswerLost, CredentialsRefused, NotFound, RateLimited, RecordRefused, Unavailable
from stream.records import ContactId
from stream.zoho.errors import NameTaken
from stream.zoho.models import Page
from tests.fake_clock import FakeClock

Fault = Literal["applied and lost", "applied late", "lost", "down", "limited", "refused", "no access"]
LATE_S = 20.0
"""After which a create that is applied late is there."""
PERSON_FIELDS = (*fields_of_contacts.PERSON_FIELDS, "salutation")


@dataclass
class StoredContact:
    """persons: contact_person_id -> fields; the first one is the primary person."""

    contact_id: ContactId
    name: str
    contact_type: str
    active: bool
    created: datetime
    persons: dict[str, dict[str, str]]
    custom_fields: dict[str, str] = field(default_factory=dict)
    modified: datetime | None = None
    own: dict[str, str] = field(default_factory=dict)

    @property
    def email(self) -> str:
        return next(iter(self.persons.values()), {}).get("email", "")


class MemoryZoho:
    """fault: asked before each write. hidden_for: seconds until a new contact is found. pause: awaited in each call.

    sorts: whether lists are sorted by the time of change where that is asked for. drops: fields that no write changes.
    terse: what the answers to writes leave out, of "contact_persons" and "custom_fields".
    """

    def __init__(
        self,
        clock: FakeClock,
        *,
        fault: Callable[[], Fault | None] = lambda: None,
        hidden_for: float = 0.0,
        names_once: bool = False,
        minds_case: bool = False,
        drops: tuple[str, ...] = (),
        terse: tuple[str, ...] = (),
        sorts: bool = True,
        pause: Callable[[], Any] | None = None,
    ) -> None:
        self.clock = clock
        self.fault = fault
        self.hidden_for = hidden_for
        self.names_once = names_once
        self.minds_case = minds_case
        self.drops = drops
        self.terse = terse
        self.sorts = sorts
        self.pause = pause
        self.contacts: dict[ContactId, StoredContact] = {}
        self.defined: list[CustomField] | None = None
        """None: the organization does not list its custom fields."""
        self.lists_custom_fields = True
        self.calls: list[str] = []
        self._ids = 0

    # -- what a test does by hand -------------------------------------------------------------------------------------

    def add(self, email: str, *, contact_type: str = "vendor", active: bool = True, **fields: str) -> StoredContact:
        """A contact that was there before us."""
        contact = StoredContact(
            self._id(), f"By hand {self._ids}", contact_type, active, self.clock.now(), {self._id(): {"email": email}}
        )
        next(iter(contact.persons.values())).update(fields)
        self.contacts[contact.contact_id] = contact
        return contact

    def showing(self, email: str) -> list[StoredContact]:
        return [contact for contact in self.contacts.values() if email_key(contact.email) == email_key(email)]

    def count(self, *operations: str) -> int:
        return sum(self.calls.count(operation) for operation in operations)

    @property
    def writes(self) -> int:
        return self.count("create", "upsert", "update", "activate", "deactivate")

    # -- what the lane asks -------------------------------------------------------------------------------------------

    async def find_by_email(self, email: str) -> list[ContactRow]:
        await self._begin("find")
        same: Callable[[str], bool] = (
            (lambda other: other == email) if self.minds_case else lambda other: email_key(other) == email_key(email)
        )
        return [self._row(contact) for contact in self._visible() if same(contact.email)]

    async def newest(self, until: datetime, *, email: str) -> list[ContactRow]:
        await self._begin("newest")
        found = [c for c in self._visible() if c.created >= until and email_key(c.email) == email_key(email)]
        return [self._row(contact) for contact in reversed(found)]

    async def listed(self, number: int, per_page: int) -> Page:
        await self._begin("listed")
        rows = [self._row(contact) for contact in self._visible()]
        first = (number - 1) * per_page
        return Page(tuple(rows[first : first + per_page]), len(rows) > first + per_page, None)

    async def modified_since(self, since: datetime) -> tuple[ContactRow, ...] | None:
        await self._begin("modified")
        if not self.sorts:
            return None
        found = sorted((_modified(contact), contact.contact_id) for contact in self._visible())
        floor = since.replace(microsecond=0)
        return tuple(self._row(self.contacts[known]) for moment, known in reversed(found) if moment >= floor)

    async def contact(self, contact: ContactId) -> ActualContact:
        await self._begin("contact")
        return self._shown(self._stored(contact))

    async def create(self, body: dict[str, Any], *, operation: str = "create") -> ActualContact:
        lost = await self._begin_write(operation)
        created = self.clock.now() + timedelta(seconds=LATE_S if lost == "applied late" else 0.0)
        assert body["contact_name"].strip()
        assert len(body["contact_name"]) <= 200
        assert body["contact_type"] in ("vendor", "customer")
        self._check_name(body["contact_name"], None)
        contact = StoredContact(
            self._id(),
            body["contact_name"],
            body["contact_type"],
            True,
            created,
            {},
            self._custom(body),
            self._own(body),
        )
        self._put_persons(contact, body["contact_persons"])
        self.contacts[contact.contact_id] = contact
        self._end_write(lost)
        return self._answer(contact)

    async def with_field(self, name: str, value: str) -> ActualContact:
        await self._begin("match")
        if (stored := self._holder(name, value)) is None:
            raise RecordRefused("nobody", status=400)
        stored.modified = self.clock.now()
        return self._shown(stored)

    async def upsert(self, name: str, value: str, body: dict[str, Any]) -> ActualContact:
        assert {"api_name": name, "value": value} in body["custom_fields"]
        if (stored := self._holder(name, value)) is None:
            return await self.create(body, operation="upsert")
        lost = await self._begin_write("upsert")
        stored.name = body["contact_name"]
        self._put_persons(stored, body["contact_persons"])
        self._end_write(lost)
        return self._answer(stored)

    async def custom_fields(self) -> list[CustomField]:
        await self._begin("fields")
        if self.defined is None:
            raise RecordRefused("no list")
        return self.defined

    async def update(self, contact: ContactId, body: dict[str, Any]) -> ActualContact:
        lost = await self._begin_write("update")
        stored = self._stored(contact)
        assert body, "an update that changes nothing"
        if "contact_name" in body:
            self._check_name(body["contact_name"], contact)
            stored.name = body["contact_name"]
        custom = self._custom(body)
        for one in self.defined or ():
            holder = self._holder(one.api_name, custom.get(one.api_name, "")) if one.unique else None
            if holder is not None and holder is not stored:
                raise RecordRefused("the value is in use", status=400)
        stored.custom_fields |= custom
        stored.own |= self._own(body)
        self._put_persons(stored, body.get("contact_persons", []))
        stored.modified = self.clock.now()
        self._end_write(lost)
        return self._answer(stored)

    async def mark_active(self, contact: ContactId) -> None:
        lost = await self._begin_write("activate")
        self._mark(contact, active=True)
        self._end_write(lost)

    async def mark_inactive(self, contact: ContactId) -> None:
        lost = await self._begin_write("deactivate")
        self._mark(contact, active=False)
        self._end_write(lost)

    # -- how it is done -----------------------------------------------------------------------------------------------

    async def _begin(self, operation: str) -> None:
        if self.pause is not None:
            await self.pause()
        self.calls.append(operation)

    async def _begin_write(self, operation: str) -> Fault | None:
        await self._begin(operation)
        match self.fault():
            case "lost":
                raise AnswerLost("lost")
            case "down":
                raise Unavailable("down")
            case "limited":
                raise RateLimited("limited", retry_after=5.0)
            case "refused":
                raise RecordRefused("refused", status=400)
            case "no access":
                raise CredentialsRefused("no access")
            case fault:
                return fault

    def _end_write(self, fault: Fault | None) -> None:
        if fault is not None:
            raise AnswerLost("lost")

    def _mark(self, contact: ContactId, *, active: bool) -> None:
        stored = self._stored(contact)
        stored.active, stored.modified = active, self.clock.now()

    def _holder(self, name: str, value: str) -> StoredContact | None:
        """Whoever has the value, also one that lists do not show yet: the field is unique in the database itself."""
        now = self.clock.now()
        found = [c for c in self.contacts.values() if value and c.custom_fields.get(name) == value and c.created <= now]
        assert len(found) <= 1, "a unique field"
        return found[0] if found else None

    def _stored(self, contact: ContactId) -> StoredContact:
        if contact not in self.contacts:
            raise NotFound("no such contact", status=404)
        return self.contacts[contact]

    def _visible(self) -> list[StoredContact]:
        seen = self.clock.now() - timedelta(seconds=self.hidden_for)
        return [contact for contact in self.contacts.values() if contact.created <= seen]

    def _check_name(self, name: str, own: ContactId | None) -> None:
        if self.names_once and any(c.name == name and c.contact_id != own for c in self.contacts.values()):
            raise NameTaken("name taken", status=400)

    def _put_persons(self, contact: StoredContact, persons: list[dict[str, Any]]) -> None:
        assert sum(bool(person.get("is_primary_contact")) for person in persons) == (1 if persons else 0)
        kept: dict[str, dict[str, str]] = {}
        for person in sorted(persons, key=lambda person: not person.get("is_primary_contact")):
            known = person.get("contact_person_id")
            assert known is None or known in contact.persons, "a person of another contact"
            before = contact.persons.get(known, {}) if known else {}
            sent = {name: value for name, value in person.items() if name in PERSON_FIELDS and name not in self.drops}
            kept[known or self._id()] = {**before, **sent}
        contact.persons = kept

    def _custom(self, body: dict[str, Any]) -> dict[str, str]:
        sent = {entry["api_name"]: entry["value"] for entry in body.get("custom_fields", ())}
        return {name: value for name, value in sent.items() if name not in self.drops}

    def _own(self, body: dict[str, Any]) -> dict[str, str]:
        return {name: body[name] for name in CONTACT_FIELDS if name in body and name not in self.drops}

    def _id(self) -> ContactId:
        self._ids += 1
        return ContactId(f"4600000000{self._ids:08}")

    def _row(self, stored: StoredContact) -> ContactRow:
        return ContactRow(
            stored.contact_id,
            stored.name,
            stored.contact_type,
            stored.active,
            stored.email,
            stored.created.isoformat(),
            _modified(stored).isoformat(),
            dict(stored.custom_fields) if self.lists_custom_fields else {},
        )

    def _answer(self, stored: StoredContact) -> ActualContact:
        """To a write."""
        shown = self._shown(stored)
        return replace(
            shown,
            persons=() if "contact_persons" in self.terse else shown.persons,
            custom_fields={} if "custom_fields" in self.terse else shown.custom_fields,
        )

    def _shown(self, stored: StoredContact) -> ActualContact:
        persons = tuple(
            ContactPerson(
                person_id,
                is_primary=number == 0,
                **{name: fields.get(name, "") for name in fields_of_contacts.PERSON_FIELDS},
                raw={"contact_person_id": person_id, **deepcopy(fields)},
            )
            for number, (person_id, fields) in enumerate(stored.persons.items())
        )
        return ActualContact(
            stored.contact_id,
            stored.name,
            stored.contact_type,
            stored.active,
            persons,
            dict(stored.custom_fields),
            _modified(stored).isoformat(),
            own=dict(stored.own),
        )


def _modified(stored: StoredContact) -> datetime:
    return (stored.modified or stored.created).replace(microsecond=0)
