"""The BambooHR sandbox is strict where the vendor is: reading, writing, pages, the change feed, lists."""

from __future__ import annotations

from datetime import date
from xml.etree import ElementTree as ET

import pytest
from yarl import URL

from stream.sandbox.bamboohr import BambooHrQuirks, Company, Notice, RateLimit, User
from tests.contract.bamboohr_caller import HandClock, serving

XML = {"Accept": "*/*"}


def parsed(body: str) -> ET.Element:
    return ET.fromstring(body)  # noqa: S314 - the sandbox's own answer


async def test_a_read_gives_only_the_id_unless_fields_are_named() -> None:
    async with serving() as caller:
        assert (await caller.get("/employees/1")).body == {"id": "1"}
        assert (await caller.get("/employees/1", params={"fields[]": "firstName"})).body == {"id": "1"}
        named = await caller.get("/employees/1", params={"fields": "firstName,16,customCostCenter,4103,shoeSize"})
        assert list(named.body) == ["id", "firstName", "16", "customCostCenter", "4103"]
        assert (await caller.get("/employees/1", params={"fields": ",".join(["firstName"] * 401)})).status == 400


async def test_the_older_endpoints_answer_xml_unless_json_is_asked_for() -> None:
    async with serving() as caller:
        for path in ("/employees/1?fields=firstName", "/employees/directory", "/meta/fields", "/meta/lists"):
            answer = await caller.get(path, headers=XML)
            assert answer.headers["Content-Type"].startswith("application/xml")
            assert parsed(answer.body) is not None
        changed = await caller.get("/employees/changed?since=2012-01-01T00:00:00Z", headers=XML)
        assert {one.get("action") for one in parsed(changed.body).iter("employee")} == {"Inserted"}
        assert isinstance((await caller.get("/meta/lists?format=json", headers=XML)).body, list)
        assert isinstance((await caller.get("/employees", headers=XML)).body, dict)


async def test_forbidden_fields_vanish_and_forbidden_people_are_403() -> None:
    async with serving() as caller:
        limited = User("2", denied=frozenset({"homeEmail"}), hidden=frozenset({"3"}))
        key = caller.sandbox.accounts.new_key(limited)
        read = await caller.get("/employees/1", key=key, params={"fields": "homeEmail,workEmail"})
        assert set(read.body) == {"id", "workEmail"}
        assert (await caller.get("/employees/3", key=key)).status == 403
        by_forbidden = await caller.get("/employees", key=key, params={"filter[homeEmail]": "example"})
        assert by_forbidden.body["data"] == []
        assert (await caller.get("/employees", key=key)).body["meta"]["total"] == 4


async def test_a_field_withheld_of_one_person_is_null_and_named_there_only() -> None:
    async with serving() as caller:
        user = User("2", restricted={"2": frozenset({"workPhone"})})
        key = caller.sandbox.accounts.new_key(user)
        rows = (await caller.get("/employees", key=key, params={"fields": "workPhone"})).body["data"]
        assert [row["_restrictedFields"] for row in rows] == [[], ["workPhone"], [], [], []]
        by_phone = await caller.get("/employees", key=key, params={"filter[workPhone]": "+1"})
        assert [row["employeeId"] for row in by_phone.body["data"]] == ["1", "3", "4", "5"]


async def test_amounts_and_flags_have_their_types_in_the_list() -> None:
    async with serving(2) as caller:
        body = {"payRate": "56.00 USD", "proofOfVaccination": True}
        assert (await caller.call("POST", "/employees/1", json=body)).status == 200
        names = {"fields": "payRate,proofOfVaccination,isManager,teams"}
        rows = (await caller.get("/employees", params=names | {"filter[proofOfVaccination]": "true"})).body["data"]
        assert rows[0]["payRate"] == {"amount": "56.00", "currency": "USD"}
        assert (rows[0]["proofOfVaccination"], rows[0]["isManager"], rows[0]["teams"]) == (True, True, [])


async def test_unknown_addresses_are_404_with_an_empty_body() -> None:
    async with serving() as caller:
        answer = await caller.get("/employee/1")
        assert (answer.status, answer.body) == (404, "")
        assert answer.headers["x-request-id"]
        assert (await caller.call("PATCH", "/employees/1")).status == 405
        assert (await caller.get("//../other/api/v1/employees/1")).status == 404


async def test_unknown_and_deleted_people_are_404_and_zero_means_the_caller() -> None:
    async with serving() as caller:
        caller.sandbox.company.delete("2")
        for gone in ("2", "99", "x"):
            assert (await caller.get(f"/employees/{gone}")).status == 404
        assert (await caller.get("/employees/0?fields=firstName")).body == {"id": "0"}
        own = caller.sandbox.accounts.new_key(User("2", employee="4"))
        assert (await caller.get("/employees/0", key=own)).body == {"id": "4"}


async def test_employee_numbers_are_other_peoples_ids() -> None:
    company = Company.seeded("acme", employees=50)
    numbers = {person.id: person.values["employeeNumber"] for person in company.people.values()}
    assert all(number != person and number in numbers for person, number in numbers.items())
    assert len({person.values["workEmail"] for person in company.people.values()}) == 50
    again = Company.seeded("acme", employees=50)
    assert [p.values for p in again.people.values()] == [p.values for p in company.people.values()]


async def test_pages_lead_through_everybody_and_break_when_the_boundary_changed() -> None:
    async with serving(7) as caller:
        first = await caller.get("/employees", params={"page[limit]": "3", "sort": "-lastName"})
        assert first.body["meta"]["total"] == 7
        assert "prev" not in first.body["_links"]
        seen = [row["employeeId"] for row in first.body["data"]]
        page = first
        while link := page.body["_links"].get("next"):
            page = await caller.get("/" + link["href"].removeprefix(caller.sandbox.base_url + "/api/v1/"))
            seen += [row["employeeId"] for row in page.body["data"]]
        assert sorted(seen) == [str(number) for number in range(1, 8)]
        back = {"page[limit]": "3", "sort": "-lastName", "page[before]": page.body["meta"]["page"]["prevCursor"]}
        assert [r["employeeId"] for r in (await caller.get("/employees", params=back)).body["data"]] == seen[3:6]

        cursor = first.body["meta"]["page"]["nextCursor"]
        caller.sandbox.company.change(seen[2], {"lastName": "Aaa"})
        stale = await caller.get("/employees", params={"sort": "-lastName", "page[after]": cursor})
        assert (stale.status, stale.body["error"]["code"]) == (400, "BadPage")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"filter[shoeSize]": "1"}, 422, "UnprocessableEntity"),
        ({"filter[ssn]": "1"}, 422, "UnprocessableEntity"),
        ({"filter[status]": "Active"}, 400, "BadRequest"),
        ({"filter[departmentId]": "x"}, 400, "BadRequest"),
        ({"sort": "hireDate"}, 400, "BadRequest"),
        ({"page[limit]": "2501"}, 400, "BadRequest"),
        ({"page[after]": "nonsense"}, 400, "BadPage"),
        ({"page[after]": "x", "page[before]": "x"}, 400, "BadPage"),
    ],
)
async def test_the_list_refuses_what_it_does_not_know(query: dict[str, str], status: int, code: str) -> None:
    async with serving() as caller:
        answer = await caller.get("/employees", params=query)
        assert (answer.status, answer.body["error"]["code"]) == (status, code)


async def test_the_list_filters_by_substring_id_and_state() -> None:
    async with serving(20) as caller:
        company = caller.sandbox.company
        company.terminate("5")
        inactive = await caller.get("/employees", params={"filter[status]": "inactive"})
        assert [row["employeeId"] for row in inactive.body["data"]] == ["5"]
        email = company.people["7"].values["workEmail"]
        found = await caller.get("/employees", params={"filter[workEmail]": email[1:].upper(), "fields": "workEmail"})
        assert email in [row["workEmail"] for row in found.body["data"]]
        both = await caller.get("/employees", params=[("filter[ids][]", "3"), ("filter[ids][]", "4")])
        assert [row["employeeId"] for row in both.body["data"]] == ["3", "4"]
        assert (await caller.get("/employees", params={"filter[ids]": "3,99,4"})).body["meta"]["total"] == 2
        assert (await caller.get("/employees", params={"fields": "shoeSize"})).status == 200


async def test_the_directory_is_no_roster() -> None:
    async with serving(3) as caller:
        company = caller.sandbox.company
        company.terminate("1")
        company.hidden.add("2")
        shown = await caller.get("/employees/directory")
        assert [row["id"] for row in shown.body["employees"]] == ["3"]
        company.hidden.add("3")
        assert (await caller.get("/employees/directory")).status == 404
        company.directory_shared = False
        refused = await caller.get("/employees/directory")
        assert (refused.status, refused.body) == (403, "")
        assert refused.headers["x-bamboohr-error-message"] == "Directory disabled for this account"


async def test_the_change_feed_holds_the_latest_action_of_each() -> None:
    clock = HandClock()
    company = Company.seeded("acme", employees=3, clock=clock)
    async with serving(company=company, clock=clock) as caller:
        clock.advance(minutes=1)
        hired = company.hire({"firstName": "Ada", "lastName": "Q"})
        company.change("1", {"customCostCenter": "CC-1"})
        company.delete("2")
        feed = await caller.get("/employees/changed", params={"since": "2026-03-04T12:00:00+00:00"})
        assert {key: one["action"] for key, one in feed.body["employees"].items()} == {
            hired: "Inserted",
            "1": "Updated",
            "2": "Deleted",
        }
        assert feed.body["latest"] == "2026-03-04T12:01:00+00:00"
        deleted = await caller.get("/employees/changed?since=2026-03-04T12:00:00Z&type=deleted")
        assert list(deleted.body["employees"]) == ["2"]
        for bad in ("", "?since=yesterday", "?since=2026-03-04T12:00:00+00:00", "?since=2026-03-04T12:00:00Z&type=x"):
            url = URL(caller.sandbox.base_url + "/api/v1/employees/changed" + bad, encoded=True)
            async with caller.session.get(url, headers=await caller.bearer()) as answer:
                assert answer.status == 400


async def test_writes_ignore_unknown_fields_and_refuse_wrong_values() -> None:
    async with serving() as caller:
        email = caller.sandbox.company.people["1"].values["workEmail"]
        body = {"firstName": "Ada", "lastName": "Q", "workEmail": "ada@acme.example", "department": "Finance"}
        created = await caller.call("POST", "/employees", json=body)
        assert created.status == 201
        assert created.headers["Location"].endswith("/employees/6")
        fields = "department,status,employeeNumber,hireDate"
        read = await caller.get("/employees/6", params={"fields": fields})
        assert read.body == {
            "id": "6",
            "department": "Finance",
            "status": "Active",
            "employeeNumber": "5",
            "hireDate": None,
        }
        assert (await caller.call("POST", "/employees/6", json={"fristName": "Grace"})).status == 200
        for wrong in ({"department": "Nowhere"}, {"workEmail": email}, {"hireDate": "soon"}, {"status": "Gone"}):
            assert (await caller.call("POST", "/employees/6", json=wrong)).status == 409
        assert (await caller.call("POST", "/employees", json={"firstName": "Ada"})).status == 400
        assert (await caller.call("POST", "/employees/99", json={"firstName": "Ada"})).status == 404
        assert (await caller.call("POST", "/employees/6", data=b"{")).status == 400
        xml = b'<employee><field id="jobTitle">Accountant</field></employee>'
        assert (await caller.call("POST", "/employees/6", data=xml, headers={"Content-Type": "text/xml"})).status == 200
        assert (await caller.get("/employees/6?fields=jobTitle")).body["jobTitle"] == "Accountant"
        assert (await caller.call("DELETE", "/employees/6")).status == 403


@pytest.mark.parametrize(
    ("switch", "active", "former"), [("refused", 409, 409), ("refused among active", 409, 201), ("accepted", 201, 201)]
)
async def test_shared_work_emails(switch: str, active: int, former: int) -> None:
    quirks = BambooHrQuirks(duplicate_email=switch)  # type: ignore[arg-type]  # parametrized over the switch
    async with serving(quirks=quirks) as caller:
        caller.sandbox.company.terminate("2")
        for person, status in (("1", active), ("2", former)):
            email = caller.sandbox.company.people[person].values["workEmail"].upper()
            body = {"firstName": "Ada", "lastName": "Q", "workEmail": email}
            assert (await caller.call("POST", "/employees", json=body)).status == status


async def test_termination_and_rehire_set_both_states() -> None:
    clock = HandClock()
    company = Company.seeded("acme", employees=2, clock=clock)
    async with serving(company=company, clock=clock) as caller:
        names = {"fields": "status,employmentHistoryStatus,terminationDate"}
        body = {"employmentHistoryStatus": "Terminated", "terminationDate": "2026-03-06"}
        await caller.call("POST", "/employees/1", json=body)
        assert (await caller.get("/employees/1", params=names)).body["status"] == "Active"
        ahead = await caller.get("/employees/1", params=names | {"onlyCurrent": "false"})
        assert ahead.body["status"] == "Inactive"
        clock.advance(days=2)
        left = await caller.get("/employees/1", params=names)
        assert list(left.body.values()) == ["1", "Inactive", "Terminated", "2026-03-06"]
        company.rehire("1")
        back = await caller.get("/employees/1", params=names)
        assert list(back.body.values()) == ["1", "Active", "Full-Time", None]


@pytest.mark.parametrize(
    ("quirks", "dated", "status"),
    [
        (BambooHrQuirks(), None, None),
        (BambooHrQuirks(empty_date="0000-00-00", empty_status="empty text"), "0000-00-00", ""),
    ],
)
async def test_empty_dates_and_states(quirks: BambooHrQuirks, dated: str | None, status: str | None) -> None:
    async with serving(quirks=quirks) as caller:
        caller.sandbox.company.change("1", {"status": ""})
        read = await caller.get("/employees/1?fields=terminationDate,status")
        assert read.body == {"id": "1", "terminationDate": dated, "status": status}


async def test_a_future_hire_is_inactive_until_the_day() -> None:
    clock = HandClock()
    company = Company.seeded("acme", employees=1, clock=clock)
    told: list[Notice] = []
    company.subscribe(told.extend)
    company.hire({"firstName": "Ada", "lastName": "Q", "hireDate": "2026-03-06"})
    assert company.people["2"].values["status"] == "Inactive"
    told.clear()
    clock.advance(days=2)
    company.take_effect()
    assert company.people["2"].values["status"] == "Active"
    assert [(notice.action, notice.changed) for notice in told] == [("updated", ("status",))]


async def test_a_change_with_a_later_date_is_told_when_it_takes_effect() -> None:
    clock = HandClock()
    company = Company.seeded("acme", employees=1, clock=clock)
    told: list[Notice] = []
    company.subscribe(told.extend)
    company.change("1", {"jobTitle": "Counsel"}, effective=date(2026, 3, 5))
    assert told == []
    clock.advance(days=1)
    company.take_effect()
    assert [notice.changed for notice in told] == [("jobTitle", "jobInformationEffectiveDate")]


async def test_meta_fields_has_dotted_negative_repeated_and_deprecated_ids() -> None:
    async with serving() as caller:
        fields = (await caller.get("/meta/fields")).body
        ids = [field["id"] for field in fields]
        assert "16.1" in ids
        assert any(isinstance(one, int) and one < 0 for one in ids)
        assert [f.get("deprecated", False) for f in fields if f["id"] == 387] == [False, True]
        assert any("alias" not in field for field in fields)


async def test_list_edits_follow_the_vendors_rules() -> None:
    async with serving() as caller:
        lists = {one["fieldId"]: one for one in (await caller.get("/meta/lists")).body}
        finance = next(o["id"] for o in lists[4]["options"] if o["name"] == "Finance")
        holder = caller.sandbox.company.hire({"firstName": "Ada", "lastName": "Q", "department": "Finance"})

        async def put(options: object, field: int = 4) -> int:
            return (await caller.call("PUT", f"/meta/lists/{field}", json={"options": options})).status

        assert await put([{"id": finance, "value": "Finance & Admin"}, {"value": "Logistics"}]) == 200
        assert (await caller.get(f"/employees/{holder}?fields=department")).body["department"] == "Finance & Admin"
        assert await put([{"id": finance, "archived": "yes"}]) == 200
        assert await put([{"id": finance, "archived": "no"}]) == 200
        after = {one["fieldId"]: one for one in (await caller.get("/meta/lists")).body}
        option = next(o for o in after[4]["options"] if o["id"] == finance)
        assert (option["archived"], option["archivedDate"] is not None) == ("no", True)
        assert len(after[4]["options"]) == len(lists[4]["options"]) + 1
        terminated = next(o["id"] for o in lists[16]["options"] if o["name"] == "Terminated")
        assert await put([{"value": "Sales"}]) == 409
        assert await put([{"id": 999999999, "value": "X"}]) == 404
        assert await put([{"value": "X"}], field=lists[4]["id"]) == 404
        assert await put([{"value": "X"}], field=18) == 405
        assert await put([{"id": terminated, "value": "Gone"}], field=16) == 405
        assert await put("nothing") == 400
        caller.sandbox.accounts.admin.may_edit_lists = False
        assert await put([{"value": "X"}]) == 403


async def test_list_switches() -> None:
    quirks = BambooHrQuirks(
        option_ids="text",
        list_alias="missing",
        omitted_options="dropped",
        duplicate_option="refused unless archived",
        field_option_ids="own ids",
        renamed_option="fires",
    )
    async with serving(quirks=quirks) as caller:
        company = caller.sandbox.company
        lists = {one["fieldId"]: one for one in (await caller.get("/meta/lists")).body}
        assert isinstance(lists["4"]["options"][0]["id"], str)
        assert "alias" not in lists["4102"]
        option = company.people["1"].values["department"]
        read = await caller.get("/employees/1?fields=departmentId")
        assert read.body["departmentId"] not in (None, option)
        told: list[Notice] = []
        company.subscribe(told.extend)
        name = company.option_name("department", option)
        company.edit_list("department", [{"id": int(option), "value": "Renamed", "archived": "yes"}, {"value": name}])
        assert ("updated", "1", ("department",)) in [(n.action, n.employee_id, n.changed) for n in told]
        assert [o.name for o in company.lists["department"].options.values()] == ["Renamed", name]
        company.edit_list("department", [{"id": int(option)}, {"value": "renamed"}])
        assert [o.name for o in company.lists["department"].options.values()] == ["Renamed", "renamed"]


async def test_the_rate_limit_is_told_in_seconds_or_as_a_date() -> None:
    limit = RateLimit(per_window=2, window_s=60)
    for quirks in (BambooHrQuirks(), BambooHrQuirks(retry_after="date", throttle_status=503)):
        clock = HandClock()
        company = Company.seeded("acme", employees=1, clock=clock)
        async with serving(company=company, clock=clock, quirks=quirks, rate_limit=limit) as caller:
            assert (await caller.get("/employees/1", headers={"Authorization": ""})).status == 401
            assert (await caller.get("/employees/1")).status == 200
            refused = await caller.get("/employees/1")
            assert refused.status == quirks.throttle_status
            told = refused.headers["Retry-After"]
            assert told == ("60" if quirks.retry_after == "seconds" else "Wed, 04 Mar 2026 12:01:01 GMT")
            clock.advance(seconds=61)
            assert (await caller.get("/employees/1")).status == 200


async def test_calls_are_counted_and_faults_come_on_demand() -> None:
    async with serving() as caller:
        fault = {"path": "/acme/api/v1/employees/1$", "status": 503, "times": 1, "retry_after": 7}
        assert (await caller.call("POST", "//_sandbox/faults", json=fault)).status == 201
        refused = await caller.get("/employees/1")
        assert (refused.status, refused.headers["Retry-After"], refused.body) == (503, "7", "")
        assert (await caller.get("/employees/1")).status == 200
        shown = (await caller.get("//_sandbox/calls")).body
        assert shown["total"] == 2
        assert caller.sandbox.calls.total("/employees/{id}", status=503) == 1
        assert shown["seconds"] > 0
        user = await caller.call("POST", "//_sandbox/users", json={"denied": ["workEmail"]})
        read = await caller.get("/employees/1?fields=workEmail", key=user.body["api_key"])
        assert read.body == {"id": "1"}
        await caller.call("POST", "//_sandbox/rate_limit", json={"per_window": 0})
        assert (await caller.get("/employees/1")).status == 429
        assert (await caller.call("POST", "//_sandbox/rate_limit", json={"speed": 1})).status == 400
        later = {"employee_id": "1", "fields": {"jobTitle": "Counsel"}, "effective": "2999-01-01"}
        assert (await caller.call("POST", "//_sandbox/changes", json=later)).status == 200
        assert len(caller.sandbox.company.people["1"].planned) == 1
