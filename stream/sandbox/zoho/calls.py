"""What was asked of the sandbox, for tests and benchmarks: counts, and the time the sandbox itself took."""

from __future__ import annotations

from collections import Counter
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from stream.clock import Clock
from stream.sandbox.faults import CONTROL
from stream.sandbox.zoho.filters import FILTERS
from stream.sandbox.zoho.operations import Operation

DROPPED = "dropped"
"""Stands for the status where the connection ended before the whole answer was out."""


class Calls:
    """Counts since the start, or since `reset`.

    `handler_s`: seconds spent in handlers. Reading the body, planted delays and the latency that was asked for are not
    in it, so a benchmark may subtract it from what it measured.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        self.by_status: Counter[tuple[str, str, int | str]] = Counter()
        """(operation, method, status or "dropped") -> calls. The operation of an unknown URL is "unknown"."""
        self.writes = 0
        """Writes that were applied, whether or not their answers arrived."""
        self.searches = 0
        """List calls that were handled with at least one filter."""
        self.handler_s = 0.0

    def count(self, operation: str) -> int:
        """Calls of one operation, whatever came of them."""
        return sum(count for (name, _, _), count in self.by_status.items() if name == operation)

    def shown(self) -> dict[str, Any]:
        return {
            "calls": self.by_status.total(),
            "writes": self.writes,
            "searches": self.searches,
            "handler_s": round(self.handler_s, 6),
            "operations": [
                {"operation": operation, "method": method, "status": status, "count": count}
                for (operation, method, status), count in sorted(self.by_status.items(), key=str)
            ],
        }

    def counting(self) -> Middleware:
        """The outer middleware: what came of each call, as the client sees it."""

        @web.middleware
        async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path.startswith(CONTROL):
                return await handler(request)
            answer = await handler(request)
            gone = request.transport is None or request.transport.is_closing()
            operation = request.match_info.route.name or "unknown"
            self.by_status[operation, request.method, DROPPED if gone else answer.status] += 1
            return answer

        return count

    def measuring(self, operations: dict[str, Operation]) -> Middleware:
        """The innermost middleware: what was handled, and how long that took."""

        @web.middleware
        async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
            operation = operations.get(request.match_info.route.name or "")
            if operation is None:
                return await handler(request)
            if request.content_type != "multipart/form-data":
                await request.read()
            started = self._clock.monotonic()
            try:
                answer = await handler(request)
            finally:
                self.handler_s += self._clock.monotonic() - started
            self.writes += operation.writes
            self.searches += operation.name == "contacts.list" and not FILTERS.isdisjoint(request.query)
            return answer

        return measure
