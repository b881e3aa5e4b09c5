"""The raw bytes of a request, within bounds of size and time."""

from __future__ import annotations

import asyncio

from aiohttp import hdrs, web

from stream.bamboohr.formats import MAX_BODY_BYTES

BODY_S = 10.0
"""How long a body may take to arrive."""


class BodyTooLarge(Exception):
    """Over 1 MiB; no repetition makes it smaller."""


class BodyIncomplete(Exception):
    """It was too slow, cut off, or not framed as HTTP wants it: a repetition may do better."""


async def read_body(request: web.BaseRequest) -> bytes:
    """Exactly the bytes that were sent, still compressed if they were. At most 1 MiB, that included."""
    content = request.content
    try:
        if content.is_eof():  # small bodies arrive with their headers
            body = content.read_nowait()
            _must_fit(len(body))
            return body
        _must_fit(request.content_length or 0)
        if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0  # the answer itself has not begun
        arrived = bytearray()
        async with asyncio.timeout(BODY_S):
            while chunk := await content.readany():
                arrived += chunk
                _must_fit(len(arrived))
        return bytes(arrived)
    except (TimeoutError, OSError, ValueError, web.RequestPayloadError):
        raise BodyIncomplete from None


def _must_fit(size: int) -> None:
    if size > MAX_BODY_BYTES:
        raise BodyTooLarge
