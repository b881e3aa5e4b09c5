"""Whatever a vendor answers, the clients read it or say so with an error of the tree, and never guess."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any, Literal

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.bamboohr.models import reading
from stream.core.contact import email_key
from stream.errors import AnswerLost, RosterbookError, Unavailable
from stream.http import LONGEST_WAIT_S, Answer, Request, seconds_until
from stream.records import EmployeeId
from stream.zoho import models
from stream.zoho.errors import accepted
from tests.unit.test_zoho_client import books, pages, row

NOW = datetime(2026, 3, 4, 9, 15, tzinfo=UTC)
SECRET = "Ada Moreno"

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@given(st.text() | st.from_regex(r"[0-9]{1,400}(\.[0-9]+)?", fullmatch=True))
def test_a_wait_is_read_or_not_and_never_longer_than_a_day(text: str) -> None:
    wait = seconds_until(text, NOW)
    assert wait is None or 0 <= wait <= LONGEST_WAIT_S


@given(st.integers(-(10**6), 10**6), st.integers(-14 * 4, 14 * 4))
def test_a_wait_is_the_same_in_seconds_and_as_a_date_in_any_zone(seconds: int, quarters: int) -> None:
    zone = timezone(timedelta(minutes=15 * quarters))
    expected = min(max(seconds, 0), LONGEST_WAIT_S)
    assert seconds_until(format_datetime((NOW + timedelta(seconds=seconds)).astimezone(zone)), NOW) == expected
    assert seconds_until(str(max(seconds, 0)), NOW) == expected


@given(
    method=st.sampled_from(["GET", "POST", "PUT"]),
    status=st.sampled_from([200, 201, 204, 400, 401, 403, 404, 405, 408, 429, 500, 502, 503]),
    code=st.none() | st.sampled_from([0, 2, 4, 5, 14, 43, 44, 45, 57, 1000, 1002, 1038, 1070, 3062, 6041]) | values,
    whole=st.booleans(),
    headers=st.dictionaries(st.sampled_from(["retry-after", "x-rate-limit-reset", "x-rate-limit-limit"]), st.text()),
)
def test_an_answer_is_a_success_by_status_and_code_or_an_error_that_says_what_is_certain(
    method: Literal["GET", "POST", "PUT"], status: int, code: Any, whole: bool, headers: dict[str, str]
) -> None:
    body = orjson.dumps({"message": SECRET} if code is None else {"message": SECRET, "code": code})
    request = Request("zoho", "create", method, "http://127.0.0.1/contacts", {})
    outcome = outcome_of(request, Answer(status, headers, body if whole else body[:-1]))
    if isinstance(outcome, RosterbookError):
        assert not isinstance(outcome, Unavailable if request.changes else AnswerLost)
        assert SECRET not in outcome.message + repr(outcome.context)
    else:
        assert whole
        assert 200 <= status < 300
        assert int(outcome["code"]) == 0


def outcome_of(request: Request, answer: Answer) -> dict[str, Any] | RosterbookError:
    try:
        return accepted(request, answer, NOW)
    except RosterbookError as error:
        return error


@given(values)
def test_a_contact_is_read_or_refused(raw: Any) -> None:
    for read in (models.contact, models.contact_row, models.organization):
        with contextlib.suppress(models.Unreadable):
            read(raw)


@given(
    st.fixed_dictionaries(
        {"contact_id": st.integers(10**17, 2**63 - 1)},
        optional={
            "contact_persons": values
            | st.lists(st.dictionaries(st.sampled_from(["email", "contact_person_id"]), values)),
            "primary_contact_id": values,
            "custom_fields": values | st.lists(st.dictionaries(st.sampled_from(["api_name", "value"]), values)),
            "custom_field_hash": values,
            "status": values,
            "email": values,
        },
    ),
    st.booleans(),
)
def test_an_id_survives_exactly_whatever_else_a_contact_holds(body: dict[str, Any], as_text: bool) -> None:
    number = body["contact_id"]
    sent = orjson.dumps({**body, "contact_id": str(number) if as_text else number})
    try:
        actual = models.contact(orjson.loads(sent))
    except models.Unreadable:
        return
    assert actual.contact_id == str(number)
    assert all(isinstance(value, str) for value in actual.custom_fields.values())


names = st.sampled_from(["firstName", "workEmail", "hireDate", "status", "id"])


@given(st.dictionaries(names, values), st.lists(names, unique=True), st.lists(names) | values)
def test_a_field_is_there_exactly_when_the_answer_held_it(
    body: dict[str, Any], asked: list[str], restricted: Any
) -> None:
    found = reading({**body, "id": "42", "_restrictedFields": restricted}, EmployeeId("42"), asked)
    assert found is not None
    withheld = [name for name in restricted if isinstance(name, str)] if isinstance(restricted, list) else []
    assert set(found) == {name for name in asked if (name in body or name == "id") and name not in withheld}
    assert all(isinstance(value, str) for value in found.values())
    assert all(found[name] == "" for name in set(found) - {"id"} if body[name] is None)


@given(values)
def test_an_answer_about_anybody_else_is_never_taken(other: Any) -> None:
    found = reading({"id": other}, EmployeeId("42"), ["id"])
    assert (found is not None) == (other in ("42", 42) and not isinstance(other, float))


addresses = st.sampled_from(["ada@example.test", " Ada@Example.test", "ada+x@example.test", "bo@example.test", ""])
listed = st.lists(st.tuples(addresses, st.integers(-5, 5)), max_size=12)


@settings(max_examples=40)
@given(listed, st.integers(1, 4), st.booleans())
def test_a_search_finds_exactly_the_matching_contacts_in_any_order_and_paging(
    contacts: list[tuple[str, int]], per_page: int, newest_first: bool
) -> None:
    if newest_first:
        contacts = sorted(contacts, key=lambda contact: -contact[1])
    rows = [
        row(number, email, created=(NOW + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S%z"))
        for number, (email, minutes) in enumerate(contacts)
    ]
    split = [rows[start : start + per_page] for start in range(0, len(rows), per_page)] or [[]]

    async def search() -> None:
        sort = ("created_time", "D") if newest_first else ("contact_name", "A")
        async with books(pages(*split, sort=sort)) as fake:
            found = {hit.contact_id for hit in await fake.client.find_by_email("ada@example.test")}
            assert found == {r["contact_id"] for r in rows if email_key(r["email"]) == "ada@example.test"}
            newest = await fake.client.newest(NOW, email="ada@example.test")
            assert {hit.contact_id for hit in newest} == {
                r["contact_id"]
                for r, (email, minutes) in zip(rows, contacts, strict=True)
                if email_key(email) == "ada@example.test" and minutes >= 0
            }
            moments = [hit.created_time for hit in newest]
            assert moments == sorted(moments, reverse=True)

    asyncio.run(search())
