"""Every answer that a delivery can get.

BambooHR repeats a delivery after a 5xx and never after a 4xx, so a 4xx is only for what no repetition can mend. The
texts say nothing about why a signature is not accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time

RETRY_AFTER_S = 5
SERVER = "Rosterbook"
"""Who we say we are: aiohttp would tell its version and Python's."""


@dataclass(frozen=True)
class Answer:
    """result: label of the metric. text: what the caller reads, an error where the status is one.

    closes: the rest of the request is not waited for.
    """

    result: str
    status: int
    text: str
    closes: bool = False

    def response_to(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer as quickly as it can be given: a 200 of a connection that stays open is rendered once for all."""
        rendered = _RENDERED.get(self.result)
        if rendered is not None and request.keep_alive and request.version == HttpVersion11:
            return rendered
        return self.response()

    def response(self) -> web.Response:
        response = json_response(self.status, {"error" if self.status >= 400 else "result": self.text})
        if self.status == 503:
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
        if self.closes:
            response.force_close()
        return response


_HEADERS = {hdrs.CONTENT_TYPE: "application/json", hdrs.SERVER: SERVER}


def json_response(status: int, content: object, headers: Mapping[str, str] | None = None) -> web.Response:
    response = web.Response(status=status, body=orjson.dumps(content), headers=_HEADERS)
    if headers:
        response.headers.update(headers)
    return response


class _Rendered(web.StreamResponse):
    """The answer in bytes, but for its date. It holds nothing of a request, so one serves all: rendering the same
    headers again would cost a fifth of a delivery.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(status=answer.status)
        self._keep_alive = True
        body = orjson.dumps({"result": answer.text})
        headers = {**_HEADERS, hdrs.CONTENT_LENGTH: len(body)}
        lines = [f"HTTP/1.1 {self.status} {self.reason}", *(f"{name}: {value}" for name, value in headers.items())]
        self._head = "\r\n".join([*lines, f"{hdrs.DATE}: "]).encode()
        self._rest = b"\r\n\r\n" + body

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        if (transport := request.transport) is not None:  # else the caller has gone
            transport.write(self._head + rfc822_formatted_time().encode() + self._rest)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """All is written."""


ACCEPTED = Answer("accepted", 200, "accepted")
DEAD_LETTERED = Answer("dead_lettered", 200, "kept")
IGNORED = Answer("ignored", 200, "ignored")
UNAUTHORIZED = Answer("unauthorized", 401, "The signature or its timestamp is not accepted.")
NOT_OF_OUR_TIME = Answer("not_of_our_time", 401, UNAUTHORIZED.text)
UNKNOWN_CONNECTION = Answer("unknown_connection", 404, "There is no such connection.")
TOO_LARGE = Answer("too_large", 413, "The body is over 1 MiB.")
NOT_LOADED = Answer("not_loaded", 503, "The connections are not loaded yet.")
NOT_REGISTERED = Answer("not_registered", 503, "The connection's webhook is not registered yet.")
KEY_UNREADABLE = Answer("key_unreadable", 503, "The connection cannot be used at the moment.")
NEWER_SETTINGS = Answer("newer_settings", 503, "The connection was saved by a newer Rosterbook: update this gateway.")
LOG_UNAVAILABLE = Answer("log_unavailable", 503, "The log does not take it at the moment.")
BODY_INCOMPLETE = Answer("body_incomplete", 503, "The body did not arrive whole in time.", closes=True)

_RENDERED = {answer.result: _Rendered(answer) for answer in (ACCEPTED, IGNORED)}
