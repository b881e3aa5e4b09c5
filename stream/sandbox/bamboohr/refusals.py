"""What the sandbox refuses, as one exception that becomes the vendor's answer.

BambooHR words refusals in four ways: an empty body with a message header (the older endpoints), `{"error": {...}}` (the
employee list), `{"errors": ...}` (webhooks), OAuth's own. `body` is None for the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web


class Refused(Exception):
    """The vendor's refusal. `message` goes into a header, unless a body carries it."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.body = body
        self.headers = dict(headers or {})

    def answer(self) -> web.Response:
        if self.body is not None:
            return web.json_response(self.body, status=self.status, headers=self.headers)
        header = "X-BambooHR-Message" if self.status in (401, 429, 503) else "X-BambooHR-Error-Message"
        message = self.message.encode("ascii", "replace").decode()
        return web.Response(status=self.status, headers={header: message, **self.headers})


def refused_list(status: int, code: str, message: str) -> Refused:
    """As `GET /employees` says it."""
    return Refused(status, message, body={"error": {"code": code, "message": message}})


def refused_webhook(status: int, error: str, **details: Any) -> Refused:
    """As the webhook endpoints say it; without details `errors` is an object, with them an array."""
    one = {"error": error, **details}
    return Refused(status, error, body={"errors": [one] if details else one})


def refused_oauth(status: int, error: str, description: str) -> Refused:
    """As OAuth 2.0 says it (RFC 6749, 5.2)."""
    return Refused(status, description, body={"error": error, "error_description": description})
