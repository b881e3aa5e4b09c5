"""A vendor's server for the client tests: it notes what reaches it and answers what the test says, down to answers that
no well-behaved server gives.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from stream.http import Still


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """body: bytes as they are, anything else as JSON. trouble: what goes wrong after the request has been received."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    trouble: str | None = None

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else b"" if self.body is None else orjson.dumps(self.body)


DROPPED = Reply(trouble="drop")
"""The connection ends instead of an answer."""
SILENT = Reply(trouble="hang")
"""No answer for as long as the server lives."""


def half(body: Any) -> Reply:
    """The connection ends in the middle of the body."""
    return Reply(body, trouble="half")


class Vendor:
    """Answers with `script`: a list, taken in order and then its last one, or a function of the request."""

    def __init__(self, script: list[Reply] | Callable[[Seen], Reply]) -> None:
        self._script = script
        self._end = asyncio.Event()
        self.seen: list[Seen] = []
        self.url = ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen = Seen(request.method, request.path, dict(request.query), headers, await request.read())
        self.seen.append(seen)
        if callable(self._script):
            reply = self._script(seen)
        else:
            reply = self._script[min(len(self.seen), len(self._script)) - 1]
        assert request.transport is not None
        match reply.trouble:
            case "hang":
                await self._end.wait()
            case "drop":
                request.transport.abort()
            case "half":
                response = web.StreamResponse(headers={"Content-Length": str(len(reply.content))})
                await response.prepare(request)
                await response.write(reply.content[: len(reply.content) // 2])
                request.transport.close()
                return response
        headers = {"Content-Type": "application/json", **reply.headers}
        return web.Response(body=reply.content, status=reply.status, headers=headers)

    async def close(self) -> None:
        self._end.set()


@asynccontextmanager
async def vendor(script: list[Reply] | Callable[[Seen], Reply]) -> AsyncIterator[tuple[Vendor, aiohttp.ClientSession]]:
    """A server on a free port, and a session to talk to it."""
    server = Vendor(script)
    runner = web.ServerRunner(web.Server(server.handle), shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield server, session
    finally:
        await server.close()
        await runner.cleanup()


class HandClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self._passed = 0.0

    def now(self) -> datetime:
        return datetime(2026, 3, 4, 9, 15, tzinfo=UTC) + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return 1000.0 + self._passed

    def pass_time(self, seconds: float) -> None:
        self._passed += seconds


class Door:
    """Admits everything and notes it, until it is told not to."""

    def __init__(self) -> None:
        self.admitted: list[tuple[str, bool]] = []
        self.in_flight = 0
        self.shut: Exception | None = None
        self.still = True
        self.before: Callable[[], Awaitable[None]] | None = None

    @asynccontextmanager
    async def admit(self, operation: str, changes: bool) -> AsyncIterator[Still]:
        if self.before is not None:
            await self.before()
        if self.shut is not None:
            raise self.shut
        self.admitted.append((operation, changes))
        self.in_flight += 1
        try:
            yield lambda: self.still
        finally:
            self.in_flight -= 1
