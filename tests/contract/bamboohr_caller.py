"""A plain client for tests of the BambooHR sandbox, a receiver of webhooks, and a clock that is set by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from aiohttp import web

from stream.sandbox.bamboohr import BambooHrQuirks, BambooHrSandbox, Company

JSON = {"Accept": "application/json"}
DEADLINE_S = 10.0
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


class HandClock:
    """Moves only when told."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, **span: float) -> None:
        step = timedelta(**span)
        self._now += step
        self._monotonic += step.total_seconds()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Any
    body: Any


@dataclass
class BambooCaller:
    """Calls one sandbox, as its admin unless `auth` or an Authorization header says otherwise."""

    sandbox: BambooHrSandbox
    session: aiohttp.ClientSession

    async def call(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        params: Any = None,
        **content: Any,
    ) -> Answer:
        """`path` below /api/v1, or from the subdomain on when it begins with two slashes."""
        credentials = aiohttp.encode_basic_auth(key or self.sandbox.credentials.api_key, "any text")
        sent = {"Authorization": credentials} | JSON | (headers or {})
        base = self.sandbox.base_url + ("/api/v1" if not path.startswith("//") else "")
        url = base + path.replace("//", "/", 1)
        async with self.session.request(
            method, url, headers=sent, params=params, allow_redirects=False, **content
        ) as answer:
            text = await answer.text()
            is_json = answer.content_type == "application/json" and text
            return Answer(answer.status, answer.headers, await answer.json() if is_json else text)

    async def get(self, path: str, **rest: Any) -> Answer:
        return await self.call("GET", path, **rest)

    async def token(self, **fields: str) -> Answer:
        issued = self.sandbox.credentials
        body = {"client_id": issued.client_id, "client_secret": issued.client_secret, **fields}
        return await self.call("POST", "//token.php?request=token", json=body)

    async def bearer(self) -> dict[str, str]:
        answer = await self.token(grant_type="refresh_token", refresh_token=self.sandbox.credentials.refresh_token)
        return {"Authorization": f"Bearer {answer.body['access_token']}"}


@asynccontextmanager
async def serving(
    employees: int = 5, *, quirks: BambooHrQuirks | None = None, company: Company | None = None, **rest: Any
) -> AsyncIterator[BambooCaller]:
    sandbox = BambooHrSandbox(company or Company.seeded("acme", employees=employees), quirks=quirks, **rest)
    await sandbox.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield BambooCaller(sandbox, session)
    finally:
        await sandbox.stop()


@dataclass(frozen=True)
class Received:
    headers: Any
    body: bytes


@dataclass
class Receiver:
    """Takes webhooks. statuses: what to answer next, 200 after that; None holds the answer back for good."""

    url: str = ""
    statuses: list[int | None] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        self.received.append(Received(request.headers.copy(), await request.read()))
        status = self.statuses.pop(0) if self.statuses else 200
        if status is None:
            await self.held.wait()
        return web.Response(status=status or 200)


@asynccontextmanager
async def receiving(*statuses: int | None) -> AsyncIterator[Receiver]:
    receiver = Receiver(statuses=list(statuses))
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        receiver.held.set()
        await runner.cleanup()


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition; fail by name after the deadline."""
    end = asyncio.get_running_loop().time() + DEADLINE_S
    while not condition():
        assert asyncio.get_running_loop().time() < end, f"still waiting for {what}"
        await asyncio.sleep(0.005)


def local(**switches: Any) -> BambooHrQuirks:
    """Quirks that let webhooks of this machine through."""
    return BambooHrQuirks(**{"allow_http_webhooks": True, **switches})
