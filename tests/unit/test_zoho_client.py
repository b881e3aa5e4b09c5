"""The Zoho Books client against a server written from Zoho's rules, with every answer that is not certain both ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from stream.core.schemas import CustomField
from stream.errors import (
    AnswerLost,
    ConnectionMisset,
    CredentialsRefused,
    NotFound,
    RateLimited,
    RecordRefused,
    RosterbookError,
    Unavailable,
)
from stream.records import ContactId
from stream.settings import Settings
from stream.telemetry import Masked
from stream.tokens import AccessTokens, HeldTokens
from stream.zoho.client import ZohoBooks
from stream.zoho.errors import (
    BlockedForAWhile,
    DailyLimitHit,
    InvalidValue,
    MalformedBody,
    MinuteLimitHit,
    NameTaken,
    NoAccess,
    RefusedByZoho,
    TooManyInFlight,
    WrongOrganization,
)
from stream.zoho.models import DailyBudget
from stream.zoho.oauth import ZohoAccounts
from tests.unit.vendor import DROPPED, SILENT, Door, HandClock, Reply, Seen, Vendor, half, vendor

ORG = "10234695"
ADA = ContactId("4600000000000260491")
"""Above 2^53: a float would make another contact of it."""
PERSON = {
    "contact_person_id": "4600000000000260501",
    "first_name": "Ada",
    "last_name": "Moreno",
    "email": "Ada@example.test",
    "phone": "+44",
    "is_primary_contact": True,
}
CONTACT = {
    "contact_id": ADA,
    "contact_name": "Ada Moreno",
    "contact_type": "vendor",
    "status": "active",
    "contact_persons": [PERSON],
    "custom_fields": [{"field_id": "46001", "api_name": "cf_state", "label": "State", "value": "active"}],
}
OK = Reply({"code": 0, "message": "success", "contact": CONTACT})
ORGANIZATIONS = {"code": 0, "message": "success", "organizations": [{"organization_id": ORG, "name": "Acme"}]}


@dataclass
class Books:
    """The client under test and all that it touches."""

    client: ZohoBooks
    server: Vendor
    door: Door

    @property
    def calls(self) -> list[Seen]:
        return [seen for seen in self.server.seen if seen.path.startswith("/books/v3")]


@asynccontextmanager
async def books(
    script: list[Reply] | Callable[[Seen], Reply], *, deadline: float = 5.0, api_url: str | None = None
) -> AsyncIterator[Books]:
    """script: the answers of the API; tokens are handed out beside it, numbered."""
    answers, tokens = iter(script if isinstance(script, list) else ()), iter(range(1, 100))

    def answer(seen: Seen) -> Reply:
        if seen.path == "/oauth/v2/token":
            return Reply({"access_token": f"1000.{next(tokens)}", "expires_in": 3600})
        return script(seen) if callable(script) else next(answers)

    async def save(_: HeldTokens) -> None: ...

    clock, door = HandClock(), Door()
    async with vendor(answer) as (server, session):
        secret = Masked("s")
        held = AccessTokens(
            session,
            ZohoAccounts(secret, secret, Settings(zoho_accounts_url=server.url), "eu"),
            refresh_token=secret,
            held=None,
            save=save,
            admit=Door().admit,
            deadline=deadline,
            clock=clock,
        )
        url = api_url or f"{server.url}/books/v3"
        yield Books(ZohoBooks(session, url, ORG, held, admit=door.admit, deadline=deadline, clock=clock), server, door)


def refusal(status: int, code: int, **headers: str) -> Reply:
    return Reply({"code": code, "message": "Ada Moreno did it"}, status, headers)


def row(number: int, email: str = "other@example.test", *, created: str = "2026-01-09T13:16:32-0400") -> dict[str, str]:
    return {
        "contact_id": f"46000000000000{number:05}",
        "contact_name": "Somebody",
        "contact_type": "customer",
        "status": "inactive",
        "email": email,
        "created_time": created,
        "last_modified_time": created,
    }


def pages(
    *contents: list[dict[str, str]], sort: tuple[str, str] | None = ("contact_name", "A")
) -> Callable[[Seen], Reply]:
    """A list that ignores every filter and every wish about the order. sort: what it says of its order."""

    def answer(seen: Seen) -> Reply:
        number = int(seen.query["page"])
        context: dict[str, object] = {"page": number, "per_page": 200, "has_more_page": number < len(contents)}
        if sort is not None:
            context |= {"sort_column": sort[0], "sort_order": sort[1]}
        return Reply({"code": 0, "contacts": contents[number - 1], "page_context": context})

    return answer


Write = Callable[[ZohoBooks], Awaitable[object]]
WRITES: dict[str, Write] = {
    "create": lambda client: client.create({"contact_name": "Ada"}),
    "update": lambda client: client.update(ADA, {"notes": "x"}),
    "activate": lambda client: client.mark_active(ADA),
    "deactivate": lambda client: client.mark_inactive(ADA),
    "upsert": lambda client: client.upsert("cf_employee_id", "7", {"contact_name": "Ada"}),
}
every_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())


async def test_each_call_names_the_organization_and_carries_the_token() -> None:
    async with books([OK] * (1 + len(WRITES))) as fake:
        await fake.client.contact(ADA)
        for write in WRITES.values():
            await write(fake.client)
    assert [(seen.method, seen.path.removeprefix("/books/v3")) for seen in fake.calls] == [
        ("GET", f"/contacts/{ADA}"),
        ("POST", "/contacts"),
        ("PUT", f"/contacts/{ADA}"),
        ("POST", f"/contacts/{ADA}/active"),
        ("POST", f"/contacts/{ADA}/inactive"),
        ("PUT", "/contacts"),
    ]
    assert all(seen.query == {"organization_id": ORG} for seen in fake.calls)
    assert all(seen.headers["authorization"] == "Zoho-oauthtoken 1000.1" for seen in fake.calls)
    assert fake.calls[1].headers["content-type"] == "application/json"
    assert fake.calls[1].json == {"contact_name": "Ada"}
    assert fake.calls[3].body == b""
    named = {name: text for name, text in fake.calls[5].headers.items() if name.startswith("x-u")}
    assert named == {
        "x-unique-identifier-key": "cf_employee_id",
        "x-unique-identifier-value": "7",
        "x-upsert": "true",
    }
    assert fake.door.admitted == [("contact", False)] + [(name, True) for name in WRITES]


@every_write
async def test_a_write_is_held_back_when_it_may_not_be_sent_any_more_as_its_bytes_would_go(write: Write) -> None:
    async with books([OK]) as fake:
        await fake.client.contact(ADA)
        fake.door.still = False
        with pytest.raises(Unavailable, match="held back"):
            await write(fake.client)
        assert [seen.method for seen in fake.calls] == ["GET"]
        assert fake.door.in_flight == 0


async def test_reads_a_contact_in_full_and_keeps_what_is_not_ours() -> None:
    async with books([OK]) as fake:
        actual = await fake.client.contact(ADA)
    assert actual.contact_id == ADA
    assert (actual.contact_name, actual.contact_type, actual.active) == ("Ada Moreno", "vendor", True)
    assert actual.custom_fields == {"cf_state": "active"}
    (person,) = actual.persons
    assert person is actual.primary
    assert (person.first_name, person.email, person.department) == ("Ada", "Ada@example.test", "")
    assert person.raw == PERSON


@pytest.mark.parametrize("persons", [[], [{**PERSON, "contact_person_id": "9", "is_primary_contact": False}]])
async def test_a_primary_person_that_only_the_top_of_the_contact_shows_is_not_lost(persons: list[Any]) -> None:
    top = {"primary_contact_id": "4600000000000260501", "first_name": "Ada", "email": "ada@example.test"}
    async with books([Reply({"code": 0, "contact": {**CONTACT, **top, "contact_persons": persons}})]) as fake:
        actual = await fake.client.contact(ADA)
    assert actual.primary is not None
    assert (actual.primary.contact_person_id, actual.primary.email) == ("4600000000000260501", "ada@example.test")
    assert len(actual.persons) == len(persons) + 1


async def test_the_primary_person_is_known_by_its_id_where_no_person_is_marked() -> None:
    unmarked = {**PERSON, "is_primary_contact": None}
    body = {**CONTACT, "primary_contact_id": PERSON["contact_person_id"], "contact_persons": [unmarked]}
    async with books([Reply({"code": 0, "contact": body})]) as fake:
        actual = await fake.client.contact(ADA)
    assert actual.primary is actual.persons[0]


async def test_where_no_primary_person_is_named_the_first_one_is_it() -> None:
    persons = [
        {**PERSON, "is_primary_contact": False},
        {**PERSON, "contact_person_id": "9", "is_primary_contact": False},
    ]
    async with books([Reply({"code": 0, "contact": {**CONTACT, "contact_persons": persons}})]) as fake:
        actual = await fake.client.contact(ADA)
    assert [person.is_primary for person in actual.persons] == [True, False]
    assert actual.persons[0].raw == persons[0]


async def test_ids_sent_as_numbers_stay_exact_and_floats_are_not_guessed_at() -> None:
    as_number, as_float = {**CONTACT, "contact_id": int(ADA)}, {**CONTACT, "contact_id": float(ADA)}
    async with books([Reply({"code": 0, "contact": as_number}), Reply({"code": 0, "contact": as_float})]) as fake:
        assert (await fake.client.contact(ADA)).contact_id == ADA
        with pytest.raises(Unavailable):
            await fake.client.contact(ADA)


async def test_a_contact_that_another_id_answers_for_is_not_taken() -> None:
    async with books([Reply({"code": 0, "contact": {**CONTACT, "contact_id": "46"}})] * 2) as fake:
        with pytest.raises(Unavailable):
            await fake.client.contact(ADA)
        with pytest.raises(AnswerLost):
            await fake.client.update(ADA, {})


@pytest.mark.parametrize("status", [200, 201])
async def test_a_create_is_done_with_either_status(status: int) -> None:
    async with books([Reply({"code": 0, "contact": CONTACT}, status)]) as fake:
        assert (await fake.client.create({"contact_name": "Ada"})).contact_id == ADA


async def test_finds_by_an_address_that_differs_in_case_and_space_and_escapes_it() -> None:
    async with books(pages([row(1, " Ada+Hr@Example.test "), row(2)])) as fake:
        found = await fake.client.find_by_email(" ada+hr@example.TEST")
    assert [(hit.contact_id, hit.active, hit.contact_type) for hit in found] == [
        ("4600000000000000001", False, "customer")
    ]
    (seen,) = fake.calls
    assert seen.query["email"] == "ada+hr@example.TEST"
    assert seen.query["filter_by"] == "Status.All"
    assert seen.query["per_page"] == "200"


async def test_an_ignored_filter_is_seen_through_over_all_pages() -> None:
    async with books(pages([row(1), row(2)], [row(2), row(3, "ada@example.test")], [row(4)])) as fake:
        found = await fake.client.find_by_email("ada@example.test")
    assert [hit.contact_id for hit in found] == ["4600000000000000003"]
    assert len(fake.calls) == 3


async def test_pages_that_do_not_come_on_are_no_answer() -> None:
    reply = Reply({"code": 0, "contacts": [row(1)], "page_context": {"has_more_page": True}})
    async with books(lambda _: reply) as fake:
        with pytest.raises(Unavailable):
            await fake.client.find_by_email("ada@example.test")
    assert len(fake.calls) == 2


async def test_a_list_without_its_contacts_is_no_answer() -> None:
    async with books([Reply({"code": 0, "message": "success"})]) as fake:
        with pytest.raises(Unavailable):
            await fake.client.find_by_email("ada@example.test")


UNTIL = datetime(2026, 3, 4, 9, 15, 0, 700_000, tzinfo=UTC)
NEW, SAME_SECOND, OLD = "2026-03-04T05:20:00-0400", "2026-03-04T09:15:00+0000", "2026-03-04T09:14:59+0000"


async def test_the_newest_are_read_back_to_the_second_asked_for_and_no_further() -> None:
    mine = "ada@example.test"
    contents = (
        [row(5), row(4, mine, created=NEW)],
        [row(3, mine, created=SAME_SECOND), row(2, mine, created=OLD)],
        [row(1)],
    )
    contents[0][0]["created_time"] = NEW
    async with books(pages(*contents, sort=("created_time", "D"))) as fake:
        found = await fake.client.newest(UNTIL, email="Ada@example.test")
    assert [hit.created_time for hit in found] == [NEW, SAME_SECOND]
    assert len(fake.calls) == 2
    assert (fake.calls[0].query["sort_column"], fake.calls[0].query["sort_order"]) == ("created_time", "D")


@pytest.mark.parametrize("sort", [None, ("contact_name", "A"), ("created_time", "A"), ("created_time", "D")])
async def test_the_newest_are_found_even_when_the_order_is_ignored(sort: tuple[str, str] | None) -> None:
    mine = "ada@example.test"
    contents = [row(1, created=OLD), row(2, created=NEW)], [row(3, created=OLD)], [row(4, mine, created=NEW)]
    async with books(pages(*contents, sort=sort)) as fake:
        assert [hit.created_time for hit in await fake.client.newest(UNTIL, email=mine)] == [NEW]
        assert len(fake.calls) == 3


@pytest.mark.parametrize("sort", [None, ("contact_name", "A"), ("created_time", "A")])
async def test_an_import_of_one_second_is_not_taken_for_an_order(sort: tuple[str, str] | None) -> None:
    mine = "ada@example.test"
    imported = [row(number, created=OLD) for number in range(9)]
    async with books(pages(imported, [row(10, mine, created=NEW)], sort=sort)) as fake:
        assert len(await fake.client.newest(UNTIL, email=mine)) == 1


BY_CHANGE = ("last_modified_time", "D")


async def test_what_has_changed_is_read_back_to_the_second_asked_for_and_no_further() -> None:
    contents = [row(5, created=NEW)], [row(3, created=SAME_SECOND), row(2, created=OLD)], [row(1, created=OLD)]
    async with books(pages(*contents, sort=BY_CHANGE)) as fake:
        found = await fake.client.modified_since(UNTIL)
    assert found is not None
    assert [hit.last_modified_time for hit in found] == [NEW, SAME_SECOND]
    assert len(fake.calls) == 2
    assert (fake.calls[0].query["sort_column"], fake.calls[0].query["sort_order"]) == BY_CHANGE


@pytest.mark.parametrize(
    ("sort", "times"),
    [
        (None, [NEW, OLD]),
        (("contact_name", "A"), [NEW, OLD]),
        (("last_modified_time", "A"), [NEW, OLD]),
        (BY_CHANGE, [SAME_SECOND, NEW]),
        (BY_CHANGE, ["yesterday"]),
    ],
)
async def test_nothing_is_known_of_what_has_changed_where_the_order_is_not_borne_out(
    sort: tuple[str, str] | None, times: list[str]
) -> None:
    rows = [row(number, created=time) for number, time in enumerate(times)]
    async with books(pages(rows, [row(9, created=NEW)], sort=sort)) as fake:
        assert await fake.client.modified_since(UNTIL) is None
    assert len(fake.calls) == 1


async def test_a_page_of_all_contacts_is_of_the_size_asked_for_and_the_oldest_first() -> None:
    async with books(pages([row(1)], [row(2)])) as fake:
        page = await fake.client.listed(1, 180)
    assert ([hit.contact_id for hit in page.rows], page.more) == ([row(1)["contact_id"]], True)
    asked = fake.calls[0].query
    assert (asked["page"], asked["per_page"], asked["filter_by"]) == ("1", "180", "Status.All")
    assert (asked["sort_column"], asked["sort_order"]) == ("created_time", "A")


@pytest.mark.parametrize("unreadable", ["", "yesterday", "2026-03-04T09:15:00"])
async def test_a_creation_time_that_cannot_be_read_counts_as_new(unreadable: str) -> None:
    async with books(pages([row(1, "ada@example.test", created=unreadable)], [row(2, created=OLD)])) as fake:
        assert len(await fake.client.newest(UNTIL, email="ada@example.test")) == 1
        assert len(fake.calls) == 2


@pytest.mark.parametrize(
    ("reply", "kind", "wait"),
    [
        (refusal(429, 43, **{"Retry-After": "3600"}), BlockedForAWhile, 3600),
        (refusal(429, 43), BlockedForAWhile, 3600),
        (refusal(429, 44), MinuteLimitHit, 60),
        (refusal(429, 44, **{"Retry-After": "Wed, 04 Mar 2026 09:15:30 GMT"}), MinuteLimitHit, 30),
        (refusal(400, 44), MinuteLimitHit, 60),
        (
            refusal(
                429, 45, **{"X-Rate-Limit-Limit": "1000", "X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "1234"}
            ),
            DailyLimitHit,
            1234,
        ),
        (refusal(429, 45), DailyLimitHit, 3600),
        (refusal(429, 1070), TooManyInFlight, 2),
        (Reply(b"slow down", 429), RateLimited, 60),
    ],
)
@every_write
async def test_each_limit_has_its_class_and_its_wait_and_nothing_was_applied(
    write: Write, reply: Reply, kind: type[RateLimited], wait: float
) -> None:
    async with books([reply]) as fake:
        with pytest.raises(kind) as caught:
            await write(fake.client)
    assert caught.value.retry_after == wait
    assert len(fake.calls) == 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, 2, InvalidValue),
        (200, 4, InvalidValue),
        (400, 1038, MalformedBody),
        (400, 3062, NameTaken),
        (404, 5, NotFound),
        (404, 1002, NotFound),
        (400, 1002, NotFound),
        (404, 77, NotFound),
        (400, 99_999, RefusedByZoho),
        (403, 99_999, NoAccess),
        (400, 6041, WrongOrganization),
    ],
)
async def test_a_code_decides_whatever_the_message(status: int, code: int, kind: type[RosterbookError]) -> None:
    script = lambda seen: Reply(ORGANIZATIONS) if "organizations" in seen.path else refusal(status, code)  # noqa: E731
    async with books(script) as fake:
        with pytest.raises(kind) as caught:
            await fake.client.update(ADA, {})
    assert caught.value.context["code"] == code
    assert "Ada" not in caught.value.message + repr(caught.value.context)


@pytest.mark.parametrize(
    "reply",
    [
        refusal(500, 1000),
        refusal(400, 1000),
        refusal(503, 0),
        Reply(b"<html>", 200),
        Reply(b"<html>", 404),
        Reply(b"", 400),
        Reply({"contact": CONTACT}),
        Reply({"code": 0}, 404),
        Reply({"code": True, "contact": CONTACT}),
        half(OK.body),
        DROPPED,
        SILENT,
    ],
    ids=["500", "1000", "503", "page", "page 404", "400", "no code", "0 with 404", "true", "half", "dropped", "silent"],
)
@pytest.mark.parametrize("write", [None, *WRITES.values()], ids=["read", *WRITES])
async def test_no_usable_answer_is_harmless_to_a_read_and_leaves_a_write_open(
    write: Write | None, reply: Reply
) -> None:
    async with books([reply], deadline=0.3) as fake:
        with pytest.raises(Unavailable if write is None else AnswerLost):
            await (fake.client.contact(ADA) if write is None else write(fake.client))
    assert len(fake.calls) == 1
    assert fake.door.in_flight == 0


async def test_looking_for_a_unique_field_changes_nothing_and_so_leaves_nothing_open() -> None:
    async with books([DROPPED, OK], deadline=0.3) as fake:
        with pytest.raises(Unavailable):
            await fake.client.with_field("cf_employee_id", "7")
        await fake.client.with_field("cf_employee_id", "7")
    first, second = fake.calls
    assert first.json == second.json == {"custom_fields": [{"api_name": "cf_employee_id", "value": "7"}]}
    assert "x-upsert" not in {name.lower() for name in second.headers}


@every_write
async def test_a_write_that_reached_nobody_is_certainly_not_applied(write: Write, unused_tcp_port: int) -> None:
    async with books([], api_url=f"http://127.0.0.1:{unused_tcp_port}/books/v3") as fake:
        with pytest.raises(Unavailable):
            await write(fake.client)


@every_write
async def test_a_write_is_never_sent_twice_when_a_kept_connection_ends_under_it(write: Write) -> None:
    async with books([OK, DROPPED, OK]) as fake:
        await fake.client.contact(ADA)
        with pytest.raises(AnswerLost):
            await write(fake.client)
        assert len(fake.calls) == 2


async def test_a_read_is_not_sent_twice_beside_the_quota() -> None:
    async with books([OK, DROPPED, OK]) as fake:
        await fake.client.contact(ADA)
        with pytest.raises(Unavailable):
            await fake.client.contact(ADA)
    assert len(fake.calls) == len(fake.door.admitted) == 2


@every_write
async def test_a_redirect_is_never_followed(write: Write) -> None:
    async with books([Reply(status=308, headers={"Location": "/elsewhere"})]) as fake:
        with pytest.raises(ConnectionMisset):
            await write(fake.client)
    assert len(fake.calls) == 1


@pytest.mark.parametrize("reply", [refusal(401, 57), refusal(401, 14), Reply(b"", 401)], ids=["57", "14", "bare"])
@every_write
async def test_a_refused_token_is_replaced_once_and_the_call_repeated_once(write: Write, reply: Reply) -> None:
    async with books([reply, OK]) as fake:
        await write(fake.client)
    assert [seen.headers["authorization"] for seen in fake.calls] == [
        "Zoho-oauthtoken 1000.1",
        "Zoho-oauthtoken 1000.2",
    ]
    assert len(fake.door.admitted) == 2


async def test_many_calls_with_one_refused_token_share_one_new_one() -> None:
    def answer(seen: Seen) -> Reply:
        return refusal(401, 57) if seen.headers["authorization"].endswith("1000.1") else OK

    async with books(answer) as fake:
        await asyncio.gather(*(fake.client.contact(ADA) for _ in range(10)))
    assert len(fake.server.seen) - len(fake.calls) == 2


async def test_a_fresh_token_that_is_refused_needs_a_person_and_costs_no_more_tokens() -> None:
    script = lambda seen: Reply(ORGANIZATIONS) if "organizations" in seen.path else refusal(401, 57)  # noqa: E731
    async with books(script) as fake:
        for _ in range(3):
            with pytest.raises(CredentialsRefused, match=r"ZohoBooks\.contacts\.CREATE"):
                await fake.client.contact(ADA)
    assert len(fake.server.seen) - len(fake.calls) == 2


@pytest.mark.parametrize("reply", [refusal(400, 2), refusal(400, 1234), refusal(401, 57), refusal(400, 6041)])
async def test_a_wrong_organization_is_told_from_a_bad_record_whatever_the_code(reply: Reply) -> None:
    others = {**ORGANIZATIONS, "organizations": [{"organization_id": "999"}]}
    async with books(lambda seen: Reply(others) if "organizations" in seen.path else reply) as fake:
        with pytest.raises(ConnectionMisset):
            await fake.client.create({"contact_name": "Ada"})


@pytest.mark.parametrize("unhelpful", [refusal(401, 57), refusal(404, 5), Reply(b"404: Not Found", 404)])
async def test_a_refusal_stands_where_the_organizations_cannot_be_listed(unhelpful: Reply) -> None:
    async with books(lambda seen: unhelpful if "organizations" in seen.path else refusal(400, 2)) as fake:
        with pytest.raises(InvalidValue):
            await fake.client.create({"contact_name": "Ada"})


async def test_a_refusal_is_not_believed_while_the_organizations_cannot_be_asked() -> None:
    async with books(lambda seen: Reply(status=502) if "organizations" in seen.path else refusal(400, 2)) as fake:
        with pytest.raises(Unavailable):
            await fake.client.create({"contact_name": "Ada"})


async def test_once_the_organization_has_answered_a_bad_record_costs_no_second_call() -> None:
    async with books([OK, refusal(400, 2)]) as fake:
        await fake.client.contact(ADA)
        with pytest.raises(RecordRefused):
            await fake.client.create({"contact_name": "Ada"})
    assert len(fake.calls) == 2


async def test_the_organizations_are_listed_without_naming_one() -> None:
    async with books([Reply(ORGANIZATIONS), Reply({"code": 0})]) as fake:
        (found,) = await fake.client.organizations()
        with pytest.raises(Unavailable):
            await fake.client.organizations()
    assert (found.organization_id, found.name, found.active) == (ORG, "Acme", True)
    assert fake.calls[0].query == {}


async def test_custom_fields_are_listed_with_the_options_that_may_be_chosen() -> None:
    office = {
        "api_name": "cf_office",
        "data_type": "dropdown",
        "values": [{"name": "Leeds", "is_active": True}, {"name": "York", "is_active": False}, {"name": "Hull"}],
    }
    number = {"api_name": "cf_number", "data_type": "string", "is_unique": True}
    async with books([Reply({"code": 0, "fields": [office, number]}), Reply({"code": 0})]) as fake:
        assert await fake.client.custom_fields() == [
            CustomField("cf_office", "dropdown", ("Leeds", "Hull")),
            CustomField("cf_number", "string", unique=True),
        ]
        with pytest.raises(Unavailable):
            await fake.client.custom_fields()
    assert fake.calls[0].query == {"organization_id": ORG, "entity": "contact"}


async def test_the_calls_left_today_are_known_where_zoho_tells_them() -> None:
    told = {"X-Rate-Limit-Limit": "5000", "X-Rate-Limit-Remaining": "4321", "X-Rate-Limit-Reset": "3600"}
    async with books(
        [OK, Reply(OK.body, headers=told), OK, Reply(OK.body, headers={**told, "X-Rate-Limit-Reset": "?"})]
    ) as fake:
        await fake.client.contact(ADA)
        assert fake.client.daily_budget is None
        for _ in range(3):
            await fake.client.contact(ADA)
            assert fake.client.daily_budget == DailyBudget(5000, 4321, 3600)


@pytest.mark.parametrize("contact", ["", "..", "46/active", "46?x", "46%2F"])
async def test_what_is_no_id_never_reaches_the_api(contact: str) -> None:
    async with books([OK]) as fake:
        for call in (fake.client.contact, fake.client.mark_active):
            with pytest.raises(RecordRefused):
                await call(ContactId(contact))
    assert fake.server.seen == []


async def test_the_deadline_starts_after_admission() -> None:
    async with books([OK], deadline=0.3) as fake:
        release = asyncio.Event()
        fake.door.before = release.wait  # type: ignore[assignment]  # the answer is not looked at
        waiting = asyncio.create_task(fake.client.contact(ADA))
        asyncio.get_running_loop().call_later(0.5, release.set)
        assert (await waiting).contact_id == ADA


async def test_no_connection_takes_longer_to_stand_than_its_share_of_the_deadline() -> None:
    """All slots of the pool are taken: nothing was sent, so nothing is lost."""
    async with (
        vendor([SILENT]) as (server, _),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
    ):
        blocking = asyncio.create_task(session.get(server.url).__aenter__())
        while not server.seen:
            await asyncio.sleep(0)
        held = HeldTokens(Masked("1000.a"), HandClock().now() + timedelta(hours=1))
        secret, door, clock = Masked("s"), Door(), HandClock()

        async def save(_: HeldTokens) -> None: ...

        tokens = AccessTokens(
            session,
            ZohoAccounts(secret, secret, Settings(zoho_accounts_url=server.url), "eu"),
            refresh_token=secret,
            held=held,
            save=save,
            admit=door.admit,
            deadline=0.3,
            clock=clock,
        )
        client = ZohoBooks(session, server.url, ORG, tokens, admit=door.admit, deadline=0.3, clock=clock)
        with pytest.raises(Unavailable):
            await client.create({"contact_name": "Ada"})
        assert len(server.seen) == 1
        blocking.cancel()
        await asyncio.gather(blocking, return_exceptions=True)
