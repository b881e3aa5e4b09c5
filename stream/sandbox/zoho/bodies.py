"""How a request carries its JSON: as the body, or in the form field JSONString. A plain form is refused."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from stream.sandbox.zoho.refusals import malformed_json

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


async def read_body(request: web.Request) -> dict[str, Any]:
    """The JSON object of the request. Raises Refused with code 1038 when there is none."""
    raw: object
    if request.content_type in _FORMS:
        raw = (await request.post()).get("JSONString")
    else:
        raw = await request.read() if request.content_type == "application/json" else None
    if not isinstance(raw, str | bytes):
        raise malformed_json()
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise malformed_json() from None
    if not isinstance(body, dict):
        raise malformed_json()
    return body
