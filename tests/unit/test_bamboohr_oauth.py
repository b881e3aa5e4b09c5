"""BambooHR's tokens, whichever way it treats a refresh token that was used: kept, sent again, or replaced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal
from urllib.parse import parse_qs

import aiohttp
import pytest

from stream.bamboohr.client import BambooHr
from stream.bamboohr.oauth import BambooHrAccounts
from stream.errors import (
    ConnectionMisset,
    ConnectionTrouble,
    CredentialsRefused,
    LogUnavailable,
    RateLimited,
    Unavailable,
)
from stream.issuer import RefreshTokenRefused
from stream.records import EmployeeId
from stream.telemetry import Masked
from stream.tokens import AccessTokens, HeldTokens, TokenPolicy
from tests.unit.vendor import DROPPED, Door, HandClock, Reply, Seen, Vendor, half, vendor

GIVEN = "rt-given"
HOUR = timedelta(hours=1)


@dataclass
class Issuing:
    """BambooHR's end. refresh: as `BambooHrQuirks.refresh_token`. grace: a replaced one still works. lose: so many
    answers are lost after they took effect.
    """

    refresh: Literal["kept", "repeated", "rotated"] = "kept"
    lose: int = 0
    trouble: Reply = DROPPED
    alive: str = GIVEN
    issued: int = 0
    used: list[str] = field(default_factory=list)

    def __call__(self, seen: Seen) -> Reply:
        assert (seen.method, seen.path, seen.query) == ("POST", "/acme/token.php", {"request": "token"})
        form = {name: value for name, (value,) in parse_qs(seen.body.decode()).items()}
        self.used.append(form["refresh_token"])
        if form["refresh_token"] != self.alive:
            return Reply({"error": "invalid_grant", "error_description": "rt-given"}, 400)
        self.issued += 1
        answer: dict[str, object] = {"access_token": f"at-{self.issued}", "expires_in": 3600, "token_type": "Bearer"}
        if self.refresh == "rotated":
            self.alive = f"rt-{self.issued}"
        if self.refresh != "kept":
            answer["refresh_token"] = self.alive
        if self.lose > 0:
            self.lose -= 1
            return self.trouble
        return Reply(answer)


@dataclass
class Office:
    tokens: AccessTokens
    server: Vendor
    session: aiohttp.ClientSession
    clock: HandClock
    door: Door
    saved: list[HeldTokens]


@asynccontextmanager
async def office(
    script: Callable[[Seen], Reply] | list[Reply],
    *,
    held: HeldTokens | None = None,
    clock: HandClock | None = None,
    save: Callable[[HeldTokens], None] = lambda _: None,
) -> AsyncIterator[Office]:
    clock, door, saved = clock or HandClock(), Door(), list[HeldTokens]()

    async def keep(tokens: HeldTokens) -> None:
        save(tokens)
        saved.append(tokens)

    async with vendor(script) as (server, session):
        tokens = AccessTokens(
            session,
            BambooHrAccounts(Masked("id"), Masked("s&cret"), f"{server.url}/acme"),
            refresh_token=Masked(GIVEN),
            held=held,
            save=keep,
            admit=door.admit,
            deadline=0.5,
            clock=clock,
        )
        yield Office(tokens, server, session, clock, door, saved)


@pytest.mark.parametrize("refresh", ["kept", "repeated", "rotated"])
async def test_goes_on_with_whatever_refresh_token_came_last(refresh: Literal["kept", "repeated", "rotated"]) -> None:
    issuing = Issuing(refresh)
    async with office(issuing) as first:
        assert await first.tokens.token() == "at-1"
        first.clock.pass_time(3600)
        assert await first.tokens.token() == "at-2"
    async with office(issuing, held=first.saved[-1], clock=first.clock) as heir:
        assert await heir.tokens.token() == "at-2"  # the next owner goes on with it
        heir.clock.pass_time(3600)
        assert await heir.tokens.token() == "at-3"
    assert issuing.used == ([GIVEN, "rt-1", "rt-2"] if refresh == "rotated" else [GIVEN] * 3)
    assert first.door.admitted == [("token", True)] * 2


async def test_a_new_refresh_token_is_on_the_log_before_the_access_token_that_came_with_it_is_used() -> None:
    issuing = Issuing("rotated")
    async with office(issuing) as here:
        used = here.tokens.token()
        assert await used == "at-1"
        before, after = here.saved
    assert before.asking
    assert before.refresh_token is None
    assert before.access_token is None
    assert not after.asking
    assert after.refresh_token is not None
    assert after.refresh_token.reveal == "rt-1"
    assert after.access_token is not None
    assert after.access_token.reveal == "at-1"


async def test_asks_nobody_while_the_log_does_not_take_what_would_come() -> None:
    def away(_: HeldTokens) -> None:
        raise LogUnavailable("Kafka is away.")

    issuing = Issuing("rotated")
    async with office(issuing, save=away) as here:
        with pytest.raises(LogUnavailable):
            await here.tokens.token()
    assert issuing.used == []


LOST = {
    "dropped": DROPPED,
    "half": half({"access_token": "at-1", "refresh_token": "rt-1"}),
    "502": Reply(b"<html>", 502),
    "page": Reply(b"<html>", 200),
}


@pytest.mark.parametrize("trouble", LOST)
async def test_a_lost_answer_is_asked_for_again_where_the_refresh_token_was_kept(trouble: str) -> None:
    issuing = Issuing("kept", lose=1, trouble=LOST[trouble])
    async with office(issuing) as here:
        with pytest.raises(Unavailable):
            await here.tokens.token()
        assert await here.tokens.token() == "at-2"
    assert issuing.used == [GIVEN, GIVEN]


@pytest.mark.parametrize("trouble", LOST)
async def test_a_lost_answer_that_held_the_only_refresh_token_is_said_and_not_asked_for_again(trouble: str) -> None:
    issuing = Issuing("rotated", lose=1, trouble=LOST[trouble])
    async with office(issuing) as here:
        with pytest.raises(Unavailable):
            await here.tokens.token()
        for _ in range(9):  # as a suspended lane probes
            with pytest.raises(
                RefreshTokenRefused, match=r"was lost, and BambooHR does not .*: connect BambooHR again"
            ):
                await here.tokens.token()
            here.clock.pass_time(30)
    assert issuing.used == [GIVEN, GIVEN]


async def test_the_next_owner_says_so_too_when_the_former_ended_in_the_middle_of_a_request() -> None:
    issuing = Issuing("rotated", lose=1)
    async with office(issuing) as former:
        with pytest.raises(Unavailable):
            await former.tokens.token()
    async with office(issuing, held=former.saved[-1], clock=former.clock) as heir:
        with pytest.raises(RefreshTokenRefused, match="was lost"):
            await heir.tokens.token()


async def test_while_the_old_token_lives_a_lost_answer_stops_nothing() -> None:
    issuing = Issuing("rotated")
    async with office(issuing) as here:
        await here.tokens.token()
        here.clock.pass_time(3400)
        issuing.lose = 1
        assert await here.tokens.token() == "at-1"


async def test_who_is_cut_off_waits_for_the_answer_that_may_hold_the_only_refresh_token() -> None:
    answering = asyncio.Event()
    issuing = Issuing("rotated")
    async with office(issuing) as here:

        async def slowly(tokens: HeldTokens) -> None:
            if not tokens.asking:
                await answering.wait()
            here.saved.append(tokens)

        here.tokens._save = slowly
        cut = asyncio.create_task(here.tokens.token())
        while not issuing.used:
            await asyncio.sleep(0.001)
        cut.cancel()
        await asyncio.sleep(0)
        assert not cut.done()
        answering.set()
        await asyncio.wait({cut})
        assert cut.cancelled()
        assert here.saved[-1].refresh_token is not None
        assert here.saved[-1].refresh_token.reveal == "rt-1"


@pytest.mark.parametrize(
    ("reply", "kind", "sentence"),
    [
        (Reply({"error": "invalid_grant"}, 400), RefreshTokenRefused, "connect BambooHR again"),
        (Reply({"error": "invalid_client"}, 401), CredentialsRefused, "check its client id and secret"),
        (Reply({"error": "invalid_client"}, 200), CredentialsRefused, "check its client id and secret"),
        (Reply({"error": "unauthorized_client"}, 400), CredentialsRefused, "check the app"),
        (Reply({"error": "invalid_scope"}, 400), CredentialsRefused, "register offline_access public.user employee"),
        (Reply({"error": ["x"]}, 400), CredentialsRefused, "connect BambooHR again"),
        (Reply(b"", 401), CredentialsRefused, "check its client id and secret"),
        (Reply(b"", 403), CredentialsRefused, "check its client id and secret"),
        (Reply(b"<html>", 404), ConnectionMisset, "check the subdomain"),
        (Reply(b"", 302, {"Location": "https://evil.test/"}), ConnectionMisset, "check the subdomain"),
    ],
)
async def test_a_refusal_is_a_sentence_with_the_remedy_and_is_believed_for_a_while(
    reply: Reply, kind: type[ConnectionTrouble], sentence: str
) -> None:
    async with office([reply]) as here:
        for _ in range(9):
            with pytest.raises(kind, match=sentence) as caught:
                await here.tokens.token()
            assert "lost" not in caught.value.message
            here.clock.pass_time(30)
        assert len(here.server.seen) == 1
        here.clock.pass_time(TokenPolicy().refused_rest)
        with pytest.raises(kind):
            await here.tokens.token()
    assert len(here.server.seen) == 2


@pytest.mark.parametrize(("headers", "wait"), [({}, 60), ({"Retry-After": "7"}, 7)])
async def test_a_rate_limit_is_waited_out(headers: dict[str, str], wait: float) -> None:
    async with office([Reply(b"", 429, headers)]) as here:
        for _ in range(2):
            with pytest.raises(RateLimited) as caught:
                await here.tokens.token()
            assert caught.value.retry_after == wait
    assert len(here.server.seen) == 1


@pytest.mark.parametrize("off", [-HOUR, HOUR])
async def test_a_clock_that_an_owner_had_wrong_by_an_hour_costs_one_request_at_most(off: timedelta) -> None:
    """What the former owner noted is an hour early or late by the clock of the next."""
    now = HandClock().now() + off
    before = HeldTokens(Masked("at-0"), now + HOUR, tuple(now - timedelta(seconds=n) for n in range(9)))
    async with office(Issuing(), held=before) as here:

        async def send(token: str) -> str:
            return token

        assert await here.tokens.using(send) in ("at-0", "at-1")
        here.clock.pass_time(3000)
        assert await here.tokens.using(send) == "at-1"
    assert len(here.server.seen) <= 1


async def people(here: Office) -> BambooHr:
    return BambooHr(
        here.session, f"{here.server.url}/acme", here.tokens, admit=Door().admit, deadline=0.5, clock=here.clock
    )


async def test_a_call_carries_the_token_and_is_repeated_once_with_a_new_one_after_a_401() -> None:
    issuing = Issuing()

    def answer(seen: Seen) -> Reply:
        if seen.path.endswith("/token.php"):
            return issuing(seen)
        return Reply({"id": "42"}) if seen.headers["authorization"] == "Bearer at-1" else Reply(status=401)

    held = HeldTokens(Masked("at-0"), HandClock().now() + HOUR)
    async with office(answer, held=held) as here:
        client = await people(here)
        assert await client.employee(EmployeeId("42"), ["firstName"]) == {}
    assert [seen.headers.get("authorization") for seen in here.server.seen] == ["Bearer at-0", None, "Bearer at-1"]


async def test_a_fresh_token_that_is_not_accepted_needs_a_person() -> None:
    issuing = Issuing()

    def answer(seen: Seen) -> Reply:
        return issuing(seen) if seen.path.endswith("/token.php") else Reply(status=401)

    async with office(answer, held=HeldTokens(Masked("at-0"), HandClock().now() + HOUR)) as here:
        client = await people(here)
        for _ in range(3):
            with pytest.raises(
                CredentialsRefused, match="fresh token: connect it again with the scopes offline_access"
            ):
                await client.employee(EmployeeId("42"), ["firstName"])
    assert len(issuing.used) == 1


async def test_a_consent_without_the_scope_to_read_employees_needs_a_person() -> None:
    issuing = Issuing()

    def answer(seen: Seen) -> Reply:
        return issuing(seen) if seen.path.endswith("/token.php") else Reply(status=403)

    async with office(answer) as here:
        client = await people(here)
        with pytest.raises(CredentialsRefused, match="connect it again with the scopes offline_access"):
            await client.employee(EmployeeId("42"), ["firstName"])
