"""What was called, how it was answered, and how long the sandbox itself was busy with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from stream.clock import Clock


@dataclass
class Calls:
    """counts: by method, route (`/employees/{id}`) and status. seconds: in handlers, of all calls together."""

    counts: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    seconds: float = 0.0

    def total(self, route: str | None = None, *, method: str | None = None, status: int | None = None) -> int:
        """How many calls there were of this kind; None stands for any."""
        return sum(
            count
            for (a_method, a_route, a_status), count in self.counts.items()
            if route in (None, a_route) and method in (None, a_method) and status in (None, a_status)
        )

    def clear(self) -> None:
        self.counts.clear()
        self.seconds = 0.0

    def to_json(self) -> dict[str, Any]:
        calls = [
            {"method": method, "route": route, "status": status, "count": count}
            for (method, route, status), count in sorted(self.counts.items())
        ]
        return {"calls": calls, "total": self.counts.total(), "seconds": self.seconds}

    def middleware(self, prefix: str, clock: Clock) -> Middleware:
        """Counts everything but the control paths; `prefix` is left out of the routes."""

        @web.middleware
        async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
            resource = request.match_info.route.resource
            route = (resource.canonical if resource else request.path).removeprefix(prefix)
            started = clock.monotonic()
            status = 500
            try:
                answer = await handler(request)
                status = answer.status
            except web.HTTPException as refused:
                status = refused.status
                raise
            else:
                return answer
            finally:
                self.seconds += clock.monotonic() - started
                self.counts[request.method, route, status] += 1

        return count
