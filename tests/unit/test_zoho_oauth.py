"""The access token of a connection, against an accounts server written from Zoho's rules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import parse_qs

import pytest

from stream.errors import ConnectionMisset, CredentialsRefused, LogUnavailable, RateLimited, Unavailable
from stream.settings import Settings
from stream.telemetry import Masked
from stream.tokens import AccessTokens, HeldTokens
from stream.zoho.oauth import ZohoAccounts
from stream.zoho.regions import REGIONS, accounts_url, api_url
from tests.unit.vendor import DROPPED, SILENT, Door, HandClock, Reply, Seen, Vendor, half, vendor

Script = list[Reply] | Callable[[Seen], Reply]


def granted(token: str = "1000.new", **more: object) -> Reply:
    return Reply({"access_token": token, "expires_in": 3600, "token_type": "Bearer", "scope": "x", **more})


def numbered(**more: object) -> Callable[[Seen], Reply]:
    """A new token each time: 1000.1, 1000.2, …"""
    count = iter(range(1, 1000))
    return lambda _: granted(f"1000.{next(count)}", **more)


@dataclass
class Office:
    """Tokens under test and all that they touch."""

    tokens: AccessTokens
    server: Vendor
    clock: HandClock
    door: Door
    saved: list[HeldTokens] = field(default_factory=list)


@asynccontextmanager
async def accounts(
    script: Script,
    *,
    held: tuple[str, float] | HeldTokens | None = None,
    deadline: float = 5.0,
    url: str | None = None,
    log_is_away: bool = False,
) -> AsyncIterator[Office]:
    """held: a token and the seconds it has to live, or one as it was saved (and is over by now)."""
    clock, door, saved = HandClock(), Door(), list[HeldTokens]()
    if isinstance(held, HeldTokens):
        clock.pass_time((held.expires_at - clock.now()).total_seconds())
    elif held is not None:
        held = HeldTokens(Masked(held[0]), clock.now() + timedelta(seconds=held[1]))

    async def save(token: HeldTokens) -> None:
        if log_is_away:
            raise LogUnavailable("Kafka is away.")
        saved.append(token)

    async with vendor(script) as (server, session):
        tokens = AccessTokens(
            session,
            ZohoAccounts(Masked("id"), Masked("s&cret"), Settings(zoho_accounts_url=url or server.url), "eu"),
            refresh_token=Masked("1000.r"),
            held=held,
            save=save,
            admit=door.admit,
            deadline=deadline,
            clock=clock,
        )
        yield Office(tokens, server, clock, door, saved)


async def test_a_held_token_is_used_and_nobody_is_asked() -> None:
    async with accounts([granted()], held=("1000.old", 1800)) as office:
        assert await office.tokens.token() == "1000.old"
    assert office.server.seen == []


async def test_asks_with_the_refresh_token_in_a_form_after_the_fence_and_saves_before_use() -> None:
    async with accounts([granted(refresh_token="1000.other", api_domain="https://evil.test")]) as office:
        assert await office.tokens.token() == "1000.new"
        office.clock.pass_time(3600)
        await office.tokens.token()
    first, second = office.server.seen
    assert (first.method, first.path, first.query) == ("POST", "/oauth/v2/token", {})
    assert first.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(first.body.decode()) == {
        "grant_type": ["refresh_token"],
        "client_id": ["id"],
        "client_secret": ["s&cret"],
        "refresh_token": ["1000.r"],
    }
    assert second.body == first.body  # the refresh token stays the one that was given
    assert office.door.admitted == [("token", True), ("token", True)]
    assert [token.access_token.reveal for token in office.saved] == ["1000.new", "1000.new"]
    assert office.saved[0].expires_at - office.saved[0].requested_at[0] == timedelta(hours=1)


async def test_one_request_serves_all_who_wait() -> None:
    async with accounts(numbered()) as office:
        assert set(await asyncio.gather(*(office.tokens.token() for _ in range(20)))) == {"1000.1"}
    assert len(office.server.seen) == 1


async def test_one_failure_serves_all_who_wait() -> None:
    async with accounts([Reply(status=500)]) as office:
        answers = await asyncio.gather(*(office.tokens.token() for _ in range(20)), return_exceptions=True)
        assert all(isinstance(answer, Unavailable) for answer in answers)
        assert len(office.server.seen) == 1
        with pytest.raises(Unavailable):
            await office.tokens.token()
    assert len(office.server.seen) == 2


async def test_who_is_cut_off_does_not_cut_off_the_renewal_that_others_wait_for() -> None:
    async with accounts([granted()]) as office:
        answered = asyncio.Event()
        office.door.before = answered.wait
        cut = asyncio.create_task(office.tokens.token())
        waiting = asyncio.create_task(office.tokens.token())
        await asyncio.sleep(0)
        cut.cancel()
        await asyncio.gather(cut, return_exceptions=True)
        answered.set()
        assert await waiting == "1000.new"
        assert cut.cancelled()
    assert len(office.server.seen) == 1


async def test_a_renewal_that_nobody_waits_for_any_more_is_not_sent() -> None:
    async with accounts([granted()]) as office:
        office.door.before = asyncio.Event().wait
        cut = asyncio.create_task(office.tokens.token())
        await asyncio.sleep(0)
        cut.cancel()
        await asyncio.gather(cut, return_exceptions=True)
        office.door.before = None
        assert await office.tokens.token() == "1000.new"
    assert office.door.admitted == [("token", True)]


async def test_renews_five_minutes_ahead() -> None:
    async with accounts([granted()], held=("1000.old", 3600)) as office:
        office.clock.pass_time(3299)
        assert await office.tokens.token() == "1000.old"
        office.clock.pass_time(1)
        assert await office.tokens.token() == "1000.new"
    assert len(office.server.seen) == 1


async def test_a_short_lived_token_is_not_renewed_at_every_call() -> None:
    async with accounts([granted(expires_in=60)]) as office:
        for _ in range(5):
            await office.tokens.token()
            office.clock.pass_time(10)
    assert len(office.server.seen) == 1


@pytest.mark.parametrize("told", [None, "", "soon", "nan", "1e400", 3_600_000, [], -1e9])
async def test_a_token_never_counts_as_alive_for_more_than_an_hour(told: object) -> None:
    async with accounts([granted(expires_in=told)]) as office:
        await office.tokens.token()
        office.clock.pass_time(3600)
        await office.tokens.token()
    assert len(office.server.seen) == 2


@pytest.mark.parametrize("trouble", [Reply(status=500), Reply(b"<html>", 200), DROPPED, SILENT])
async def test_a_renewal_that_fails_goes_unnoticed_while_the_old_token_lives(trouble: Reply) -> None:
    async with accounts([trouble], held=("1000.old", 200), deadline=0.3) as office:
        assert await office.tokens.token() == await office.tokens.token() == "1000.old"
        assert len(office.server.seen) == 1
        office.clock.pass_time(61)
        assert await office.tokens.token() == "1000.old"
        assert len(office.server.seen) == 2
        office.clock.pass_time(140)
        with pytest.raises(Unavailable):
            await office.tokens.token()


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"<html>busy</html>", headers={"Content-Type": "text/html"}),
        Reply(b"<html>busy</html>", 400),
        Reply(status=502),
        Reply({}),
        Reply({"access_token": ""}),
        Reply({"access_token": "1000.a\r\nX-Evil: 1"}),
        Reply(b'{"access_token":"1000'),
        half({"access_token": "1000.a"}),
        DROPPED,
        SILENT,
    ],
    ids=["page", "page 400", "502", "nothing", "empty", "line", "cut", "half", "dropped", "silent"],
)
async def test_an_unusable_answer_is_unavailable_and_never_a_lost_write(reply: Reply) -> None:
    async with accounts([reply], deadline=0.3) as office:
        with pytest.raises(Unavailable):
            await office.tokens.token()
    assert office.saved == []


@pytest.mark.parametrize("error", ["invalid_code", "invalid_client", "invalid_client_secret", "general_error", 7])
@pytest.mark.parametrize("status", [200, 400, 401])
async def test_a_refusal_needs_a_person_even_when_it_comes_with_http_200(status: int, error: object) -> None:
    async with accounts([Reply({"error": error}, status)], held=("1000.old", 200)) as office:
        with pytest.raises(CredentialsRefused) as caught:
            await office.tokens.token()
    assert "1000.r" not in repr(vars(caught.value))


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
async def test_a_throttle_waits_for_the_window_and_asks_nobody_meanwhile(status: int) -> None:
    body = {"error": "Access Denied", "error_description": "You have made too many requests", "status": "failure"}
    async with accounts([Reply(body, status), granted()]) as office:
        for passed, left in ((0, 600), (200, 400)):
            office.clock.pass_time(passed)
            with pytest.raises(RateLimited) as caught:
                await office.tokens.token()
            assert caught.value.retry_after == left
        assert len(office.server.seen) == 1
        office.clock.pass_time(400)
        assert await office.tokens.token() == "1000.new"


async def test_never_makes_an_eleventh_request_in_ten_minutes() -> None:
    async with accounts(numbered(expires_in=1)) as office:
        for number in range(1, 11):
            assert await office.tokens.token() == f"1000.{number}"
            office.clock.pass_time(301 if number == 1 else 1)
        with pytest.raises(RateLimited) as caught:
            await office.tokens.token()
        assert caught.value.retry_after == 600 - 301 - 9
        office.clock.pass_time(290)
        assert await office.tokens.token() == "1000.11"
    assert len(office.server.seen) == 11


async def test_the_requests_of_an_earlier_owner_count_too() -> None:
    async with accounts(numbered(expires_in=1)) as office:
        for _ in range(10):
            await office.tokens.token()
            office.clock.pass_time(1)
    async with accounts(numbered(), held=office.saved[-1]) as heir:
        with pytest.raises(RateLimited):
            await heir.tokens.token()
    assert heir.server.seen == []


async def test_a_request_that_was_never_sent_is_not_counted(unused_tcp_port: int) -> None:
    async with accounts(numbered(), url=f"http://127.0.0.1:{unused_tcp_port}") as office:
        for _ in range(12):
            with pytest.raises(Unavailable):
                await office.tokens.token()


async def test_a_refused_token_is_replaced_once_and_then_not_its_age_is_the_trouble() -> None:
    async with accounts(numbered(), held=("1000.old", 3000)) as office:
        assert office.tokens.refused("1000.old")
        assert office.tokens.refused("1000.old")  # others had the same one
        assert await office.tokens.token() == "1000.1"
        assert office.tokens.refused("1000.old")
        assert not office.tokens.refused("1000.1")
        assert await office.tokens.token() == "1000.1"
        office.clock.pass_time(301)
        assert office.tokens.refused("1000.1")
        assert await office.tokens.token() == "1000.2"


async def test_a_token_that_cannot_be_saved_is_not_used() -> None:
    async with accounts(numbered(), held=("1000.old", 200), log_is_away=True) as office:
        with pytest.raises(LogUnavailable):
            await office.tokens.token()


async def test_a_redirect_of_the_accounts_server_is_not_followed() -> None:
    async with accounts([Reply(status=307, headers={"Location": "/elsewhere"})]) as office:
        with pytest.raises(ConnectionMisset):
            await office.tokens.token()
    assert len(office.server.seen) == 1


async def test_asks_nothing_while_the_fence_is_shut() -> None:
    async with accounts([granted()]) as office:
        office.door.shut = RuntimeError("shut")
        with pytest.raises(RuntimeError, match="shut"):
            await office.tokens.token()
    assert office.server.seen == []


def test_each_region_has_its_own_hosts() -> None:
    settings = Settings()
    assert set(REGIONS) == {"us", "eu", "in", "au", "jp", "ca", "cn", "sa"}
    assert accounts_url(settings, "ca") == "https://accounts.zohocloud.ca"
    assert api_url(settings, "ca") == "https://www.zohoapis.ca/books/v3"
    assert api_url(settings, "us") == "https://www.zohoapis.com/books/v3"
    for wrong in (accounts_url, api_url):
        with pytest.raises(ConnectionMisset):
            wrong(settings, "uk")


@pytest.mark.parametrize("override", ["http://127.0.0.1:9", "http://127.0.0.1:9/", "http://127.0.0.1:9/books/v3/"])
def test_a_loopback_stand_in_may_hold_the_path_or_not(override: str) -> None:
    assert api_url(Settings(zoho_api_url=override), "eu") == "http://127.0.0.1:9/books/v3"
    assert accounts_url(Settings(zoho_accounts_url="http://localhost:9/"), "eu") == "http://localhost:9"
