"""How Zoho Books says no: the envelope of code and message, and the refusals that more than one part speaks.

A rule raises `Refused`; the middleware turns it into the answer. Messages vary between editions and languages, so a
client must read the status and the code alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from aiohttp import web


class Refused(Exception):
    """An answer other than success. Never leaves the sandbox as an exception."""

    def __init__(self, status: int, code: int, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def answer(body: Mapping[str, object], *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer as Zoho sends it."""
    return web.Response(
        body=orjson.dumps(body), status=status, headers=headers, content_type="application/json", charset="UTF-8"
    )


def refusal(refused: Refused) -> web.Response:
    return answer({"code": refused.code, "message": refused.message}, status=refused.status, headers=refused.headers)


def invalid_value(field: str) -> Refused:
    return Refused(400, 2, f"Invalid value passed for {field}")


def malformed_json() -> Refused:
    return Refused(400, 1038, "JSON is not well formed")


def not_authorized(code: int = 57) -> Refused:
    """57: dead token, or a scope that was not granted; the two cannot be told apart. 14: no readable token at all."""
    return Refused(
        401, code, "You are not authorized to perform this operation" if code == 57 else "Invalid OAuth Token"
    )


def no_such_url() -> Refused:
    return Refused(404, 5, "Invalid URL Passed")


def does_not_exist(entity: str) -> Refused:
    return Refused(404, 1002, f"{entity} does not exist.")
