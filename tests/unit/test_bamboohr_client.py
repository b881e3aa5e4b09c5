"""The BambooHR client against a server written from the vendor's rules."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import aiohttp
import pytest

from stream.bamboohr.client import BambooHr, PageMoved
from stream.bamboohr.hosts import base_url
from stream.bamboohr.models import HrField
from stream.core.changes import Changed
from stream.errors import ConnectionMisset, CredentialsRefused, NotFound, RateLimited, RecordRefused, Unavailable
from stream.http import MAX_BODY
from stream.records import EmployeeId
from stream.settings import Settings
from stream.telemetry import REGISTRY, Masked
from tests.unit.vendor import DROPPED, SILENT, Door, HandClock, Reply, Seen, Vendor, half, vendor

ADA = EmployeeId("42")
FIELDS = ("firstName", "workEmail", "department", "hireDate", "status")
RECORD = {"id": "42", "firstName": "Ada", "workEmail": "ada@example.test", "department": None, "hireDate": "0000-00-00"}


@asynccontextmanager
async def company(
    script: list[Reply] | Callable[[Seen], Reply], *, deadline: float = 5.0
) -> AsyncIterator[tuple[BambooHr, Vendor, Door]]:
    door = Door()
    async with vendor(script) as (server, session):
        url = f"{server.url}/acme"
        yield (
            BambooHr(session, url, Masked("k3y"), admit=door.admit, deadline=deadline, clock=HandClock()),
            server,
            door,
        )


async def test_asks_for_the_named_fields_as_they_are_today_with_the_key_and_json() -> None:
    async with company([Reply(RECORD)]) as (client, server, door):
        await client.employee(ADA, FIELDS)
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("GET", "/acme/api/v1/employees/42")
    assert seen.query == {"fields": "firstName,workEmail,department,hireDate,status", "onlyCurrent": "true"}
    assert seen.headers["accept"] == "application/json"
    scheme, credentials = seen.headers["authorization"].split()
    assert scheme == "Basic"
    assert base64.b64decode(credentials).decode().split(":")[0] == "k3y"
    assert door.admitted == [("employee", False)]


async def test_tells_a_withheld_field_from_an_empty_one_and_knows_dates_that_are_not_set() -> None:
    async with company([Reply(RECORD)]) as (client, _, _):
        fields = await client.employee(ADA, FIELDS)
    assert fields == {"firstName": "Ada", "workEmail": "ada@example.test", "department": "", "hireDate": ""}
    assert "status" not in fields


async def test_a_field_that_the_answer_names_as_restricted_is_withheld_though_it_is_there() -> None:
    async with company([Reply({**RECORD, "_restrictedFields": ["department"]})]) as (client, _, _):
        assert "department" not in await client.employee(ADA, FIELDS)


async def test_keeps_nothing_that_was_not_asked_for() -> None:
    async with company([Reply({**RECORD, "ssn": "000"})]) as (client, _, _):
        assert "ssn" not in await client.employee(ADA, FIELDS)


@pytest.mark.parametrize("body", [b"", b'{"error":"gone"}', b"404: Not Found"])
async def test_404_means_gone_whatever_the_body(body: bytes) -> None:
    async with company([Reply(body, 404), Reply({"id": "0"})]) as (client, _, _):
        with pytest.raises(NotFound):
            await client.employee(ADA, FIELDS)


async def test_404_means_gone_where_the_caller_has_no_record_but_there_are_fields() -> None:
    async with company([Reply(status=404), Reply(status=404), Reply([])]) as (client, server, _):
        with pytest.raises(NotFound):
            await client.employee(ADA, FIELDS)
    assert [one.path.rpartition("/v1/")[2] for one in server.seen] == ["employees/42", "employees/0", "meta/fields"]


async def test_404_for_everything_means_that_there_is_no_such_company() -> None:
    async with company([Reply(b"<html>", 404)]) as (client, _, _):
        with pytest.raises(ConnectionMisset, match="check the subdomain"):
            await client.employee(ADA, FIELDS)


async def test_404_says_nothing_while_it_cannot_be_told_what_it_means() -> None:
    async with company([Reply(status=404), Reply(status=503)]) as (client, _, _):
        with pytest.raises(Unavailable):
            await client.employee(ADA, FIELDS)


@pytest.mark.parametrize("own_record", [Reply({"id": "0"}), Reply({"id": "7"}), Reply(status=404)])
async def test_403_for_one_employee_concerns_this_one_alone(own_record: Reply) -> None:
    script = lambda seen: own_record if seen.path.endswith("/0") else Reply(status=403)  # noqa: E731
    async with company(script) as (client, server, door):
        with pytest.raises(RecordRefused):
            await client.employee(ADA, FIELDS)
    assert len(server.seen) == len(door.admitted) == 2


async def test_403_for_everything_means_that_the_key_is_locked_out() -> None:
    async with company([Reply(status=403)]) as (client, _, _):
        with pytest.raises(CredentialsRefused):
            await client.employee(ADA, FIELDS)


async def test_403_says_nothing_while_it_cannot_be_told_what_it_means() -> None:
    async with company([Reply(status=403), Reply(status=503)]) as (client, _, _):
        with pytest.raises(Unavailable):
            await client.employee(ADA, FIELDS)


async def test_401_means_that_the_key_is_refused_and_the_error_does_not_hold_it() -> None:
    async with company([Reply(status=401)]) as (client, _, _):
        with pytest.raises(CredentialsRefused) as caught:
            await client.employee(ADA, FIELDS)
    assert "k3y" not in repr(vars(caught.value))


@pytest.mark.parametrize(
    ("value", "wait"),
    [("7", 7.0), ("Wed, 04 Mar 2026 09:16:30 GMT", 90.0), ("Wed, 04 Mar 2026 09:00:00 GMT", 0.0), ("soon", None)],
)
@pytest.mark.parametrize(("status", "kind"), [(429, RateLimited), (503, Unavailable)])
async def test_waits_as_told_in_seconds_or_by_a_date(
    status: int, kind: type[RateLimited | Unavailable], value: str, wait: float | None
) -> None:
    async with company([Reply(status=status, headers={"Retry-After": value})]) as (client, _, _):
        with pytest.raises(kind) as caught:
            await client.employee(ADA, FIELDS)
    assert caught.value.retry_after == wait


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b'<?xml version="1.0"?><employee id="42"/>', headers={"Content-Type": "text/xml"}),
        Reply(b'{"id":"42","firstName":"A'),
        half(RECORD),
        Reply(b""),
        Reply(b"[]"),
        Reply({"firstName": "Ada"}),
        Reply({**RECORD, "id": "43"}),
        Reply(RECORD, 202),
        Reply(status=500),
        Reply(b" " * (MAX_BODY + 1)),
        DROPPED,
    ],
    ids=["xml", "cut", "half", "empty", "list", "no id", "another", "202", "500", "huge", "dropped"],
)
async def test_an_answer_that_is_none_is_read_again_later(reply: Reply) -> None:
    async with company([reply]) as (client, server, _):
        with pytest.raises(Unavailable):
            await client.employee(ADA, FIELDS)
    assert len(server.seen) == 1


async def test_gives_up_at_the_deadline_and_leaves_its_place() -> None:
    async with company([SILENT], deadline=0.2) as (client, _, door):
        with pytest.raises(Unavailable):
            await client.employee(ADA, FIELDS)
    assert door.in_flight == 0


async def test_a_server_that_is_not_there_is_unavailable(unused_tcp_port: int) -> None:
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{unused_tcp_port}"
        client = BambooHr(session, url, Masked("k"), admit=Door().admit, deadline=5.0, clock=HandClock())
        with pytest.raises(Unavailable):
            await client.employee(ADA, FIELDS)


async def test_never_takes_the_key_along_a_redirect() -> None:
    async with company([Reply(status=302, headers={"Location": "/elsewhere"})]) as (client, server, _):
        with pytest.raises(ConnectionMisset):
            await client.employee(ADA, FIELDS)
    assert len(server.seen) == 1


@pytest.mark.parametrize("employee", ["0", "", "042", "../webhooks", "4 2", "42?x=1", "٤٢"])
async def test_an_id_that_is_no_number_never_reaches_the_api(employee: str) -> None:
    async with company([Reply(RECORD)]) as (client, server, _):
        with pytest.raises(RecordRefused):
            await client.employee(EmployeeId(employee), FIELDS)
    assert server.seen == []


async def test_sends_nothing_when_it_is_not_admitted() -> None:
    async with company([Reply(RECORD)]) as (client, server, door):
        door.shut = RuntimeError("shut")
        with pytest.raises(RuntimeError, match="shut"):
            await client.employee(ADA, FIELDS)
    assert server.seen == []


async def test_counts_each_call_by_its_status() -> None:
    labels = {"api": "bamboohr", "operation": "employee", "status": "418"}
    before = REGISTRY.get_sample_value("rosterbook_api_calls_total", labels) or 0
    async with company([Reply(status=418)]) as (client, _, _):
        with pytest.raises(RecordRefused):
            await client.employee(ADA, FIELDS)
    assert REGISTRY.get_sample_value("rosterbook_api_calls_total", labels) == before + 1


def test_the_host_is_made_of_one_dns_label(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, bamboohr_url=None)
    assert base_url(settings, "Acme-2") == "https://acme-2.bamboohr.com"
    for wrong in ("", "a.b", "acme.evil.test/", "acme@evil.test", "-acme", "acme\n", "a" * 64, "акме"):
        with pytest.raises(ConnectionMisset):
            base_url(settings, wrong)


def test_a_loopback_stand_in_takes_the_subdomain_as_a_path_segment() -> None:
    assert base_url(Settings(bamboohr_url="http://127.0.0.1:9/x/"), "acme") == "http://127.0.0.1:9/x/acme"


def test_a_stand_in_may_be_told_as_the_sandbox_prints_it_with_the_subdomain() -> None:
    assert base_url(Settings(bamboohr_url="http://127.0.0.1:9/acme"), "acme") == "http://127.0.0.1:9/acme"
    assert base_url(Settings(bamboohr_url="http://127.0.0.1:9/big-acme"), "acme") == "http://127.0.0.1:9/big-acme/acme"


def listed(*numbers: str, after: str | None, restricted: tuple[str, ...] = ()) -> Reply:
    rows = [
        {"employeeId": n, "status": "Active", "workEmail": None, "_restrictedFields": list(restricted)} for n in numbers
    ]
    return Reply({"data": rows, "meta": {"total": 3, "page": {"limit": 2500, "nextCursor": after, "prevCursor": None}}})


FEED = {
    "latest": "2026-03-04T09:15:00+00:00",
    "employees": {
        "42": {"id": "42", "action": "Updated", "lastChanged": "2026-03-04T09:15:00+00:00"},
        "43": {"id": "43", "action": "Deleted", "lastChanged": "2026-03-04T09:02:10+00:00"},
        "0": {"id": "0", "action": "Updated", "lastChanged": "2026-03-04T09:02:10+00:00"},
        "../44": {"id": "../44", "action": "Updated", "lastChanged": "2026-03-04T09:02:10+00:00"},
        "45": {"id": 45, "action": "{}", "lastChanged": "yesterday"},
    },
}
SINCE = datetime(2026, 3, 4, 9, 0, 0, 900_000, tzinfo=timezone(timedelta(hours=1)))


async def test_whoever_changed_is_told_with_the_time_by_bamboohrs_clock() -> None:
    date = {"Date": "Wed, 04 Mar 2026 09:15:07 GMT"}
    async with company([Reply(FEED, headers=date)]) as (client, server, door):
        feed = await client.changed(SINCE)
    (seen,) = server.seen
    assert (seen.path, seen.query) == (
        "/acme/api/v1/employees/changed",
        {"since": "2026-03-04T08:00:00Z", "type": "all"},
    )
    assert door.admitted == [("changed", False)]
    assert feed.changes == (
        Changed(ADA, "Updated", datetime(2026, 3, 4, 9, 15, tzinfo=UTC)),
        Changed(EmployeeId("43"), "Deleted", datetime(2026, 3, 4, 9, 2, 10, tzinfo=UTC)),
        Changed(EmployeeId("45"), "", None),
    )
    assert feed.told_at == datetime(2026, 3, 4, 9, 15, 7, tzinfo=UTC)
    assert feed.ahead == timedelta(seconds=-7)  # the test's clock stands at 9:15


@pytest.mark.parametrize("nobody", [{}, []], ids=["an empty map", "an empty list, as PHP writes it"])
async def test_that_nobody_has_changed_may_be_written_in_two_ways(nobody: object) -> None:
    async with company([Reply({"latest": None, "employees": nobody})]) as (client, _, _):
        assert (await client.changed(SINCE)).changes == ()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(b"<result/>"), Unavailable),
        (Reply({"employees": [1]}), Unavailable),
        (Reply({"employees": {"42": "Updated"}}), Unavailable),
        (Reply({"latest": "2026-03-04T09:15:00Z"}), Unavailable),
        (half(FEED), Unavailable),
        (Reply(status=400), Unavailable),
        (Reply(status=403), CredentialsRefused),
        (Reply(status=429, headers={"Retry-After": "7"}), RateLimited),
        (Reply(status=503), Unavailable),
    ],
)
async def test_what_is_no_whole_feed_is_nobodys_news(reply: Reply, error: type[Exception]) -> None:
    async with company([reply]) as (client, _, _):
        with pytest.raises(error):
            await client.changed(SINCE)


async def test_everybody_is_read_page_after_page_and_what_is_withheld_is_named() -> None:
    pages = [listed("1", "2", after="c1"), listed("3", after=None, restricted=("workEmail",))]
    async with company(pages) as (client, server, door):
        found = [page async for page in client.people(("status", "workEmail"))]
    assert [who for page in found for who, _ in page.rows] == ["1", "2", "3"]
    assert [page.restricted for page in found] == [frozenset(), {"workEmail"}]
    assert found[0].rows[0][1]["workEmail"] == ""
    assert "workEmail" not in found[1].rows[0][1]
    assert [seen.query.get("page[after]") for seen in server.seen] == [None, "c1"]
    assert server.seen[0].query["page[limit]"] == "2500"
    assert door.admitted == [("people", False)] * 2


async def test_a_page_that_does_not_come_is_asked_for_at_half_its_size_until_the_list_was_read() -> None:
    whole = [listed("1", after="c1"), listed("2", after=None), listed("1", after=None)]
    script = [DROPPED, half(whole[0].body), Reply(status=503), *whole]
    async with company(script) as (client, server, _):
        after: str | None = None
        for _ in script:
            with suppress(Unavailable):
                after = (await client.page(("status",), after)).next
    assert [seen.query["page[limit]"] for seen in server.seen] == ["2500", "1250", "625", "625", "625", "2500"]


async def test_a_list_that_moved_is_to_be_read_anew() -> None:
    moved = Reply({"error": {"code": "BadPage", "message": "gone"}}, 400)
    async with company([listed("1", after="c1"), moved]) as (client, _, _):
        pages = client.people(("status",))
        await anext(pages)
        with pytest.raises(PageMoved):
            await anext(pages)


@pytest.mark.parametrize(
    "page", [Reply({"data": []}), Reply([]), listed(after="c1"), Reply({"data": [{}], "meta": {"page": {}}})]
)
async def test_a_page_that_is_none_or_leads_nowhere_is_no_answer(page: Reply) -> None:
    async with company([page]) as (client, _, _):
        with pytest.raises(Unavailable):
            await anext(client.people(("status",)))


async def test_fields_are_known_by_their_ids_and_aliases() -> None:
    rows = [
        {"id": 1, "name": "First name", "alias": "firstName"},
        {"id": "16.1", "name": "Other"},
        {"id": 2, "alias": 7, "type": "date"},
        {"alias": "nobody"},
        "x",
    ]
    async with company([Reply(rows)]) as (client, _, _):
        assert await client.fields() == (
            HrField("1", "firstName", "None"),
            HrField("16.1", None, "None"),
            HrField("2", None, "date"),
        )
    async with company([Reply(status=403)]) as (client, _, _):
        with pytest.raises(CredentialsRefused):
            await client.fields()
