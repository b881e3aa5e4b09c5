"""The Zoho sandbox keeps the vendor's rules on contacts, both answers of every switch included."""

from __future__ import annotations

import json
from typing import Any, Literal

import aiohttp
import pytest

from stream.sandbox.zoho import CustomField, ZohoQuirks
from tests.contract.zoho_caller import person, running_sandbox


async def test_a_contact_needs_nothing_but_a_name_and_is_a_customer_then() -> None:
    async with running_sandbox() as zoho:
        contact = await zoho.create()
        assert (contact["contact_type"], contact["status"]) == ("customer", "active")
        assert (contact["contact_persons"], contact["primary_contact_id"], contact["email"]) == ([], "", "")
        assert contact["created_time"] == "2026-01-09T12:00:00-0500"
        assert (await zoho.call("POST", "/contacts", {"notes": "no name"})).outcome == (400, 2)
        assert (await zoho.call("POST", "/contacts", {"contact_name": "  "})).outcome == (400, 2)
        assert (await zoho.call("POST", "/contacts", {"contact_name": "A", "contact_type": "x"})).outcome == (400, 2)


async def test_ids_are_texts_that_floats_break() -> None:
    async with running_sandbox() as zoho:
        one, two = await zoho.create("One"), await zoho.create("Two")
        assert isinstance(one["contact_id"], str)
        assert 18 <= len(one["contact_id"]) <= 19
        assert int(float(one["contact_id"])) != int(one["contact_id"])
        assert one["contact_id"] < two["contact_id"]


@pytest.mark.parametrize(
    ("form", "outcome"),
    [
        ({"JSONString": json.dumps({"contact_name": "Ada"})}, (201, 0)),
        ({"contact_name": "Ada"}, (400, 1038)),
        ({"JSONString": "{"}, (400, 1038)),
        ({"JSONString": "[]"}, (400, 1038)),
        ("contact_name", (400, 1038)),
        (None, (400, 1038)),
    ],
)
async def test_a_body_is_json_or_the_form_field_jsonstring(form: Any, outcome: tuple[int, int]) -> None:
    async with running_sandbox() as zoho:
        assert (await zoho.call("POST", "/contacts", form=form)).outcome == outcome


async def test_jsonstring_may_come_in_parts_too() -> None:
    async with running_sandbox() as zoho:
        parts = aiohttp.FormData(default_to_multipart=True)
        parts.add_field("JSONString", json.dumps({"contact_name": "Ada"}))
        assert (await zoho.call("POST", "/contacts", form=parts)).outcome == (201, 0)


async def test_a_retried_create_makes_a_second_contact_unless_the_preference_is_off() -> None:
    async with running_sandbox() as zoho:
        first, second = await zoho.create(), await zoho.create()
        assert first["contact_id"] != second["contact_id"]
        assert await zoho.names(filter_by="Status.Duplicate") == ["Ada Moreno", "Ada Moreno"]
    async with running_sandbox(quirks=ZohoQuirks(duplicate_names="refused")) as zoho:
        contact = await zoho.create(contact_type="customer")
        other = await zoho.create("Somebody Else")
        again = {"contact_name": " ada moreno ", "contact_type": "vendor"}
        assert (await zoho.call("POST", "/contacts", again)).outcome == (400, 3062)
        assert (await zoho.call("PUT", f"/contacts/{other['contact_id']}", again)).outcome == (400, 3062)
        assert (await zoho.call("PUT", f"/contacts/{contact['contact_id']}", again)).outcome == (200, 0)


async def test_an_update_keeps_what_it_does_not_name_and_ignores_what_it_does_not_know() -> None:
    async with running_sandbox() as zoho:
        before = await zoho.create(company_name="Acme", contact_persons=[person("ada@example.test")])
        zoho.clock.advance(60)
        body = {"notes": "From HR", "status": "inactive", "billing_address": {"city": "Leeds"}, "colour": "red"}
        answer = await zoho.call("PUT", f"/contacts/{before['contact_id']}", body)
        assert answer.outcome == (200, 0)
        after = await zoho.get(before["contact_id"])
        assert after == answer.body["contact"]
        changed = {key for key, value in after.items() if value != before[key]}
        assert changed == {"notes", "billing_address", "last_modified_time"}
        assert after["last_modified_time"] == "2026-01-09T12:01:00-0500"


async def test_a_refused_update_changes_nothing() -> None:
    async with running_sandbox() as zoho:
        before = await zoho.create(contact_persons=[person("ada@example.test")])
        body = {"notes": "new", "contact_persons": [person("new@example.test"), person("no address")]}
        assert (await zoho.call("PUT", f"/contacts/{before['contact_id']}", body)).outcome == (400, 2)
        assert await zoho.get(before["contact_id"]) == before


async def test_an_update_removes_the_persons_it_leaves_out() -> None:
    async with running_sandbox() as zoho:
        persons = [person("a@example.test", phone="1"), person("b@example.test", is_primary_contact=True)]
        before = await zoho.create(contact_persons=persons)
        kept = before["contact_persons"][0]["contact_person_id"]
        new = [{"contact_person_id": kept, "department": "Operations"}, person("c@example.test")]
        await zoho.call("PUT", f"/contacts/{before['contact_id']}", {"contact_persons": new})
        after = await zoho.get(before["contact_id"])
        assert [one["email"] for one in after["contact_persons"]] == ["a@example.test", "c@example.test"]
        assert after["contact_persons"][0]["contact_person_id"] == kept
        assert (after["contact_persons"][0]["phone"], after["department"]) == ("1", "Operations")
        assert [one["is_primary_contact"] for one in after["contact_persons"]] == [True, False]
        gone = before["primary_contact_id"]
        update = {"contact_persons": [{"contact_person_id": gone}]}
        assert (await zoho.call("PUT", f"/contacts/{before['contact_id']}", update)).outcome == (404, 1002)
        await zoho.call("PUT", f"/contacts/{before['contact_id']}", {"contact_persons": []})
        assert (await zoho.get(before["contact_id"]))["contact_persons"] == []


@pytest.mark.parametrize(("omitted_persons", "left"), [("unchanged", 1), ("cleared", 0)])
async def test_an_update_without_the_key_leaves_or_clears_the_persons(omitted_persons: Any, left: int) -> None:
    async with running_sandbox(quirks=ZohoQuirks(omitted_persons=omitted_persons)) as zoho:
        contact = await zoho.create(contact_persons=[person("ada@example.test")])
        await zoho.call("PUT", f"/contacts/{contact['contact_id']}", {"notes": "x"})
        assert len((await zoho.get(contact["contact_id"]))["contact_persons"]) == left


async def test_the_contact_shows_its_primary_person_as_its_own() -> None:
    async with running_sandbox() as zoho:
        persons = [
            person("a@example.test"),
            person("b@example.test", first_name="Bo", designation="Engineer", is_primary_contact=True),
            person("c@example.test", is_primary_contact=True),
        ]
        contact = await zoho.create(contact_persons=persons)
        assert (contact["first_name"], contact["designation"]) == ("Bo", "Engineer")
        assert contact["email"] == "b@example.test"
        assert contact["primary_contact_id"] == contact["contact_persons"][1]["contact_person_id"]
        assert sum(one["is_primary_contact"] for one in contact["contact_persons"]) == 1


@pytest.mark.parametrize(("top_level_email", "taken"), [("ignored", False), ("taken", True)])
async def test_an_email_at_the_top_is_ignored_or_taken(top_level_email: Any, taken: bool) -> None:
    async with running_sandbox(quirks=ZohoQuirks(top_level_email=top_level_email)) as zoho:
        contact = await zoho.create(email="ada@example.test")
        assert bool(contact["contact_persons"]) is taken
        assert contact["email"] == ("ada@example.test" if taken else "")
        other = await zoho.create(contact_persons=[person("b@example.test")])
        answer = await zoho.call("PUT", f"/contacts/{other['contact_id']}", {"email": "new@example.test"})
        assert answer.body["contact"]["email"] == ("new@example.test" if taken else "b@example.test")
        assert len(answer.body["contact"]["contact_persons"]) == 1


@pytest.mark.parametrize(
    ("field", "length"), [("first_name", 100), ("email", 100), ("phone", 50), ("designation", 50), ("department", 50)]
)
async def test_a_value_that_is_too_long_is_refused_or_cut(field: str, length: int) -> None:
    longest = ("a@" + "b" * length)[:length]
    async with running_sandbox() as zoho:
        contact = await zoho.create(contact_persons=[person("a@example.test") | {field: longest}])
        assert contact[field] == longest
        body = {"contact_name": "Ada", "contact_persons": [person("a@example.test") | {field: longest + "c"}]}
        assert (await zoho.call("POST", "/contacts", body)).outcome == (400, 2)
    async with running_sandbox(quirks=ZohoQuirks(too_long="cut")) as zoho:
        contact = await zoho.create(contact_persons=[person("a@example.test") | {field: longest + "c"}])
        assert contact[field] == longest
        assert await zoho.names(email="a@" + "b" * 99) == (["Ada Moreno"] if field == "email" else [])


@pytest.mark.parametrize(("type_change", "shown"), [("applied", "vendor"), ("ignored", "customer")])
async def test_the_type_of_a_contact_changes_or_not(type_change: Any, shown: str) -> None:
    async with running_sandbox(quirks=ZohoQuirks(type_change=type_change)) as zoho:
        contact = await zoho.create()
        answer = await zoho.call("PUT", f"/contacts/{contact['contact_id']}", {"contact_type": "vendor"})
        assert answer.body["contact"]["contact_type"] == shown


async def test_custom_fields_are_named_in_four_ways_and_unknown_ones_dropped_without_a_word() -> None:
    async with running_sandbox() as zoho:
        define = zoho.sandbox.organization.define_custom_field
        number = define(CustomField("cf_number", "Number"))
        define(CustomField("cf_start", "Start"))
        define(CustomField("cf_office", "Office", "dropdown", options=("Leeds", "York")))
        define(CustomField("cf_team", "Team"))
        given = [
            {"customfield_id": number.customfield_id, "value": "1042"},
            {"index": 2, "value": "2026-01-01"},
            {"label": "Office", "value": "Leeds"},
            {"api_name": "cf_team", "value": "Blue"},
            {"api_name": "cf_teem", "value": "dropped"},
        ]
        contact = await zoho.create(custom_fields=given)
        expected = {"cf_number": "1042", "cf_start": "2026-01-01", "cf_office": "Leeds", "cf_team": "Blue"}
        assert contact["custom_field_hash"] == expected
        assert [(one["index"], one["label"]) for one in contact["custom_fields"]][2] == (3, "Office")
        change = {"custom_fields": [{"api_name": "cf_team", "value": ""}, {"api_name": "cf_number", "value": "7"}]}
        await zoho.call("PUT", f"/contacts/{contact['contact_id']}", change)
        (row,) = (await zoho.call("GET", "/contacts")).body["contacts"]
        assert row["custom_field_hash"] == {"cf_number": "7", "cf_start": "2026-01-01", "cf_office": "Leeds"}
        assert row["cf_number"] == "7"
        near_miss = {"contact_name": "B", "custom_fields": [{"label": "Office", "value": "leeds"}]}
        assert (await zoho.call("POST", "/contacts", near_miss)).outcome == (400, 2)


@pytest.mark.parametrize("told", ["told", "not told"])
async def test_the_custom_fields_of_contacts_are_listed_with_their_options(told: Literal["told", "not told"]) -> None:
    async with running_sandbox(quirks=ZohoQuirks(unique_fields=told)) as zoho:
        define = zoho.sandbox.organization.define_custom_field
        define(CustomField("cf_office", "Office", "dropdown", options=("Leeds", "York")))
        define(CustomField("cf_number", "Number", unique=True))
        answer = await zoho.call("GET", "/settings/fields", query={"entity": "contact"})
        assert answer.outcome == (200, 0)
        office, number = answer.body["fields"]
        assert [option["name"] for option in office["values"]] == ["Leeds", "York"]
        assert (number["api_name"], number["data_type"]) == ("cf_number", "string")
        assert number.get("is_unique") is (True if told == "told" else None)
        assert (await zoho.call("GET", "/settings/fields")).outcome == (400, 2)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"), [("date", "2026-02-28", "2026-02-30"), ("date", "", "1 May"), ("number", "7", "seven")]
)
async def test_a_value_of_another_type_is_refused(kind: str, right: str, wrong: str) -> None:
    async with running_sandbox() as zoho:
        zoho.sandbox.organization.define_custom_field(CustomField("cf_a", "A", kind))
        await zoho.create(custom_fields=[{"api_name": "cf_a", "value": right}])
        given = {"contact_name": "B", "custom_fields": [{"api_name": "cf_a", "value": wrong}]}
        assert (await zoho.call("POST", "/contacts", given)).outcome == (400, 2)


async def test_a_unique_custom_field_refuses_a_value_that_another_contact_holds() -> None:
    async with running_sandbox() as zoho:
        zoho.sandbox.organization.define_custom_field(CustomField("cf_number", "Number", unique=True))
        fields: dict[str, Any] = {"custom_fields": [{"api_name": "cf_number", "value": "1042"}]}
        contact = await zoho.create(**fields)
        assert (await zoho.call("POST", "/contacts", {"contact_name": "B", **fields})).outcome == (400, 2)
        assert (await zoho.call("PUT", f"/contacts/{contact['contact_id']}", fields)).outcome == (200, 0)
        await zoho.call("DELETE", f"/contacts/{contact['contact_id']}")
        await zoho.create("B", **fields)


async def test_inactive_contacts_stay_in_the_list() -> None:
    async with running_sandbox() as zoho:
        contact = await zoho.create(contact_persons=[person("ada@example.test")])
        path = f"/contacts/{contact['contact_id']}"
        assert (await zoho.call("POST", f"{path}/inactive")).outcome == (200, 0)
        answer = await zoho.call("GET", "/contacts", query={"email": "ada@example.test"})
        assert [row["status"] for row in answer.body["contacts"]] == ["inactive"]
        assert answer.body["page_context"]["applied_filter"] == "Status.All"
        assert await zoho.names(filter_by="Status.Active") == []
        assert await zoho.names(filter_by="Status.Inactive") == ["Ada Moreno"]
        assert (await zoho.call("POST", f"{path}/active")).outcome == (200, 0)
        assert (await zoho.get(contact["contact_id"]))["status"] == "active"


async def test_a_contact_with_transactions_cannot_be_deleted() -> None:
    async with running_sandbox() as zoho:
        kept, leaving = await zoho.create("Kept"), await zoho.create("Leaving")
        zoho.sandbox.organization.record_transaction(kept["contact_id"])
        both = {"contact_ids": f"{leaving['contact_id']},{kept['contact_id']}"}
        assert (await zoho.call("DELETE", "/contacts", query=both)).status == 400
        assert (await zoho.call("DELETE", f"/contacts/{kept['contact_id']}")).status == 400
        assert len(zoho.sandbox.organization.contacts) == 2
        assert (await zoho.call("DELETE", "/contacts", query={"contact_ids": leaving["contact_id"]})).outcome == (
            200,
            0,
        )
        assert await zoho.names() == ["Kept"]


@pytest.mark.parametrize("unknown_id_code", [5, 1002])
async def test_unknown_ids_and_urls_are_told_apart_by_code_alone(unknown_id_code: Any) -> None:
    async with running_sandbox(quirks=ZohoQuirks(unknown_id_code=unknown_id_code)) as zoho:
        contact = await zoho.create(contact_persons=[person("ada@example.test")])
        unknown = (404, unknown_id_code)
        assert (await zoho.call("GET", "/contacts/460000000000099999")).outcome == unknown
        assert (await zoho.call("POST", "/contacts/460000000000099999/inactive")).outcome == unknown
        assert (await zoho.call("GET", f"/contacts/{contact['primary_contact_id']}")).outcome == (404, 1002)
        assert (await zoho.call("GET", "/contacts/ada")).outcome == (404, 5)
        assert (await zoho.call("GET", "/nothing")).outcome == (404, 5)
        assert (await zoho.call("PATCH", "/contacts", {})).status == 405


async def test_the_list_pages_by_two_hundred_at_most_and_its_rows_have_no_persons() -> None:
    async with running_sandbox() as zoho:
        for number in range(201):
            zoho.sandbox.organization.create({"contact_name": f"P{number:03}"})
        answer = await zoho.call("GET", "/contacts", query={"per_page": "5000"})
        assert len(answer.body["contacts"]) == 200
        assert "contact_persons" not in answer.body["contacts"][0]
        context = answer.body["page_context"]
        assert (context["page"], context["per_page"], context["has_more_page"]) == (1, 200, True)
        last = await zoho.call("GET", "/contacts", query={"page": "2"})
        assert [row["contact_name"] for row in last.body["contacts"]] == ["P200"]
        assert last.body["page_context"]["has_more_page"] is False
        assert await zoho.names(page="9") == []
        assert (await zoho.call("GET", "/contacts", query={"page": "0"})).outcome == (400, 2)


async def test_the_list_sorts_by_name_unless_told_otherwise() -> None:
    async with running_sandbox() as zoho:
        for name in ("bo", "Cy", "Al"):
            zoho.clock.advance(1)
            created = await zoho.create(name)
        assert await zoho.names() == ["Al", "bo", "Cy"]
        assert await zoho.names(sort_column="created_time", sort_order="D") == ["Al", "Cy", "bo"]
        zoho.clock.advance(1)
        first = next(iter(zoho.sandbox.organization.contacts))
        await zoho.call("POST", f"/contacts/{first}/inactive")
        assert await zoho.names(sort_column="last_modified_time") == ["Cy", "Al", "bo"]
        await zoho.call("DELETE", f"/contacts/{created['contact_id']}")
        assert await zoho.names() == ["bo", "Cy"]
        assert (await zoho.call("GET", "/contacts", query={"sort_column": "shoe_size"})).outcome == (400, 2)


async def test_person_filters_look_at_the_primary_person_only() -> None:
    async with running_sandbox() as zoho:
        persons = [person("first@example.test", is_primary_contact=True), person("second@example.test")]
        contact = await zoho.create(contact_persons=persons)
        assert await zoho.names(email="first@example.test") == ["Ada Moreno"]
        assert await zoho.names(email="second@example.test") == []
        second = contact["contact_persons"][1]["contact_person_id"]
        await zoho.call("POST", f"/contacts/contactpersons/{second}/primary")
        assert await zoho.names(email="first@example.test") == []
        assert await zoho.names(email="second@example.test") == ["Ada Moreno"]


async def test_text_filters_have_variants_and_unknown_filters_are_ignored() -> None:
    async with running_sandbox() as zoho:
        await zoho.create("Ada Moreno", contact_type="vendor", contact_persons=[person("ada@example.test", phone="44")])
        await zoho.create("Bo", notes="likes ada", billing_address={"city": "Leeds"})
        assert await zoho.names(contact_name="ada moreno") == ["Ada Moreno"]
        assert await zoho.names(contact_name="Ada") == []
        assert await zoho.names(contact_name_startswith="Ada") == ["Ada Moreno"]
        assert await zoho.names(email_contains="@example") == ["Ada Moreno"]
        assert await zoho.names(address_contains="eed") == ["Bo"]
        assert await zoho.names(phone="44") == ["Ada Moreno"]
        assert await zoho.names(search_text="ada") == ["Ada Moreno", "Bo"]
        assert await zoho.names(contact_type="customer") == ["Bo"]
        assert await zoho.names(zcrm_contact_id="1") == []
        for ignored in ({"e_mail": "ada@example.test"}, {"email_equals": "x"}, {"contact_number": "7"}):
            assert await zoho.names(**ignored) == ["Ada Moreno", "Bo"]
        assert (await zoho.call("GET", "/contacts", query={"filter_by": "Status.Odd"})).outcome == (400, 2)


@pytest.mark.parametrize(("email_match", "found"), [("any case", ["Ada Moreno"]), ("exact case", [])])
async def test_an_email_is_found_in_any_case_or_in_its_own(email_match: Any, found: list[str]) -> None:
    async with running_sandbox(quirks=ZohoQuirks(email_match=email_match)) as zoho:
        await zoho.create(contact_persons=[person("Ada@Example.test")])
        assert await zoho.names(email="ada@example.test") == found
        assert await zoho.names(email_contains="ada@") == found
        assert await zoho.names(email="Ada@Example.test") == ["Ada Moreno"]


@pytest.mark.parametrize(("last_modified_filter", "found"), [("ignored", ["Old", "new"]), ("honoured", ["new"])])
async def test_the_modified_since_filter_is_ignored_or_honoured(last_modified_filter: Any, found: list[str]) -> None:
    async with running_sandbox(quirks=ZohoQuirks(last_modified_filter=last_modified_filter)) as zoho:
        await zoho.create("Old")
        zoho.clock.advance(60)
        await zoho.create("new")
        assert sorted(await zoho.names(last_modified_time="2026-01-09T17:01:00+0000")) == found
        if last_modified_filter == "honoured":
            query = {"last_modified_time": "2026-01-09T17:01:00 0000"}
            assert (await zoho.call("GET", "/contacts", query=query)).outcome == (400, 2)


async def test_contact_persons_have_calls_of_their_own() -> None:
    async with running_sandbox() as zoho:
        contact = await zoho.create()
        contact_id = contact["contact_id"]
        path = "/contacts/contactpersons"
        assert (await zoho.call("POST", path, {"contact_id": contact_id})).outcome == (400, 2)
        assert (await zoho.call("POST", path, {"first_name": "Ada"})).outcome == (400, 2)
        body = {"contact_id": contact_id, **person("ada@example.test")}
        created = await zoho.call("POST", path, body)
        assert created.outcome == (201, 0)
        (first,) = created.body["contact_person"]
        assert first["is_primary_contact"] is True
        second = (await zoho.call("POST", path, body | {"email": "b@example.test"})).body["contact_person"][0]
        one = f"{path}/{second['contact_person_id']}"
        assert (await zoho.call("PUT", one, {"department": "Sales"})).outcome == (400, 2)
        change = {"contact_id": contact_id, "first_name": "Ada", "department": "Sales"}
        assert (await zoho.call("PUT", one, change)).body["contact_person"][0]["email"] == "b@example.test"
        listed = await zoho.call("GET", f"/contacts/{contact_id}/contactpersons", query={"per_page": "1"})
        assert [row["email"] for row in listed.body["contact_persons"]] == ["ada@example.test"]
        assert listed.body["page_context"]["has_more_page"] is True
        got = await zoho.call("GET", f"/contacts/{contact_id}/contactpersons/{second['contact_person_id']}")
        assert got.body["contact_person"]["department"] == "Sales"
        assert (await zoho.call("DELETE", f"{path}/{first['contact_person_id']}")).outcome == (200, 0)
        assert (await zoho.get(contact_id))["primary_contact_id"] == second["contact_person_id"]
        assert (await zoho.call("GET", f"{path}/{first['contact_person_id']}")).outcome == (404, 5)


async def test_messages_vary_with_the_type_so_nobody_should_match_them() -> None:
    async with running_sandbox() as zoho:
        messages = set()
        for contact_type in ("customer", "vendor"):
            contact = await zoho.create(contact_type=contact_type)
            messages.add((await zoho.call("DELETE", f"/contacts/{contact['contact_id']}")).body["message"])
        assert len(messages) == 2
