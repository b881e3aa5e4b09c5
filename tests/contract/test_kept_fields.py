"""The lane against the Zoho sandbox where fields are dropped, or an update removes the persons that it leaves out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from stream.clock import SystemClock
from stream.core import folds
from stream.core.mapping import desired_contact
from stream.core.rows import ContactState
from stream.patience import Patience
from stream.records import ContactId, ContactKey, EmployeeId, LogPosition, Mapping, Source, SyncOutcome
from stream.sandbox.zoho import ZohoSandbox
from stream.sandbox.zoho.custom_fields import CustomField
from stream.sandbox.zoho.quirks import ZohoQuirks
from stream.zoho.client import ZohoBooks
from stream.zoho.index import ContactIndex
from tests.contract.zoho_caller import client
from tests.small_world import OUTCOMES, at, keep_contacts, person

CENTRE = Mapping(fields={"cf_centre": Source(field="location")})
KEY = ContactKey("1")


class OneContact:
    """Of one employee, kept by the lane."""

    def __init__(self, zoho: ZohoSandbox, books: ZohoBooks, mapping: Mapping) -> None:
        self.zoho = zoho
        self.index = ContactIndex(books, SystemClock(), field=mapping.match)
        self.outcomes: list[SyncOutcome] = []
        self.state: ContactState | None = None
        self._books = books
        self._mapping = mapping

    async def wish(self, **fields: str) -> None:
        """The employee is so from now on, and the lane pays for it."""
        mapping = self._mapping
        before = self.state or ContactState(employee=EmployeeId("1"), desired=desired_contact({}, mapping, active=True))
        desired = desired_contact(person(**fields), mapping, active=True)
        wanted = before.debt.wanted + 1
        self.state = before.model_copy(update={"desired": desired, "debt": before.debt.want(wanted)})
        work = keep_contacts(
            self._books, lambda _: self.state, self.append, SystemClock(), mapping=mapping, index=self.index
        )
        work.look(KEY)
        await work.pay(KEY)

    async def append(self, outcome: Any) -> LogPosition:
        position = at(OUTCOMES, len(self.outcomes))
        self.outcomes.append(outcome)
        assert self.state is not None
        self.state = folds.learn(self.state, outcome, position)
        return position

    @property
    def shown(self) -> dict[str, Any]:
        (contact,) = self.zoho.organization.contacts.values()
        return self.zoho.organization.answers.contact(contact)


@asynccontextmanager
async def one_contact(tmp_path: Path, mapping: Mapping = CENTRE, **quirks: Any) -> AsyncIterator[OneContact]:
    zoho = ZohoSandbox(clock=SystemClock(), quirks=ZohoQuirks(**quirks))
    zoho.organization.define_custom_field(CustomField("cf_centre", "Cost centre"))
    zoho.organization.define_custom_field(CustomField("cf_id", "Employee", unique=True))
    await zoho.start()
    try:
        async with client(zoho, tmp_path) as books:
            yield OneContact(zoho, books, mapping)
    finally:
        await zoho.stop()


@pytest.mark.parametrize("omitted_persons", ["unchanged", "cleared"])
async def test_an_update_of_one_field_keeps_every_person(omitted_persons: Any, tmp_path: Path) -> None:
    async with one_contact(tmp_path, omitted_persons=omitted_persons) as one:
        await one.wish(location="Sofia")
        contact = ContactId(one.shown["contact_id"])
        persons = [*one.shown["contact_persons"], {"first_name": "Desk", "email": "desk@acme.test"}]
        one.zoho.organization.update(contact, {"contact_persons": persons})
        await one.wish(location="Oslo")
        assert one.shown["custom_field_hash"] == {"cf_centre": "Oslo"}
        assert [entry["email"] for entry in one.shown["contact_persons"]] == ["ada@acme.test", "desk@acme.test"]


@pytest.mark.parametrize("omitted_persons", ["unchanged", "cleared"])
async def test_a_load_that_finds_contacts_by_their_ids_keeps_every_person(omitted_persons: Any, tmp_path: Path) -> None:
    async with one_contact(tmp_path, Mapping(match="cf_id"), omitted_persons=omitted_persons) as one:
        persons = [
            {"first_name": "Ada", "email": "old@acme.test", "is_primary_contact": True},
            {"first_name": "Desk", "email": "desk@acme.test"},
        ]
        held = [{"api_name": "cf_id", "value": "1"}]
        one.zoho.organization.create({"contact_name": "Ada", "contact_persons": persons, "custom_fields": held})
        await one.index.fill(Patience())
        await one.wish(id="1")
        assert one.outcomes[-1].action == "updated"
        assert [entry["email"] for entry in one.shown["contact_persons"]] == ["ada@acme.test", "desk@acme.test"]


async def test_a_field_that_was_deleted_is_noticed_and_written_once_it_is_there_again(tmp_path: Path) -> None:
    async with one_contact(tmp_path) as one:
        await one.wish(location="Sofia")
        one.zoho.organization.custom_fields.remove("cf_centre")
        await one.wish(location="Oslo", jobTitle="Lead")
        assert [outcome.action for outcome in one.outcomes[-3:]] == ["attempting", "updated", "failed"]
        assert one.outcomes[-1].error == "NotKept"
        assert one.shown["designation"] == "Lead"
        one.zoho.organization.define_custom_field(CustomField("cf_centre", "Cost centre"))
        assert one.shown["custom_field_hash"] == {}
        await one.wish(location="Oslo", jobTitle="Lead")
        assert one.outcomes[-1].action == "updated"
        assert one.shown["custom_field_hash"] == {"cf_centre": "Oslo"}
