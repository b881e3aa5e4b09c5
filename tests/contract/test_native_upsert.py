"""Zoho Books' native upsert: the sandbox as documented, and the client against it. Where that is left open, both."""

from __future__ import annotations

from typing import Any

import pytest

from stream.clock import SystemClock
from stream.core.contact import body_to_create
from stream.core.mapping import desired_contact
from stream.errors import NotFound, RecordRefused
from stream.records import Mapping
from stream.sandbox.zoho import ZohoSandbox
from stream.sandbox.zoho.custom_fields import CustomField
from stream.sandbox.zoho.quirks import ZohoQuirks
from tests.contract.zoho_caller import Caller, client, running_sandbox
from tests.contract.zoho_caller import person as zoho_person
from tests.small_world import person

FIELD = "cf_employee_id"


async def put(zoho: Caller, body: dict[str, Any], key: str = FIELD, value: str = "7", upsert: bool = False) -> Any:
    headers = {"X-Unique-Identifier-Key": key, "X-Unique-Identifier-Value": value}
    headers |= {"X-Upsert": "true"} if upsert else {}
    headers |= {"Authorization": f"Zoho-oauthtoken {zoho.token}"}
    return await zoho.call("PUT", "/contacts", body, headers=headers)


async def defined(zoho: Caller, **field: Any) -> None:
    answer = await zoho.control("POST", "fields", {"api_name": FIELD, "label": "Employee id", **field})
    assert answer.status == 200, answer.body


@pytest.mark.parametrize("created", [201, 200])
@pytest.mark.parametrize("header", ["fills the field", "only finds"])
async def test_an_upsert_makes_one_contact_and_updates_it_from_then_on(created: Any, header: Any) -> None:
    async with running_sandbox(quirks=ZohoQuirks(upsert_created=created, upsert_header=header)) as zoho:
        await defined(zoho, unique=True)
        body = {"contact_name": "Ada", "contact_persons": [zoho_person("ada@example.test"), zoho_person("b@c.test")]}
        ours = {**body, "custom_fields": [{"api_name": FIELD, "value": "7"}]}
        first = await put(zoho, ours, upsert=True)
        assert first.outcome == (created, 0)
        again = await put(zoho, {"contact_persons": [zoho_person("new@example.test")]}, upsert=True)
        assert again.outcome == (200, 0)
        assert again.body["contact"]["contact_id"] == first.body["contact"]["contact_id"]
        assert len(again.body["contact"]["contact_persons"]) == 1, "persons that are left out are removed"
        other = await put(zoho, body, value="8", upsert=True)
        filled = other.body["contact"]["custom_field_hash"].get(FIELD)
        assert filled == ("8" if header == "fills the field" else None)


@pytest.mark.parametrize("no_match", [404, 400])
async def test_without_the_wish_to_create_nobody_is_made_and_a_key_that_is_not_unique_is_refused(no_match: Any) -> None:
    async with running_sandbox(quirks=ZohoQuirks(upsert_no_match=no_match)) as zoho:
        await defined(zoho, unique=True)
        await zoho.control("POST", "fields", {"api_name": "cf_team", "label": "Team"})
        assert (await put(zoho, {"contact_name": "Ada"})).status == no_match
        for key, value in (("cf_team", "7"), ("cf_nothing", "7"), ("contact_name", "Ada"), ("", "7"), (FIELD, "")):
            answer = await put(zoho, {"contact_name": "Ada"}, key=key, value=value, upsert=True)
            assert answer.outcome == (400, 2)
        assert (await put(zoho, {}, upsert=True)).status == 400, "a contact without a name"
        assert await zoho.names() == []


@pytest.mark.parametrize(
    "body", [[], {}, {"api_name": "team", "label": "x"}, {"api_name": "cf_a", "label": "A", "unique": "yes"}]
)
async def test_a_definition_that_makes_no_sense_is_refused(body: Any) -> None:
    async with running_sandbox() as zoho:
        assert (await zoho.control("POST", "fields", body)).status == 400
        await defined(zoho, unique=True)
        (listed,) = (await zoho.control("GET", "fields")).body["fields"]
        assert (listed["api_name"], listed["is_unique"]) == (FIELD, True)


@pytest.mark.parametrize("no_match", [404, 400])
@pytest.mark.parametrize("created", [201, 200])
async def test_the_client_finds_makes_and_finds_again(no_match: Any, created: Any, tmp_path: Any) -> None:
    zoho = ZohoSandbox(
        clock=SystemClock(), quirks=ZohoQuirks(upsert_no_match=no_match, upsert_created=created, unknown_id_code=1002)
    )
    zoho.organization.define_custom_field(CustomField(FIELD, "Employee id", unique=True))
    await zoho.start()
    try:
        async with client(zoho, tmp_path) as books:
            with pytest.raises((RecordRefused, NotFound)):
                await books.with_field(FIELD, "7")
            desired = desired_contact(person(id="7"), Mapping(match=FIELD), active=True)
            made = await books.upsert(FIELD, "7", body_to_create(desired, "7"))
            assert made.custom_fields == {FIELD: "7"}
            found = await books.with_field(FIELD, "7")
            assert (found.contact_id, found.persons) == (made.contact_id, made.persons)
            again = await books.upsert(FIELD, "7", body_to_create(desired, "7"))
            assert again.contact_id == made.contact_id
            with pytest.raises(RecordRefused):
                await books.upsert("cf_nothing", "7", body_to_create(desired, "7"))
        assert len(zoho.organization.contacts) == 1
    finally:
        await zoho.stop()
