"""A person's consent, whichever vendor it is for: what the browser brings back, read without trusting any of it, and
the code in it changed for a refresh token. A code works once and for minutes only, so a change that fails is never
repeated: the person consents again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from stream.clock import Clock
from stream.errors import AnswerLost, CredentialsRefused, Unavailable, UsageError
from stream.http import call
from stream.issuer import Granted, Issuer, RefreshTokenRefused
from stream.telemetry import Masked

LONGEST = 4096
"""Characters of a query; both vendors' stay far below."""
FIELDS = 20
AGAIN = "consent again, or make a new code, and use it at once"
_CODE = re.compile(r"[\x21-\x7e]{1,2048}")
_NOT_EXPECTED = "This is not the address that the consent led to: paste the whole address that the browser shows."


class Declined(CredentialsRefused):
    """The person, or the vendor, did not consent."""


def read_query(query: str) -> dict[str, str]:
    """The fields of a callback's query. Raises UsageError for what is none: too long, broken, two values of a field."""
    if len(query) > LONGEST:
        raise UsageError(_NOT_EXPECTED)
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=FIELDS)
    except ValueError:
        raise UsageError(_NOT_EXPECTED) from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise UsageError(_NOT_EXPECTED)
    return fields


def read_pasted(address: str, redirect_uri: str) -> dict[str, str]:
    """The same of an address as it was copied from a browser. Raises UsageError unless it is where we sent it."""
    try:
        pasted, ours = urlsplit(address.strip()), urlsplit(redirect_uri)
    except ValueError:
        raise UsageError(_NOT_EXPECTED) from None
    if (pasted.scheme, pasted.netloc, pasted.path) != (ours.scheme, ours.netloc, ours.path):
        raise UsageError(_NOT_EXPECTED)
    return read_query(pasted.query)


def code_in(fields: Mapping[str, str], name: str) -> Masked:
    """The code that the vendor sent back. Raises Declined where it sent a refusal instead, else UsageError."""
    if "error" in fields:
        raise Declined(
            f"{name} did not give consent: open the address again and agree, as a user who may, to all that is asked."
        )
    if _CODE.fullmatch(code := fields.get("code", "")) is None:
        raise UsageError(_NOT_EXPECTED)
    return Masked(code)


async def exchange(
    http: aiohttp.ClientSession,
    issuer: Issuer,
    code: Masked,
    *,
    redirect_uri: str | None,
    deadline: float,
    clock: Clock,
) -> Granted:
    """Change the code for tokens, a refresh token among them. redirect_uri: as the code was asked for, None for a code
    that a person made in the vendor's console.

    Raises CredentialsRefused, ConnectionMisset, RateLimited, Unavailable, each with what to do.
    """
    request = issuer.code_request(code, redirect_uri)
    try:
        answer = await call(http, request, deadline=deadline, clock=clock)
        granted = issuer.read(answer, clock.now())
    except RefreshTokenRefused as error:
        raise CredentialsRefused(
            f"{issuer.name} does not accept the code, which works once and for minutes only: {AGAIN}.", **error.context
        ) from None
    except AnswerLost:
        raise Unavailable(f"{issuer.name} did not answer, and the code may be used up: {AGAIN}.") from None
    if granted.refresh_token is None:
        raise CredentialsRefused(f"{issuer.name} gave no refresh token: {issuer.if_none_came}, then consent again.")
    return granted
