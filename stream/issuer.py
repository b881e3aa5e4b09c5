"""A vendor's token endpoint for one client: how it is asked, and what its answers mean (RFC 6749, sections 4 to 6).
What the vendors share is here; each names its address, its errors and its habits in a class of its own.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from stream.errors import CredentialsRefused, RateLimited, Unavailable
from stream.http import Answer, Request
from stream.records import Api
from stream.telemetry import Masked

LIFETIME_S = 3600.0
"""What is assumed where an answer does not say: both vendors document an hour, and let no token live longer."""
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_TOKEN = re.compile(r"[\x21-\x7e]+")


class RefreshTokenRefused(CredentialsRefused):
    """The issuer does not know the refresh token, or the code, any more: somebody must consent again."""


@dataclass(frozen=True)
class Granted:
    """What an issuer gave. lifetime: seconds. refresh_token: None where none came."""

    access_token: Masked
    lifetime: float
    refresh_token: Masked | None = None


@dataclass(frozen=True)
class Issuer(ABC):
    """One client at one vendor's endpoint.

    name: as people know the vendor. rotates: whether a refresh may bring another refresh token. if_none_came: what to
    do, in a few words, when a code brought no refresh token. dead: the error for a code or refresh token that is not
    known. throttled: the error for too many requests, beside status 429. blocked: seconds to wait then, where the
    answer does not say. sentences: error -> what it means and what to do.
    """

    api: ClassVar[Api]
    name: ClassVar[str]
    rotates: ClassVar[bool]
    if_none_came: ClassVar[str]
    dead: ClassVar[str]
    throttled: ClassVar[str | None] = None
    blocked: ClassVar[float]
    sentences: ClassVar[Mapping[str, str]]

    client_id: Masked
    client_secret: Masked

    @property
    def client(self) -> Masked:
        """The client as one text, to tell it from another by."""
        return Masked(f"{self.client_id.reveal}\n{self.client_secret.reveal}")

    @abstractmethod
    def endpoint(self) -> tuple[str, Mapping[str, str]]:
        """The address and its query. Raises ConnectionMisset where the settings name none."""

    def request(self, refresh_token: Masked) -> Request:
        return self._request(grant_type="refresh_token", refresh_token=refresh_token.reveal)

    def code_request(self, code: Masked, redirect_uri: str | None) -> Request:
        """redirect_uri: as the code was asked for; None for a code that a person made in the vendor's console."""
        back = {} if redirect_uri is None else {"redirect_uri": redirect_uri}
        return self._request(grant_type="authorization_code", code=code.reveal, **back)

    def revocations(self, refresh_token: Masked) -> tuple[Request, ...]:
        """What makes the vendor forget a refresh token; the next is tried where the one before is not there."""
        return ()

    def _request(self, **grant: str) -> Request:
        url, query = self.endpoint()
        form = {"client_id": self.client_id.reveal, "client_secret": self.client_secret.reveal, **grant}
        return Request(self.api, "token", "POST", url, _FORM, query, urlencode(form).encode())

    def read(self, answer: Answer, now: datetime) -> Granted:
        """Raises RefreshTokenRefused, CredentialsRefused, ConnectionMisset, RateLimited: certain, nothing was granted;
        Unavailable: perhaps it was. A refusal may come with HTTP 200.
        """
        error, wait = refusal(answer), answer.retry_after(now)
        if answer.status == 429 or (error is not None and error == self.throttled):
            wait = self.blocked if wait is None else wait
            raise RateLimited(f"{self.name} gives no more tokens for a while.", retry_after=wait, status=answer.status)
        if answer.status >= 500:
            raise unusable(self.name, wait, status=answer.status)
        if error is not None:
            known = error if error in self.sentences else None
            sentence = self.sentences.get(error, f"{self.name} refuses a new access token: connect {self.name} again.")
            kind = RefreshTokenRefused if error == self.dead else CredentialsRefused
            raise kind(sentence, status=answer.status, code=known)
        return self._granted(answer)

    def _granted(self, answer: Answer) -> Granted:
        body = answer.object() or {}
        access_token = _token(body.get("access_token"))
        if answer.status != 200 or access_token is None:
            raise unusable(self.name, status=answer.status)
        return Granted(access_token, _lifetime(body.get("expires_in")), _token(body.get("refresh_token")))


def refusal(answer: Answer) -> str | None:
    """The error that the answer names, "" when it is no text; None when it names none."""
    error = (answer.object() or {}).get("error")
    return error if isinstance(error, str) or error is None else ""


def unusable(name: str, retry_after: float | None = None, /, **context: str | int | float | None) -> Unavailable:
    """The error for an answer, or none, that says neither that a token was granted nor that it was not."""
    return Unavailable(
        f"{name} gave no usable answer to a token request; it is asked again.", retry_after=retry_after, **context
    )


def _token(value: object) -> Masked | None:
    """None for what cannot go into a header."""
    return Masked(value) if isinstance(value, str) and _TOKEN.fullmatch(value) is not None else None


def _lifetime(value: Any) -> float:
    """Seconds, from 0 to LIFETIME_S. Old answers of Zoho count in milliseconds, which the limit takes care of."""
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return LIFETIME_S
    return min(max(seconds, 0.0), LIFETIME_S) if math.isfinite(seconds) else LIFETIME_S
