"""BambooHR's tokens over a long life: they end, answers are lost, owners change, and the vendor keeps, repeats or
replaces the refresh token. Nobody has to consent again unless the only refresh token was lost on its way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, cast
from urllib.parse import parse_qs

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream.bamboohr.oauth import BambooHrAccounts
from stream.errors import AnswerLost, RateLimited, Unavailable
from stream.http import Answer, Request
from stream.issuer import RefreshTokenRefused
from stream.telemetry import Masked
from stream.tokens import AccessTokens, HeldTokens
from tests.fake_clock import FakeClock

GIVEN = "rt-given"
Refresh = Literal["kept", "repeated", "rotated"]
Step = tuple[Literal["call", "heir", "lost", "down", "refused", "pass"], int]
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["call", "call", "heir", "lost", "down", "refused"]), st.just(0)),
        st.tuples(st.just("pass"), st.sampled_from([61, 700, 3400, 3700])),
    ),
    max_size=25,
)


@dataclass
class Company:
    """BambooHR's end. lost: the next answer takes effect and is lost. down: the next request is answered by a 503."""

    refresh: Refresh
    alive: str = GIVEN
    given: set[str] = field(default_factory=set)
    lost: bool = False
    down: bool = False
    asked: int = 0
    only_one_lost: bool = False

    async def call(self, _: Any, request: Request, **__: Any) -> Answer:
        self.asked += 1
        await asyncio.sleep(0)
        form = {name: value for name, (value,) in parse_qs((request.body or b"").decode()).items()}
        if self.down:
            self.down = False
            return Answer(503, cast(Any, {}), b"")
        if form["refresh_token"] != self.alive:
            return Answer(400, cast(Any, {}), orjson.dumps({"error": "invalid_grant"}))
        told: dict[str, object] = {"access_token": f"at-{self.asked}", "expires_in": 3600}
        self.given.add(f"at-{self.asked}")
        if self.refresh == "rotated":
            self.alive = f"rt-{self.asked}"
        if self.refresh != "kept":
            told["refresh_token"] = self.alive
        if self.lost:
            self.lost = False
            self.only_one_lost |= self.refresh == "rotated"
            raise AnswerLost("The answer was lost.")
        return Answer(200, cast(Any, {}), orjson.dumps(told))


@asynccontextmanager
async def at_once(_: str, __: bool) -> AsyncIterator[Any]:
    yield lambda: True


@settings(max_examples=150)
@example(refresh="rotated", life=[("lost", 0), ("call", 0), ("heir", 0), ("call", 0)])
@given(refresh=st.sampled_from(["kept", "repeated", "rotated"]), life=steps)
def test_nobody_consents_again_unless_the_only_refresh_token_was_lost(refresh: Refresh, life: list[Step]) -> None:
    company, clock, saved = Company(refresh), FakeClock(), list[HeldTokens]()
    refusals: list[tuple[bool, str]] = []

    async def save(held: HeldTokens) -> None:
        saved.append(held)

    def owner() -> AccessTokens:
        issuer = BambooHrAccounts(Masked("id"), Masked("secret"), "http://127.0.0.1/acme")
        held = saved[-1] if saved else None
        kept: Any = {"refresh_token": Masked(GIVEN), "held": held, "save": save, "admit": at_once}
        return AccessTokens(cast(Any, None), issuer, deadline=5.0, clock=clock, **kept)

    async def lived() -> None:
        tokens, before = owner(), 0
        for what, seconds in life:
            match what:
                case "pass":
                    clock.advance(seconds)
                case "heir":
                    tokens = owner()
                case "lost" | "down":
                    setattr(company, what, True)
                case "refused":
                    if saved and saved[-1].access_token is not None:
                        tokens.refused(saved[-1].access_token.reveal)
                case "call":
                    before = company.asked
                    try:
                        got = await asyncio.gather(*(tokens.token() for _ in range(3)))
                    except RefreshTokenRefused as error:
                        refusals.append((company.only_one_lost, error.message))
                    except (RateLimited, Unavailable):
                        pass
                    else:
                        assert set(got) <= company.given
                        assert len(set(got)) == 1
                    assert company.asked <= before + 1, "three who wait ask once"

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("stream.tokens.call", company.call)
        asyncio.run(lived())
    for only_one_lost, said in refusals:
        assert only_one_lost, "nothing was lost that would have been needed"
        assert "The answer to a token request was lost" in said
