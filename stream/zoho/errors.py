"""Zoho Books' error codes as classes. Zoho's messages vary by edition and language and may name people, so nothing here
reads or repeats them: the HTTP status and the code decide, and both are checked.

| code | class | branch of the tree |
|---|---|---|
| 43, 44, 45, 1070 | BlockedForAWhile, MinuteLimitHit, DailyLimitHit, TooManyInFlight | RateLimited |
| 14, 57 | TokenRefused | CredentialsRefused |
| 6041 | WrongOrganization | ConnectionMisset |
| any other with 403 | NoAccess | CredentialsRefused |
| 5, 1002 | NoSuchContact | NotFound |
| 2, 4 / 1038 / 3062 | InvalidValue / MalformedBody / NameTaken | RecordRefused |
| 1000, and any 5xx | - | Unavailable, or AnswerLost for a write |
| any other | RefusedByZoho | RecordRefused |
| 0, but fields are not as sent | NotKept | RecordRefused |
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from stream.errors import (
    ConnectionMisset,
    CredentialsRefused,
    NotFound,
    RateLimited,
    RecordRefused,
    RosterbookError,
)
from stream.http import Answer, Request, unanswered
from stream.tokens import TokenRefused

from .models import budget_in
from .regions import TOLD_BY

HOUR_S = 3600.0
INTERNAL_ERROR = 1000


class BlockedForAWhile(RateLimited):
    """43: the whole organization is shut out, an hour as seen live."""

    limit = "block"


class MinuteLimitHit(RateLimited):
    """44: more than 100 calls in a minute."""


class DailyLimitHit(RateLimited):
    """45: the organization's calls of the day are used up, by whichever integration; until its midnight."""

    limit = "day"


class TooManyInFlight(RateLimited):
    """1070: more calls at once than the plan allows."""

    limit = "in flight"


class WrongOrganization(ConnectionMisset):
    """6041: the credentials do not reach this organization (Zoho's Deluge documentation, fetch records)."""


class NoAccess(CredentialsRefused):
    """403: the organization, by its plan, or the user, by their role, may not do this. Which code comes with it is not
    documented.
    """


class NoSuchContact(NotFound):
    """5, 1002: nothing has this id, or it is not accessible."""


class InvalidValue(RecordRefused):
    """2, 4: Zoho does not accept the value of a field."""


class MalformedBody(RecordRefused):
    """1038: Zoho cannot read what was sent."""


class NameTaken(RecordRefused):
    """3062: the organization allows a contact name once, over both contact types, and another contact has it."""


class RefusedByZoho(RecordRefused):
    """A code that we have no name for."""


class NotKept(RecordRefused):
    """A success after which the contact does not show what was sent (seen live)."""

    def __init__(self, fields: Iterable[str]) -> None:
        super().__init__(
            f"Zoho Books accepts {', '.join(fields)} of this contact and does not show what was sent: look whether the "
            "field was deleted there or is hidden from the connection's user, or correct the mapping."
        )


_LIMITS: dict[int, tuple[type[RateLimited], str, float]] = {
    43: (
        BlockedForAWhile,
        "Zoho Books has blocked the organization for a while; the calls are made after that.",
        HOUR_S,
    ),
    44: (MinuteLimitHit, "Zoho Books' limit a minute was hit: look for other integrations of the organization.", 60.0),
    45: (
        DailyLimitHit,
        "The organization's calls of the day are used up: raise its limit, or wait for midnight.",
        HOUR_S,
    ),
    1070: (TooManyInFlight, "Zoho Books had too many calls at once: lower calls_in_flight of the connection.", 2.0),
}
"""Class, sentence, and the seconds to wait when the answer does not say."""

_REFUSALS: dict[int, tuple[type[RosterbookError], str]] = {
    2: (InvalidValue, "Zoho Books does not accept a value of this contact: correct it in BambooHR."),
    4: (InvalidValue, "Zoho Books does not accept a value of this contact: correct it in BambooHR."),
    5: (NoSuchContact, "Zoho Books has no such contact any more."),
    14: (TokenRefused, "Zoho Books does not accept the access token."),
    57: (TokenRefused, "Zoho Books does not accept the access token."),
    1002: (NoSuchContact, "Zoho Books has no such contact any more."),
    1038: (MalformedBody, "Zoho Books cannot read what was sent: report this with the status and the code."),
    3062: (NameTaken, "Another contact of the organization has this name: allow duplicate names, or change one."),
    6041: (
        WrongOrganization,
        f"The credentials do not reach this organization: check the organization id and the region; {TOLD_BY}.",
    ),
}
_NO_ACCESS = (
    NoAccess,
    "Zoho Books gives no access: have a plan with API access, and connect it as a user who may change contacts.",
)
_OTHER = (RefusedByZoho, "Zoho Books refuses this call: look up code {code} in its documentation.")


def accepted(request: Request, answer: Answer, now: datetime) -> dict[str, Any]:
    """The envelope of an answer that means success by its status and by its code. Raises what it means otherwise.

    An answer that is no envelope is not Zoho Books speaking, whatever its status (429 and 401 excepted): a read is
    Unavailable, the end of a write unknown.
    """
    body = answer.object()
    status, code = answer.status, None if body is None else _code(body.get("code"))
    if body is not None and code == 0 and 200 <= status < 300:
        return body
    context: dict[str, str | int | float | None] = {"operation": request.operation, "status": status, "code": code}
    if code in _LIMITS or status == 429:
        kind, sentence, wait = _LIMITS.get(code or 0, (RateLimited, "Zoho Books limits the calls; they wait.", 60.0))
        raise kind(sentence, retry_after=_wait(code, answer, now, wait), **context)
    if status >= 500 or code == INTERNAL_ERROR:
        raise unanswered(request, retry_after=answer.retry_after(now), status=status, code=code)
    if status == 401 and code not in _REFUSALS:
        raise TokenRefused(_REFUSALS[57][1], **context)
    if not code:
        raise unanswered(request, status=status, code=code)
    of_status = {403: _NO_ACCESS, 404: _REFUSALS[1002]}
    refusal, sentence = _REFUSALS.get(code, of_status.get(status, _OTHER))
    raise refusal(sentence.format(code=code), **context)


def _wait(code: int | None, answer: Answer, now: datetime, default: float) -> float:
    if (told := answer.retry_after(now)) is not None:
        return told
    budget = budget_in(answer.headers)
    return float(budget.reset) if code == 45 and budget is not None else default


def _code(value: object) -> int | None:
    """The envelope's code; None when there is none that can be read."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
