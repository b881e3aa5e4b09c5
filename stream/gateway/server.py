"""The plain HTTP server, and what becomes of bytes that are no request: nothing of them is repeated or logged.

aiohttp itself would answer with its version and the bytes it did not understand, and log them with a traceback, though
any port scanner can send them.
"""

from __future__ import annotations

from aiohttp import web

from stream.gateway.answers import json_response
from stream.telemetry import log

logger = log("gateway")


class _Requests(web.RequestHandler):
    """One connection of a client."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what could not be read as HTTP. message: aiohttp's text about it, which quotes the bytes."""
        logger.info("gateway.no_request", error=type(exc).__name__, status=status)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun, another cannot follow")
        response = json_response(status, {"error": "This is no HTTP request that can be read."})
        response.force_close()
        return response


class Server(web.Server):
    """aiohttp's server with these answers."""

    def __call__(self) -> _Requests:
        return _Requests(self, loop=self._loop, **self._kwargs)
