"""Where the benches run: a whole installation in processes of its own, and both sandboxes in this one.

The sandboxes' limits are raised so far that they play no part, and each of their requests is noted with its moments.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from agents.demo.stage import Stage
from agents.demo.vendors import CALLS_IN_FLIGHT, CONNECTION, Vendors
from agents.installation import Installation
from stream.clock import SystemClock
from stream.records import ConnectionId
from stream.sandbox.bamboohr import BambooHrQuirks, BambooHrSandbox, Company, RateLimit
from stream.sandbox.zoho import Limits, ZohoSandbox
from stream.topics import CONTACT_UPSERTS, EMPLOYEES, HR_EVENTS, OUTCOMES
from tests.bench.wire import Caller, signed_post

CALLS_PER_MINUTE = 60_000
LOOK_S = 0.1
SAMPLE = re.compile(r"^(rosterbook_\w+)(?:\{([^}]*)\})? ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Call:
    """One request as a sandbox saw it. Moments in seconds since the epoch, as the log's time stamps are."""

    method: str
    path: str
    arrived: float
    answered: float


class NotedVendors(Vendors):
    """finished: called after each call has been noted in `calls`."""

    def __init__(self, connection: ConnectionId = CONNECTION) -> None:
        super().__init__(calls_per_minute=CALLS_PER_MINUTE, connection=connection)
        self.calls: list[Call] = []
        self.finished: Callable[[Call], None] = lambda call: None
        clock, note = SystemClock(), self._noting()
        self.bamboohr = BambooHrSandbox(
            Company(connection),
            quirks=BambooHrQuirks(allow_http_webhooks=True),
            clock=clock,
            rate_limit=RateLimit(per_window=10_000_000),
            middlewares=(note,),
        )
        self.zoho = ZohoSandbox(
            clock=clock,
            limits=Limits(per_minute=CALLS_PER_MINUTE, per_day=10_000_000, in_flight=CALLS_IN_FLIGHT),
            middlewares=(note,),
        )

    @property
    def handler_s(self) -> float:
        """Seconds that both sandboxes have spent in their handlers."""
        return self.bamboohr.calls.seconds + self.zoho.calls.handler_s

    def _noting(self) -> Middleware:
        @web.middleware
        async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
            arrived = time.time()
            answer = await handler(request)
            call = Call(request.method, request.path, arrived, time.time())
            self.calls.append(call)
            self.finished(call)
            return answer

        return note


class Place:
    """An installation and the sandboxes of one of its companies."""

    def __init__(self, installation: Installation, vendors: NotedVendors, http: aiohttp.ClientSession) -> None:
        self.installation = installation
        self.vendors = vendors
        self._http = http

    @property
    def gateway(self) -> str:
        """host:port"""
        address = self.installation.address("gateway")
        assert address is not None, "the gateway is not there"
        return address

    def request(self, body: bytes) -> bytes:
        """The delivery as BambooHR would send it."""
        (webhook,) = self.vendors.bamboohr.registrations.all()
        return signed_post(self.gateway, f"/webhooks/bamboohr/{self.vendors.connection}", body, webhook.private_key)

    async def caller(self) -> Caller:
        caller = Caller()
        await caller.connect(self.gateway)
        return caller

    async def metrics(self, part: str) -> dict[tuple[str, str], float]:
        """(name, labels as text) -> value, of the gateway or the worker. Raises aiohttp.ClientError when it is away."""
        async with self._http.get(f"http://{self.installation.address(part)}/metrics") as answer:
            text = await answer.text()
        return {(name, labels): float(value) for name, labels, value in SAMPLE.findall(text)}

    async def ready(self) -> bool:
        try:
            async with self._http.get(f"http://{self.installation.address('worker')}/readyz") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def folded(self) -> float:
        """Records that the worker has folded since its start."""
        found = await self.metrics("worker")
        return sum(value for (name, _), value in found.items() if name == "rosterbook_folded_total")

    async def at_rest(self) -> bool:
        """Everything that was told is folded, read, written and settled, as the processes' own counters say.

        Only in the first life of the gateway and the worker: counters begin again at 0.
        """
        if self.vendors.bamboohr.unsent:
            return False
        told = await self.metrics("gateway")
        found = await self.metrics("worker")
        appended = {topic.name: _of(found, "rosterbook_appends_total", f'topic="{topic.name}"') for topic in DERIVED}
        appended[HR_EVENTS.name] = sum(  # the worker's own are those of its poll
            _of(one, "rosterbook_appends_total", f'topic="{HR_EVENTS.name}"') for one in (told, found)
        )
        owed = sum(value for (name, _), value in found.items() if name == "rosterbook_debts")
        return owed == 0 and all(
            _of(found, "rosterbook_folded_total", f'agent="{topic}"') == count for topic, count in appended.items()
        )

    async def rest(self, seconds: float = 60.0) -> None:
        await until(self.at_rest, seconds)


DERIVED = (EMPLOYEES, CONTACT_UPSERTS, OUTCOMES)


@asynccontextmanager
async def place() -> AsyncIterator[Place]:
    """Set up, connected, with a company of nobody; cleared at the end."""
    with tempfile.TemporaryDirectory(prefix="rosterbook-bench-") as folder:
        stage = Stage(Path(folder), say=print)
        vendors = NotedVendors()
        stage.vendors = vendors
        async with stage, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
            found = Place(stage.installation, vendors, http)
            await until(found.ready, 60)
            yield found


async def until(holds: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Return once it holds. Raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(LOOK_S)


def _of(found: dict[tuple[str, str], float], name: str, labels: str) -> float:
    return found.get((name, labels), 0.0)
