"""The access token of one connection at one vendor, shared by all its calls. It is renewed ahead of its end and after
an unexpected 401, by one request however many calls wait; what comes is saved before it is used, so that the next owner
of the connection goes on with it. How a vendor is asked and what its answers mean is left to its `Issuer`.

A vendor may send another refresh token with each answer, and end the former one: then an answer that is lost may have
ended the only one there is. So the log is told before such a request is sent, and whoever is cut off in it waits for
its end first. After a lost answer the former token is asked with again: a vendor that has kept it grants, and one that
has not refuses, which takes away nothing that was not lost. A refusal is then believed for a while, not asked for again
and again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

import aiohttp

from stream.clock import Clock
from stream.errors import AnswerLost, ConnectionTrouble, CredentialsRefused, RateLimited, Unavailable
from stream.http import Admit, call
from stream.issuer import Granted, Issuer, RefreshTokenRefused, unusable
from stream.telemetry import Masked, log

logger = log("tokens")
T = TypeVar("T")


@dataclass(frozen=True)
class TokenPolicy:
    """Seconds, and requests per window.

    ahead: renewed so long before its end, a short-lived token in the last twelfth of its life. longest: no token counts
    as alive for more. requests, window: of one refresh token (Zoho Accounts, token limits; BambooHR documents none).
    rest: the old token is used so long after a failed renewal, while it lives. refused_rest: a refusal is believed so
    long.
    """

    ahead: float = 300.0
    longest: float = 3600.0
    requests: int = 10
    window: float = 600.0
    rest: float = 60.0
    refused_rest: float = 300.0


class TokenRefused(CredentialsRefused):
    """The API does not accept the access token: it is dead, or lacks a scope or permission."""


@dataclass(frozen=True)
class HeldTokens:
    """What is kept for the next owner. access_token: None while there is none. requested_at: the token requests of the
    last ten minutes, oldest first. refresh_token: None while it is the one that the connection was given. asking: a
    request was about to be sent, and how it ended is not known.
    """

    access_token: Masked | None
    expires_at: datetime
    requested_at: tuple[datetime, ...] = ()
    refresh_token: Masked | None = None
    asking: bool = False


class AccessTokens:
    """Hands out the access token. Safe for many calls at once; one object per refresh token and process."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        issuer: Issuer,
        *,
        refresh_token: Masked,
        held: HeldTokens | None,
        save: Callable[[HeldTokens], Awaitable[None]],
        admit: Admit,
        deadline: float,
        clock: Clock,
        policy: TokenPolicy | None = None,
    ) -> None:
        """refresh_token: as the connection was given it. held: what was saved last of its descent. admit: checks the
        fence; takes nothing of a quota.
        """
        self._http = http
        self._issuer = issuer
        self._held = held
        self._refresh_token = held.refresh_token if held is not None and held.refresh_token is not None else None
        self._given = refresh_token
        self._requested = [] if held is None else list(held.requested_at)
        self._lost = held is not None and held.asking
        self._save = save
        self._admit = admit
        self._deadline = deadline
        self._clock = clock
        self._policy = policy or TokenPolicy()
        self._renewal: asyncio.Task[Masked] | None = None
        self._waiting = 0
        self._asking = False
        self._rest_until = float("-inf")
        self._blocked_until = float("-inf")
        self._refusal: ConnectionTrouble | None = None
        self._refused_until = float("-inf")
        self._replacing = False
        self._replaced_at = float("-inf")

    async def using(self, send: Callable[[str], Awaitable[T]]) -> T:
        """What `send` returns, given a token; once more with a fresh one when it raises TokenRefused.

        Raises TokenRefused where that would not help or did not, and whatever `token` and `send` raise.
        """
        token = await self.token()
        try:
            return await send(token)
        except TokenRefused:
            if not self.refused(token):
                raise
        return await send(await self.token())

    async def token(self) -> str:
        """A token that is alive, renewed first where its end is near.

        A renewal that fails for now goes unnoticed while the old token lives. Raises CredentialsRefused,
        ConnectionMisset, RateLimited (our own count included), Unavailable, and whatever `admit` and `save` raise.
        """
        return (self._usable() or await self._renewed()).reveal

    async def revoke(self) -> bool:
        """Have the vendor forget the refresh token and all that came of it. False where it offers no such call.

        A token that it does not know is as good as forgotten. Raises Unavailable, AnswerLost, and what `admit` raises.
        """
        for request in self._issuer.revocations(self._refresh_token or self._given):
            async with self._admit(request.operation, True) as still:
                answer = await call(self._http, request, deadline=self._deadline, clock=self._clock, still=still)
            if answer.status >= 500 or answer.status == 429:
                raise unusable(self._issuer.name, answer.retry_after(self._clock.now()), status=answer.status)
            if answer.status != 404:
                return True
        return False

    def refused(self, token: str) -> bool:
        """Told of a 401: whether to ask for a token again and repeat the call, once.

        Forgets the token. False when it has itself just replaced a refused one: then not its age is the trouble but
        its scope, and more requests would only use up the ten.
        """
        if self._held is None or self._held.access_token is None or self._held.access_token.reveal != token:
            return True
        if self._clock.monotonic() - self._replaced_at < self._policy.ahead:
            return False
        self._held, self._replacing = None, True
        return True

    async def _renewed(self) -> Masked:
        """The result of the renewal under way, begun where there is none. Who is cut off leaves no answer unread."""
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew(), name=f"renew the token of {self._issuer.name}")
            self._renewal.add_done_callback(_seen)
        renewal = self._renewal
        self._waiting += 1
        try:
            return await asyncio.shield(renewal)
        except asyncio.CancelledError:
            if self._asking:
                await asyncio.wait({renewal})
            elif self._waiting == 1 and self._renewal is renewal:
                self._renewal = None
                renewal.cancel()
            raise
        finally:
            self._waiting -= 1

    def _alive(self) -> Masked | None:
        if self._held is None:
            return None
        left = self._held.expires_at - self._clock.now()
        # More than the longest life is left only where a clock was changed: then nothing is known about it.
        return self._held.access_token if timedelta() < left <= timedelta(seconds=self._policy.longest) else None

    def _usable(self) -> Masked | None:
        """The token, unless it is to be renewed first."""
        if (token := self._alive()) is None or self._clock.monotonic() < self._rest_until:
            return token
        assert self._held is not None
        requested, longest = self._held.requested_at, timedelta(seconds=self._policy.longest)
        lifetime = self._held.expires_at - requested[-1] if requested else longest
        ahead = min(timedelta(seconds=self._policy.ahead), lifetime / 12)
        return token if self._clock.now() < self._held.expires_at - ahead else None

    async def _renew(self) -> Masked:
        try:
            return await self._ask()
        except (RateLimited, Unavailable) as error:
            if (token := self._alive()) is None:
                raise
            self._rest_until = self._clock.monotonic() + self._policy.rest
            logger.warning("tokens.renewal_failed", api=self._issuer.name, reason=error.message, **error.context)
            return token

    async def _ask(self) -> Masked:
        self._check_refusal()
        self._check_limit()
        async with self._admit("token", True) as still:
            asked = self._clock.now()
            self._requested.append(asked)
            self._asking = True
            try:
                if self._issuer.rotates:
                    await self._save(self._about_to_ask(asked))
                granted = await self._grant(still)
                self._lost = False
                if self._issuer.rotates:
                    self._refresh_token = granted.refresh_token or self._refresh_token
                lifetime = timedelta(seconds=min(granted.lifetime, self._policy.longest))
                held = HeldTokens(granted.access_token, asked + lifetime, tuple(self._requested), self._refresh_token)
                await self._save(held)
            finally:
                self._asking = False
        self._held = held
        if self._replacing:
            self._replacing, self._replaced_at = False, self._clock.monotonic()
        return granted.access_token

    def _about_to_ask(self, asked: datetime) -> HeldTokens:
        held = self._held or HeldTokens(None, asked, (), self._refresh_token)
        return replace(held, requested_at=tuple(self._requested), asking=True)

    async def _grant(self, still: Callable[[], bool]) -> Granted:
        request = self._issuer.request(self._refresh_token or self._given)
        try:
            answer = await call(self._http, request, deadline=self._deadline, clock=self._clock, still=still)
        except Unavailable:
            self._requested.pop()  # it was never sent
            raise
        except AnswerLost as error:
            self._lost = True
            raise unusable(self._issuer.name, **error.context) from None
        except ConnectionTrouble as error:
            raise self._believe(error) from None
        try:
            return self._issuer.read(answer, self._clock.now())
        except Unavailable:
            self._lost = True
            raise
        except RateLimited as error:
            self._blocked_until = self._clock.monotonic() + (error.retry_after or 0.0)
            raise
        except ConnectionTrouble as error:
            raise self._believe(error) from None

    def _believe(self, error: ConnectionTrouble) -> ConnectionTrouble:
        if isinstance(error, RefreshTokenRefused) and self._lost and self._issuer.rotates:
            error = RefreshTokenRefused(
                f"The answer to a token request was lost, and {self._issuer.name} does not accept the refresh token "
                f"from before it: connect {self._issuer.name} again.",
                **error.context,
            )
        self._refusal, self._refused_until = error, self._clock.monotonic() + self._policy.refused_rest
        return error

    def _check_refusal(self) -> None:
        if self._refusal is not None and self._clock.monotonic() < self._refused_until:
            raise type(self._refusal)(self._refusal.message, **self._refusal.context)

    def _check_limit(self) -> None:
        now, window = self._clock.now(), timedelta(seconds=self._policy.window)
        self._requested = [at for at in self._requested if timedelta() <= now - at < window]
        wait = self._blocked_until - self._clock.monotonic()
        if len(self._requested) >= self._policy.requests:
            wait = max(wait, (window - (now - self._requested[0])).total_seconds())
        if wait > 0:
            raise RateLimited(
                f"{self._issuer.name} is asked for tokens ten times in ten minutes at most; the next request waits.",
                retry_after=wait,
            )


def _seen(renewal: asyncio.Task[Masked]) -> None:
    """Everybody who waited may have been cut off: an error that nobody saw is no bug."""
    if not renewal.cancelled():
        renewal.exception()
