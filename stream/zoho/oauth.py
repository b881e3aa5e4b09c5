"""The access token of one connection, shared by all its calls. It is renewed ahead of its end, by one request however
many calls wait, and never beyond what Zoho Accounts allows: ten token requests in ten minutes, ten live tokens. A new
token is saved before it is used, so that the next owner of the connection goes on with it. The refresh token is the one
the connection was given: Zoho does not send another.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import aiohttp

from stream.clock import Clock
from stream.errors import (
    AnswerLost,
    CredentialsRefused,
    RateLimited,
    RosterbookError,
    Unavailable,
)
from stream.http import Admit, Answer, Request, call
from stream.telemetry import Masked, log

logger = log("zoho")

SCOPES = (
    "ZohoBooks.contacts.READ",
    "ZohoBooks.contacts.CREATE",
    "ZohoBooks.contacts.UPDATE",
    "ZohoBooks.settings.READ",
)
"""What the client needs; marking active and inactive is under CREATE, the list of organizations under settings."""
AHEAD_S = 300.0
LIFETIME_S = 3600.0
"""The longest that Zoho lets an access token live, and what is assumed where an answer does not say."""
REQUESTS, WINDOW_S = 10, 600.0
"""Token requests per refresh token and seconds (Zoho Accounts, token limits); beyond that Zoho blocks the rest."""
REST_S = 60.0
"""After a failed renewal the old token is used so long before the next try, while it lives."""

_SENTENCES = {
    "invalid_code": "Zoho no longer knows the refresh token: connect Zoho Books again.",
    "invalid_client": "Zoho does not know the client: check the region first, then the client id.",
    "invalid_client_secret": "Zoho does not accept the client secret: give the connection the one of this region.",
    "invalid_redirect_uri": "Zoho does not accept the redirect address: connect Zoho Books again.",
}
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class NewToken:
    """An access token to keep. requested_at: the token requests of the last ten minutes, oldest first, this one too."""

    access_token: Masked
    expires_at: datetime
    requested_at: tuple[datetime, ...] = ()


class AccessTokens:
    """Hands out the access token. Safe for many calls at once; one object per refresh token and process."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        accounts_url: str,
        *,
        client_id: Masked,
        client_secret: Masked,
        refresh_token: Masked,
        held: NewToken | None,
        save: Callable[[NewToken], Awaitable[None]],
        admit: Admit,
        deadline: float,
        clock: Clock,
    ) -> None:
        """held: what was saved last. admit: checks the fence; takes nothing of the organization's quota."""
        self._http = http
        self._url = f"{accounts_url}/oauth/v2/token"
        self._credentials = Masked(
            urlencode(
                {
                    "grant_type": "refresh_token",
                    "client_id": client_id.reveal,
                    "client_secret": client_secret.reveal,
                    "refresh_token": refresh_token.reveal,
                }
            )
        )
        self._held = held
        self._requested = [] if held is None else list(held.requested_at)
        self._save = save
        self._admit = admit
        self._deadline = deadline
        self._clock = clock
        self._turn = asyncio.Lock()
        self._failure: RosterbookError | None = None
        self._rest_until = float("-inf")
        self._blocked_until = float("-inf")
        self._replacing = False
        self._replaced_at = float("-inf")

    async def token(self) -> str:
        """A token that is alive, renewed first where its end is near.

        A renewal that fails for now goes unnoticed while the old token lives. Raises CredentialsRefused, RateLimited
        (our own count included), Unavailable, and whatever `admit` and `save` raise.
        """
        failure = self._failure
        if (held := self._usable()) is not None:
            return held.access_token.reveal
        async with self._turn:
            if (held := self._usable()) is not None:
                return held.access_token.reveal
            if self._failure is not None and self._failure is not failure:
                raise self._failure  # the request that this call waited for has failed
            try:
                held = await self._renew()
            except RosterbookError as error:
                if not isinstance(error, RateLimited | Unavailable) or (held := self._alive()) is None:
                    self._failure = error
                    raise
                self._rest_until = self._clock.monotonic() + REST_S
                logger.warning("zoho.token_renewal_failed", reason=error.message, **error.context)
            return held.access_token.reveal

    async def refused(self, token: str) -> bool:
        """Told of a 401: whether to ask for a token again and repeat the call, once.

        Forgets the token. False when it has itself just replaced a refused one: then not its age is the trouble but
        its scope, and more requests would only use up the ten.
        """
        if self._held is None or self._held.access_token.reveal != token:
            return True
        if self._clock.monotonic() - self._replaced_at < AHEAD_S:
            return False
        self._held, self._replacing = None, True
        return True

    def _alive(self) -> NewToken | None:
        return self._held if self._held is not None and self._clock.now() < self._held.expires_at else None

    def _usable(self) -> NewToken | None:
        """The token, unless it is to be renewed first: short-lived ones in the last twelfth of their life."""
        if (held := self._alive()) is None or self._clock.monotonic() < self._rest_until:
            return held
        lifetime = held.expires_at - held.requested_at[-1] if held.requested_at else timedelta(seconds=LIFETIME_S)
        ahead = min(timedelta(seconds=AHEAD_S), lifetime / 12)
        return held if self._clock.now() < held.expires_at - ahead else None

    async def _renew(self) -> NewToken:
        self._check_limit()
        request = Request(
            "zoho",
            "token",
            "POST",
            self._url,
            {"Content-Type": "application/x-www-form-urlencoded"},
            body=self._credentials.reveal.encode(),
        )
        async with self._admit("token", True) as still:
            asked = self._clock.now()
            self._requested.append(asked)
            try:
                answer = await call(self._http, request, deadline=self._deadline, clock=self._clock, still=still)
            except Unavailable:
                self._requested.pop()  # it was never sent
                raise
            except AnswerLost as error:
                raise _unavailable(**error.context) from None
        access_token, lifetime = self._read(answer)
        held = NewToken(access_token, asked + lifetime, tuple(self._requested))
        await self._save(held)
        self._held = held
        if self._replacing:
            self._replacing, self._replaced_at = False, self._clock.monotonic()
        return held

    def _check_limit(self) -> None:
        now = self._clock.now()
        self._requested = [at for at in self._requested if now - at < timedelta(seconds=WINDOW_S)]
        wait = self._blocked_until - self._clock.monotonic()
        if len(self._requested) >= REQUESTS:
            wait = max(wait, WINDOW_S - (now - self._requested[0]).total_seconds())
        if wait > 0:
            raise RateLimited("Zoho allows ten token requests in ten minutes; the next one waits.", retry_after=wait)

    def _read(self, answer: Answer) -> tuple[Masked, timedelta]:
        body = answer.object() or {}
        if answer.status == 429 or body.get("error") == "Access Denied":
            wait = answer.retry_after(self._clock.now())
            wait = WINDOW_S if wait is None else wait
            self._blocked_until = self._clock.monotonic() + wait
            raise RateLimited("Zoho gives no more tokens for a while.", retry_after=wait, status=answer.status)
        if answer.status >= 500:
            raise _unavailable(answer.retry_after(self._clock.now()), status=answer.status)
        if (error := body.get("error")) is not None:
            # Such answers may come with HTTP 200.
            known = error if isinstance(error, str) and error in _SENTENCES else None
            sentence = _SENTENCES.get(known or "", "Zoho refuses a new access token: connect Zoho Books again.")
            raise CredentialsRefused(sentence, status=answer.status, code=known)
        token = body.get("access_token")
        if answer.status != 200 or not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
            raise _unavailable(status=answer.status)
        return Masked(token), timedelta(seconds=_lifetime(body.get("expires_in")))


def _lifetime(value: Any) -> float:
    """Seconds, from 0 to LIFETIME_S. Old answers count in milliseconds, which the limit takes care of."""
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return LIFETIME_S
    return min(max(seconds, 0.0), LIFETIME_S) if math.isfinite(seconds) else LIFETIME_S


def _unavailable(retry_after: float | None = None, /, **context: str | int | float | None) -> Unavailable:
    return Unavailable(
        "Zoho's accounts server gave no usable answer; it is asked again.", retry_after=retry_after, **context
    )
