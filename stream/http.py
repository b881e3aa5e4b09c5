"""One HTTP call to a vendor: what both API clients share. A call is sent exactly once, follows no redirect, ends at its
deadline, and comes back either as an `Answer` of bounded size or as an error of our tree that says what is certain:
`Unavailable` when nothing can have been applied, `AnswerLost` when a change was perhaps made and nobody knows. What a
status or a vendor's code means is left to the clients.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import aiohttp
import orjson
from aiohttp.abc import AbstractStreamWriter

from stream.clock import Clock
from stream.errors import AnswerLost, ConnectionMisset, Retriable, Unavailable
from stream.records import Api
from stream.telemetry import API_CALLS, API_SECONDS

Still = Callable[[], bool]
"""Whether a request may still be sent: asked as its bytes are handed to the system; the process may have slept."""
Admit = Callable[[str, bool], AbstractAsyncContextManager[Still]]
"""Asked just before each request with the operation's name and whether it changes anything; waits for quota, checks the
fence (may raise), counts calls in flight. The deadline of the call starts after admission."""

MAX_BODY = 8 * 1024 * 1024
"""Bytes of an answer, unpacked. Both vendors' largest pages stay far below."""
CONNECT_SHARE = 0.8
"""Share of the deadline in which a connection must stand. So a call that runs into its deadline may have been sent, and
one that ends before was certainly not."""
LONGEST_WAIT_S = 86_400.0
"""A Retry-After beyond a day is taken as a day: no limit of either vendor lasts longer."""

Method = Literal["GET", "POST", "PUT", "DELETE"]

_NAMES = {"bamboohr": "BambooHR", "zoho": "Zoho Books"}


@dataclass(frozen=True)
class Request:
    """headers: hold the credentials, hence never shown. body: a ready JSON or form text, its type in the headers."""

    api: Api
    operation: str
    method: Method
    url: str
    headers: Mapping[str, str] = field(repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)

    @property
    def changes(self) -> bool:
        return self.method != "GET"


@dataclass(frozen=True)
class Answer:
    """A whole answer. headers: names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def object(self) -> dict[str, Any] | None:
        """The JSON object in the body; None for anything else: XML, a page, half an answer, another JSON value."""
        found = self._json()
        return found if isinstance(found, dict) else None

    def array(self) -> list[Any] | None:
        """The same for a JSON array."""
        found = self._json()
        return found if isinstance(found, list) else None

    def _json(self) -> Any:
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    def date(self) -> datetime | None:
        """When it was given, by the vendor's clock, in whole seconds; None when it does not say."""
        try:
            at = parsedate_to_datetime(self.headers.get("date", ""))
        except ValueError:
            return None
        return at if at.tzinfo is not None else at.replace(tzinfo=UTC)

    def retry_after(self, now: datetime) -> float | None:
        """Seconds to wait as Retry-After says, in either of its forms; None when it says nothing that can be read."""
        return seconds_until(self.headers.get("retry-after", ""), now)


class _Dropped(aiohttp.ClientError):
    """A connection ended under a request, in a form that aiohttp does not take as a reason to send it again."""


class _TooLong(Exception):
    """More body than MAX_BODY."""


class _Body(aiohttp.BytesPayload):
    """The body of a change. aiohttp writes it a turn of the loop after the headers, and the headers with it.

    held_back: it was asked for when the request might not be sent any more, so that nothing of it was.
    """

    def __init__(self, body: bytes, still: Still) -> None:
        super().__init__(body)
        self._still = still
        self.held_back = False

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        if not self._still():
            self.held_back = True
            raise _Dropped("held back")
        await super().write_with_length(writer, content_length)


async def call(
    http: aiohttp.ClientSession, request: Request, *, deadline: float, clock: Clock, still: Still = lambda: True
) -> Answer:
    """Send the request once and read the whole answer within `deadline` seconds. A change goes only if it `still` may.

    Raises Unavailable when nothing was sent or only a read is lost, AnswerLost when a change may have been applied,
    ConnectionMisset for a redirect: credentials go to no other host than the one they are for.
    """
    started, status = clock.monotonic(), "cancelled"
    body = _Body(request.body or b"", still) if request.changes else None
    try:
        answer = await _send(http, request, body, deadline)
        status = str(answer.status)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
        status = "unreachable"
        raise Unavailable(
            f"{_NAMES[request.api]} cannot be reached; the call was not sent and is tried again.",
            operation=request.operation,
            cause=type(error).__name__,
        ) from None
    except (aiohttp.ClientError, TimeoutError, OSError, _TooLong) as error:
        if body is not None and body.held_back:
            status = "held back"
            raise Unavailable(
                "The call was held back, since this worker may have lost the connection; it is tried again.",
                operation=request.operation,
            ) from None
        status = "lost"
        raise unanswered(request, cause=type(error).__name__) from None
    finally:
        API_CALLS.labels(request.api, request.operation, status).inc()
        API_SECONDS.labels(request.api, request.operation).observe(max(0.0, clock.monotonic() - started))
    if 300 <= answer.status < 400:
        raise ConnectionMisset(
            f"{_NAMES[request.api]} answers with a redirect: check the subdomain or the region of the connection.",
            operation=request.operation,
            status=answer.status,
        )
    return answer


def unanswered(
    request: Request,
    *,
    retry_after: float | None = None,
    status: int | None = None,
    code: int | None = None,
    cause: str | None = None,
) -> Retriable:
    """The error for a call that was sent and got no usable answer: AnswerLost if it could change something."""
    name = _NAMES[request.api]
    context = {"operation": request.operation, "status": status, "code": code, "cause": cause}
    if request.changes:
        sentence = f"{name} did not say whether a change was made; it is looked up before anything is repeated."
        return AnswerLost(sentence, retry_after=retry_after, **context)
    return Unavailable(f"{name} gave no usable answer; the call is tried again.", retry_after=retry_after, **context)


def seconds_until(value: str, now: datetime) -> float | None:
    """Seconds from now that a Retry-After value means, from 0 to LONGEST_WAIT_S; None when it is neither form."""
    text = value.strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return min(float(text), LONGEST_WAIT_S)
    try:
        moment = parsedate_to_datetime(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return min(max((moment - now).total_seconds(), 0.0), LONGEST_WAIT_S)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


async def _send(http: aiohttp.ClientSession, request: Request, body: _Body | None, deadline: float) -> Answer:
    connect = aiohttp.ClientTimeout(total=None, connect=deadline * CONNECT_SHARE, ceil_threshold=deadline)
    async with (
        asyncio.timeout(deadline),
        http.request(
            request.method,
            request.url,
            params=request.params,
            data=body,
            headers={"Accept": "application/json", "User-Agent": "Rosterbook", **request.headers},
            skip_auto_headers=("Content-Type",),
            allow_redirects=False,
            timeout=connect,
            middlewares=(_once,),
        ) as response,
    ):
        content = bytearray()
        async for chunk in response.content.iter_any():
            content += chunk
            if len(content) > MAX_BODY:
                raise _TooLong
        return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, bytes(content))


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending GET and PUT a second time when a kept connection ends under them.

    A repeated PUT could undo what somebody else wrote meanwhile, and no repeated call would be in the quota.
    """
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Dropped(type(error).__name__) from error
