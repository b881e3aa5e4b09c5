"""Webhooks of the BambooHR sandbox: registration, what is told when, the signature, retries, disorder."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs

import pytest

from stream.sandbox.bamboohr import BambooHrQuirks, Company, Disorder, User
from stream.sandbox.bamboohr.logbook import UNREACHED
from stream.sandbox.bamboohr.payloads import sign
from tests.contract.bamboohr_caller import (
    BambooCaller,
    HandClock,
    Receiver,
    local,
    receiving,
    serving,
    until,
)

EVENTS = ["employee.created", "employee.updated", "employee.deleted"]
MONITORED = ["firstName", "department", "jobTitle", "status", "employmentHistoryStatus", "customCostCenter"]


async def register(caller: BambooCaller, url: str, **changes: Any) -> dict[str, Any]:
    body = {"name": "books", "url": url, "format": "json", "events": EVENTS, "monitorFields": MONITORED} | changes
    key = body.pop("key", None)
    answer = await caller.call("POST", "/webhooks", json={k: v for k, v in body.items() if v is not None}, key=key)
    assert answer.status == 201, answer.body
    created: dict[str, Any] = answer.body
    return created


def told(receiver: Receiver) -> list[tuple[str, str, tuple[str, ...]]]:
    """Type, employee and changed fields of what arrived."""
    events = [json.loads(one.body) for one in receiver.received]
    return [(e["type"], e["data"]["employeeId"], tuple(e["data"].get("changedFields", ()))) for e in events]


def test_the_signature_is_over_body_and_timestamp_with_the_key_as_text() -> None:
    body = (
        b'{"type":"employee.updated","timestamp":"2026-03-04T09:15:00+0000",'
        b'"data":{"companyId":"9001","employeeId":"42","changedFields":["department","jobTitle"]}}'
    )
    signature = sign(body, "1772615700", "0123456789abcdef0123456789abcdef")
    assert signature == "ac3395df7a79c3e7350074c532adbeeb33768467cdcf97d2ee28944acbd09256"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"url": "http://hooks.example/1"}, 400),
        ({"url": "http://127.0.0.1:1/"}, 400),
        ({"format": None}, 400),
        ({"name": None}, 400),
        ({"monitorFields": None}, 400),
        ({"events": None, "monitorFields": None}, 400),
        ({"events": ["employee.created", "employee_with_fields.updated"]}, 400),
        ({"events": ["employee.moved"]}, 400),
        ({"monitorFields": ["shoeSize"]}, 403),
        ({"monitorFields": ["terminationDate"]}, 403),
        ({"events": ["employee.created"], "monitorFields": None}, 201),
        ({"limit": {"times": 1, "seconds": 60}}, 201),
    ],
)
async def test_a_registration_must_be_complete(change: dict[str, Any], status: int) -> None:
    async with serving() as caller:
        body = {"name": "n", "url": "https://hooks.example/1", "format": "json", "events": EVENTS} | {
            "monitorFields": ["7"]
        }
        sent = {key: value for key, value in (body | change).items() if value is not None}
        answer = await caller.call("POST", "/webhooks", json=sent)
        assert answer.status == status
        if status == 400:
            assert answer.body["errors"][0]["issues"]


async def test_the_key_is_told_once_and_a_put_replaces_everything_else() -> None:
    async with serving() as caller:
        created = await register(caller, "https://hooks.example/1", includeCompanyDomain=True)
        assert len(bytes.fromhex(created["privateKey"])) == 16
        path = f"/webhooks/{created['id']}"
        shown = (await caller.get(path)).body
        assert shown == {key: value for key, value in created.items() if key != "privateKey"}
        body = {"name": "books", "url": "https://hooks.example/2", "format": "json", "monitorFields": ["7"]}
        replaced = (await caller.call("PUT", path, json=body)).body
        assert (replaced["includeCompanyDomain"], replaced["events"][0]) == (False, "employee_with_fields.updated")
        webhook = caller.sandbox.registrations.current(created["id"])
        assert webhook is not None
        assert webhook.private_key == created["privateKey"]
        deleted = await caller.call("DELETE", path)
        assert (deleted.body, deleted.headers["Content-Type"].split(";")[0]) == (
            "Web hook has been deleted.",
            "text/plain",
        )
        assert (await caller.get(path)).status == 404


@pytest.mark.parametrize(("switch", "shared"), [("user", True), ("credentials", False)])
async def test_webhooks_belong_to_their_creator(switch: str, shared: bool) -> None:
    quirks = BambooHrQuirks(webhook_owner=switch)  # type: ignore[arg-type]  # parametrized over the switch
    async with serving(quirks=quirks) as caller:
        created = await register(caller, "https://hooks.example/1")
        other = caller.sandbox.accounts.new_key(User("2"))
        assert (await caller.get("/webhooks", key=other)).body == {"webhooks": []}
        refused = await caller.call("DELETE", f"/webhooks/{created['id']}", key=other)
        assert (refused.status, refused.body["errors"]["error"]) == (403, "You do not have access to webhook ID: 1")
        by_token = await caller.get("/webhooks", headers=await caller.bearer())
        assert bool(by_token.body["webhooks"]) == shared


async def test_forbidden_fields_are_named() -> None:
    async with serving() as caller:
        key = caller.sandbox.accounts.new_key(User("2", denied=frozenset({"department"})))
        body = {"name": "n", "url": "https://hooks.example/1", "format": "json", "monitorFields": ["department", "x"]}
        refused = await caller.call("POST", "/webhooks", json=body, key=key)
        assert refused.status == 403
        assert refused.body["errors"][0]["monitorFields"] == [{"id": 4, "name": "Department"}]
        assert refused.body["errors"][0]["unknownFields"] == [{"id": None, "name": "x"}]


async def test_a_story_is_told_event_by_event() -> None:
    async with serving(quirks=local()) as caller, receiving() as receiver:
        created = await register(caller, receiver.url, includeCompanyDomain=True)
        body = {"firstName": "Ada", "lastName": "Q", "department": "Finance", "customCostCenter": "CC-1"}
        hired = (await caller.call("POST", "/employees", json=body)).body["id"]
        await until(lambda: len(receiver.received) == 3, "the hire")
        change = {"department": "Legal", "homePhone": "+1", "customCostCenter": "CC-2"}
        await caller.call("POST", f"/employees/{hired}", json=change)
        await until(lambda: len(receiver.received) == 5, "the change")
        await caller.call("POST", f"/employees/{hired}", json={"homePhone": "+2"})
        await caller.call("POST", f"/employees/{hired}", json={"employmentHistoryStatus": "Terminated"})
        await until(lambda: len(receiver.received) == 6, "the termination")
        await caller.call("DELETE", f"/employees/{hired}", headers=await caller.bearer())
        await until(lambda: len(receiver.received) == 7, "the deletion")
        assert told(receiver) == [
            ("employee.created", hired, ()),
            ("employee.updated", hired, ("firstName", "status", "department")),
            ("employee.updated", hired, ("customCostCenter",)),
            ("employee.updated", hired, ("department",)),
            ("employee.updated", hired, ("customCostCenter",)),
            ("employee.updated", hired, ("status", "employmentHistoryStatus")),
            ("employee.deleted", hired, ()),
        ]
        for one in receiver.received:
            timestamp = one.headers["X-BambooHR-Timestamp"]
            assert one.headers["X-BambooHR-Signature"] == sign(one.body, timestamp, created["privateKey"])
            assert one.headers["company-domain"] == "acme"
            assert one.headers["Content-Type"] == "application/json"
        assert json.loads(receiver.received[0].body)["data"] == {"companyId": "9001", "employeeId": hired}
        assert (await caller.get(f"/webhooks/{created['id']}")).body["lastSent"] is not None
        assert [attempt.status for attempt in caller.sandbox.deliveries] == [200] * 7


async def test_permissions_of_the_creator_thin_out_what_is_told() -> None:
    async with serving(quirks=local()) as caller, receiving() as receiver:
        company = caller.sandbox.company
        user = User("2")
        await register(caller, receiver.url, key=caller.sandbox.accounts.new_key(user))
        user.denied = frozenset({"department"})
        company.change("1", {"department": "Legal", "firstName": "Ada"})
        company.change("2", {"department": "Finance"})
        company.change("2", {"department": "Legal"})
        company.delete("3")
        await until(lambda: len(receiver.received) == 2 and not caller.sandbox.unsent, "both")
        assert told(receiver) == [("employee.updated", "1", ("firstName",)), ("employee.deleted", "3", ())]
        user.active = False
        company.delete("4")
        await until(lambda: not caller.sandbox.unsent, "nothing more")
        assert len(receiver.received) == 2


@pytest.mark.parametrize("values", ["text", "objects"])
async def test_the_older_family_sends_batches_with_values(values: str) -> None:
    quirks = local(field_values=values)
    async with serving(quirks=quirks) as caller, receiving() as receiver:
        posted = {"firstName": "First Name", "7": "Mail"}
        await register(caller, receiver.url, events=None, postFields=posted)
        caller.sandbox.company.hire({"firstName": "Zoë", "lastName": "Q", "workEmail": "zoe.q@acme.example"})
        await until(lambda: len(receiver.received) == 1, "the batch")
        created, updated = json.loads(receiver.received[0].body)["employees"]
        assert (created["action"], created["changedFields"], created["fields"]) == ("Created", [], {})
        assert updated["action"] == "Updated"
        assert "First Name" in updated["changedFields"]
        plain = {"First Name": "Zoë", "Mail": "zoe.q@acme.example"}
        assert updated["fields"] == (plain if values == "text" else {k: {"value": v} for k, v in plain.items()})


async def test_payload_switches() -> None:
    quirks = local(event_timestamp="Z", body_escapes="escaped", signature_timestamp="iso")
    async with serving(quirks=quirks) as caller, receiving() as receiver:
        created = await register(caller, receiver.url, events=None, postFields={"firstName": "a/b"})
        caller.sandbox.company.change("1", {"firstName": "Zoë"})
        await until(lambda: len(receiver.received) == 1, "the batch")
        one = receiver.received[0]
        assert b"Zo\\u00eb" in one.body
        assert b"a\\/b" in one.body
        assert json.loads(one.body)["employees"][0]["timestamp"].endswith("Z")
        timestamp = one.headers["X-BambooHR-Timestamp"]
        assert datetime.fromisoformat(timestamp).tzinfo is not None
        assert one.headers["X-BambooHR-Signature"] == sign(one.body, timestamp, created["privateKey"])


async def test_forms_spell_out_the_nesting() -> None:
    async with serving(quirks=local()) as caller, receiving() as receiver:
        await register(caller, receiver.url, format="form-encoded")
        caller.sandbox.company.change("1", {"firstName": "Zoë"})
        await until(lambda: len(receiver.received) == 1, "the form")
        form = parse_qs(receiver.received[0].body.decode())
        assert receiver.received[0].headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert form["data[employeeId]"] == ["1"]
        assert form["data[changedFields][0]"] == ["firstName"]
        assert form["timestamp"][0].endswith("+0000")


@pytest.mark.parametrize("signed", ["again", "once"])
async def test_outages_are_tried_again_five_times_and_refusals_never(signed: str) -> None:
    clock = HandClock()
    company = Company.seeded("acme", employees=3, clock=clock)
    quirks = local(signed_on_retry=signed, delivery_timeout_s=2.0)
    minute_s = 0.002
    served = serving(company=company, clock=clock, quirks=quirks, time_scale=60 / minute_s)
    async with served as caller, receiving(503, None, 500, 404) as receiver:
        created = await register(caller, receiver.url)
        company.change("1", {"firstName": "Ada"})
        await until(lambda: len(receiver.received) == 1, "the first attempt")
        clock.advance(minutes=5)
        await until(lambda: len(caller.sandbox.deliveries) == 4, "the refusal")
        assert [(a.number, a.status) for a in caller.sandbox.deliveries] == [(1, 503), (2, None), (3, 500), (4, 404)]
        assert caller.sandbox.deliveries[1].error == "TimeoutError"
        assert len({one.body for one in receiver.received}) == 1
        stamps = {one.headers["X-BambooHR-Timestamp"] for one in receiver.received}
        assert len(stamps) == (2 if signed == "again" else 1)
        for one in receiver.received:
            expected = sign(one.body, one.headers["X-BambooHR-Timestamp"], created["privateKey"])
            assert one.headers["X-BambooHR-Signature"] == expected
        receiver.received.clear()
        receiver.statuses[:] = [500] * 9
        company.change("2", {"firstName": "Grace"})
        await until(lambda: len(receiver.received) == 6, "all retries")
        await until(lambda: caller.sandbox.idle, "the end of it")
        assert len(receiver.received) == 6


async def test_retries_wait_for_the_scaled_minutes() -> None:
    async with serving(quirks=local(), time_scale=60 / 0.01) as caller, receiving(500, 500, 500) as receiver:
        await register(caller, receiver.url)
        caller.sandbox.company.change("1", {"firstName": "Ada"})
        await until(lambda: len(receiver.received) == 4, "the third retry")
        await until(lambda: len(caller.sandbox.deliveries) == 4, "its record")
        times = [attempt.at for attempt in caller.sandbox.deliveries]
        waits = [(b - a).total_seconds() for a, b in pairwise(times)]
        assert all(wait >= minutes * 0.01 for wait, minutes in zip(waits, (5, 10, 20), strict=True))


async def test_a_write_does_not_wait_for_the_receiver() -> None:
    async with serving(quirks=local()) as caller, receiving(None) as receiver:
        await register(caller, receiver.url)
        assert (await caller.call("POST", "/employees/1", json={"firstName": "Ada"})).status == 200
        await until(lambda: len(receiver.received) == 1, "the delivery")
        assert caller.sandbox.deliveries == ()


async def test_disorder_on_demand() -> None:
    async with serving(quirks=local()) as caller, receiving() as receiver:
        company = caller.sandbox.company
        await register(caller, receiver.url)
        caller.sandbox.misbehave(Disorder(lost=1.0))
        company.change("1", {"firstName": "Lost"})
        await until(lambda: len(caller.sandbox.deliveries) == 1, "the loss")
        assert receiver.received == []
        caller.sandbox.misbehave(Disorder(duplicated=1.0))
        company.change("1", {"firstName": "Twice"})
        await until(lambda: len(receiver.received) == 2 and caller.sandbox.idle, "both copies")
        assert receiver.received[0].body == receiver.received[1].body
        receiver.received.clear()
        caller.sandbox.misbehave(Disorder(overtaken=1.0))
        company.change("1", {"firstName": "First"})
        await caller.call("POST", "//_sandbox/disorder", json={"delay_s": [0.01, 0.02]})
        company.change("2", {"firstName": "Second"})
        await until(lambda: len(receiver.received) == 2, "both")
        assert [employee for _, employee, _ in told(receiver)] == ["2", "1"]
        log = (await caller.get("//_sandbox/deliveries")).body
        assert log["attempts"][0]["error"] == "lost"


STAMP = "%Y-%m-%d %H:%M:%S"


async def test_the_log_shows_a_line_for_each_delivery_with_its_last_attempt() -> None:
    company = Company.seeded("acme", employees=3)
    served = serving(company=company, quirks=local(), time_scale=100_000)
    async with served as caller, receiving(503, 503, 200, 404) as receiver:
        hook = await register(caller, receiver.url)
        log = f"/webhooks/{hook['id']}/log"
        assert (await caller.get(log)).body == []
        for employee in ("1", "2"):
            company.change(employee, {"firstName": f"Ada {employee}"})
            await until(lambda: caller.sandbox.idle, "the delivery and its repetitions")
        second, first = (await caller.get(log)).body
        assert (first["webhookId"], first["url"], first["format"]) == (hook["id"], receiver.url, "json")
        assert (first["employeeIds"], first["statusCode"]) == (["1"], "200")
        assert datetime.strptime(first["lastSuccess"], STAMP)  # noqa: DTZ007 - BambooHR names no zone
        assert first["lastAttempted"] == first["lastSuccess"]
        assert (second["employeeIds"], second["statusCode"], second["lastSuccess"]) == (["2"], "404", UNREACHED)
        other = caller.sandbox.accounts.new_key(User("other"))
        assert (await caller.get(log, key=other)).status == 403
        assert (await caller.get("/webhooks/77/log")).status == 404


async def test_the_log_holds_two_hundred_lines_of_fourteen_days_and_answers_only_so_often() -> None:
    clock = HandClock()
    company = Company.seeded("acme", employees=3, clock=clock)
    async with serving(company=company, quirks=local(), clock=clock) as caller, receiving() as receiver:
        log = f"/webhooks/{(await register(caller, receiver.url))['id']}/log"
        for number in range(205):
            company.change("1" if number < 5 else "2", {"firstName": f"Ada {number}"})
        await until(lambda: caller.sandbox.idle, "all deliveries")
        assert len((await caller.get(log)).body) == 200
        limit = caller.sandbox.throttle.limit.logs_per_window
        answers = [await caller.get(log) for _ in range(limit)]
        assert [type(answer.body) for answer in answers] == [list] * (limit - 1) + [dict]
        assert (answers[-1].status, answers[-1].body["error"]["code"]) == (200, 429)
        clock.advance(minutes=15 * 24 * 60)
        assert (await caller.get(log)).body == []


async def test_a_receiver_that_cannot_be_reached_has_words_in_place_of_a_time() -> None:
    async with serving(quirks=local()) as caller:
        hook = await register(caller, "http://127.0.0.1:1/")
        caller.sandbox.company.change("1", {"firstName": "Ada"})
        await until(lambda: bool(caller.sandbox.deliveries), "the attempt")
        (line,) = (await caller.get(f"/webhooks/{hook['id']}/log")).body
        assert (line["lastAttempted"], line["lastSuccess"]) == (UNREACHED, UNREACHED)
