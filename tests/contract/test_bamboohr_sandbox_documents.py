"""The sandbox against the vendor's own document: every listed operation, its accepted requests and its answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream.sandbox.bamboohr.payloads import Parcel
from tests.contract.bamboohr_caller import serving
from tests.contract.bamboohr_shapes import Referee, load_document, vendor_document

pytestmark = pytest.mark.vendor_documents

WEBHOOK = {"name": "books", "url": "https://hooks.example/1", "format": "json", "monitorFields": ["firstName", "7"]}

LOGGED = Parcel("1", "employee.updated", ("2",), b"", "application/json")


@pytest.fixture
def referee() -> Referee:
    return Referee.of_the_vendor()


async def test_every_answer_has_the_shape_that_the_vendor_documents(referee: Referee) -> None:
    names = load_document(vendor_document())["components"]["schemas"]["EmployeeOptionalField"]["enum"]
    record = load_document(vendor_document())["components"]["schemas"]["GetEmployeeResponse"]["properties"]
    async with serving(12, middlewares=[referee.middleware]) as caller:
        sandbox = caller.sandbox
        sandbox.company.hidden.add("3")
        all_fields = await caller.get("/employees/2", params={"fields": ",".join(record)})
        assert set(all_fields.body) == set(record)
        assert (await caller.get("/employees/999")).status == 404
        page = await caller.get("/employees", params={"fields": ",".join(names), "page[limit]": "5"})
        assert set(names) <= set(page.body["data"][0])
        cursor = page.body["meta"]["page"]["nextCursor"]
        await caller.get("/employees", params={"page[limit]": "5", "page[after]": cursor, "sort": "employeeId"})
        await caller.get("/employees", params={"filter[status]": "active", "filter[ids]": "1,2"})
        assert (await caller.get("/employees", params={"sort": "hireDate"})).status == 400
        created = await caller.call("POST", "/employees", json={"firstName": "Ada", "lastName": "Q"})
        assert set(record) == set(created.body)
        await caller.call("POST", "/employees/2", json={"firstName": "Grace"})
        assert (await caller.call("DELETE", "/employees/3", headers=await caller.bearer())).status == 204
        await caller.get("/employees/changed", params={"since": "2012-01-01T00:00:00Z"})
        await caller.get("/employees/changed", params={"since": "2040-01-01T00:00:00Z"})
        await caller.get("/employees/directory")
        await caller.get("/meta/fields")
        await caller.get("/meta/lists")
        options = [{"value": "Logistics"}]
        assert (await caller.call("PUT", "/meta/lists/4", json={"options": options})).status == 200
        webhook = (await caller.call("POST", "/webhooks", json=WEBHOOK)).body["id"]
        events = {"events": ["employee.created"], "monitorFields": None}
        only = {key: value for key, value in (WEBHOOK | events).items() if value is not None}
        await caller.call("PUT", f"/webhooks/{webhook}", json=only)
        await caller.get(f"/webhooks/{webhook}")
        caller.sandbox._delivery.logbook.begun(
            LOGGED, sandbox.registrations.all()[0].configuration, sandbox.clock.now()
        )
        assert len((await caller.get(f"/webhooks/{webhook}/log")).body) == 1
        sandbox.throttle.limit = replace(sandbox.throttle.limit, logs_per_window=1)
        assert "error" in (await caller.get(f"/webhooks/{webhook}/log")).body
        await caller.get("/webhooks")
        await caller.get("/webhooks/monitor_fields")
        await caller.get("/webhooks/post-fields")
        await caller.get("/webhooks/77")
        await caller.call("POST", "/webhooks", json={"name": "x"})
        await caller.call("POST", "/webhooks", json=WEBHOOK | {"monitorFields": ["shoeSize"]})
        other = sandbox.accounts.new_key(type(sandbox.accounts.admin)("2"))
        await caller.get(f"/webhooks/{webhook}", key=other)
        await caller.call("DELETE", f"/webhooks/{webhook}")
    assert referee.answers == []
    assert referee.requests == []
    assert len(referee.checked) == 24


async def test_restricted_values_are_null_as_documented(referee: Referee) -> None:
    async with serving(3, middlewares=[referee.middleware]) as caller:
        caller.sandbox.accounts.admin.denied = frozenset({"homeEmail", "photoUrl"})
        page = await caller.get("/employees", params={"fields": "homeEmail"})
    assert page.body["data"][0]["_restrictedFields"] == ["photoUrl", "homeEmail"]
    assert referee.answers == []


async def test_the_referee_sees_an_answer_of_the_wrong_shape(referee: Referee) -> None:
    async with serving(3, middlewares=[referee.middleware]) as caller:
        caller.sandbox.company.people["1"].id = 1  # type: ignore[assignment]  # a number where text belongs
        await caller.get("/employees/1")
    assert referee.answers == ["GET /acme/api/v1/employees/1 200: ['id'] type"]
