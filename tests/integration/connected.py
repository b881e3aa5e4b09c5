"""Both vendors' sandboxes, several connections to them, and workers as processes of their own.

The connections share one company and one organization but not its people: each hears of employees of its own.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from agents.demo.equal import compare
from stream.clock import SystemClock
from stream.kafka.event_log import EventLog
from stream.records import BambooHrSettings, Connection, ConnectionId, EmployeeId, HrEvent, Mapping, ZohoSettings
from stream.sandbox.bamboohr import BambooHrSandbox, Company, RateLimit
from stream.sandbox.zoho import Limits, ZohoSandbox
from stream.telemetry import Masked
from stream.tether import tethered
from stream.vault.vault import Vault, new_keyset
from tests.e2e.processes import environment
from tests.e2e.waiting import until

SECOND_NAME = "localhost"
"""What the second worker calls this machine, so that its calls can be told from the first one's."""


@dataclass(frozen=True)
class Call:
    """A request that reached Zoho Books. at: monotonic seconds. host: as the caller names it."""

    at: float
    host: str
    method: str
    path: str


class Vendors:
    """`company` is where things happen, `organization` where they must show."""

    def __init__(self, employees: int, *, calls_per_minute: int = 6000) -> None:
        clock = SystemClock()
        self.keys = new_keyset()
        self.calls: list[Call] = []
        self.readings = 0
        self._calls_per_minute = calls_per_minute
        self.company = Company.seeded("acme", employees=employees, clock=clock)
        self.bamboohr = BambooHrSandbox(
            self.company, clock=clock, rate_limit=RateLimit(per_window=1_000_000), middlewares=[self._count]
        )
        limits = Limits(per_minute=1_000_000, per_day=1_000_000, in_flight=100)
        self.zoho = ZohoSandbox(clock=clock, limits=limits, middlewares=[self._look])
        self.organization = self.zoho.organization

    @web.middleware
    async def _count(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.readings += 1
        return await handler(request)

    @web.middleware
    async def _look(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.calls.append(Call(time.monotonic(), request.host.partition(":")[0], request.method, request.path))
        return await handler(request)

    async def start(self) -> None:
        await self.bamboohr.start()
        await self.zoho.start()

    async def stop(self) -> None:
        await self.bamboohr.stop()
        await self.zoho.stop()

    def settings(self, host: str = "127.0.0.1") -> dict[str, str]:
        """Fields of Settings that make a worker call these sandboxes, by that name of this machine."""
        return {
            "bamboohr_url": self.bamboohr.base_url.removesuffix("/acme"),
            "zoho_accounts_url": self.zoho.accounts_url.replace("127.0.0.1", host),
            "zoho_api_url": self.zoho.api_url.replace("127.0.0.1", host),
            "vault_keys": self.keys,
        }

    async def connect(self, log: EventLog, connection: ConnectionId, refresh_token: str | None = None) -> None:
        """Append the settings of a connection, as `rosterbook connection add` would."""
        vault = Vault(self.keys, source="the test")
        await log.append(saved(vault, connection, self.bamboohr, self.zoho, self._calls_per_minute, refresh_token))

    def writes(self, host: str | None = None, since: float = 0.0) -> list[Call]:
        """Calls that change a contact."""
        return [
            call
            for call in self.calls
            if call.method != "GET" and "/oauth/" not in call.path and call.at >= since and host in (None, call.host)
        ]

    def equal(self) -> bool:
        return compare(self.company, self.organization, Mapping()).equal


def saved(
    vault: Vault,
    connection: ConnectionId,
    bamboohr: BambooHrSandbox,
    zoho: ZohoSandbox,
    calls_per_minute: int,
    refresh_token: str | None = None,
) -> Connection:
    """The settings of a connection to these sandboxes. refresh_token: of Zoho; None: the one that all share."""

    def seal(secret: str, purpose: Any) -> Any:
        return vault.seal(Masked(secret), connection=connection, purpose=purpose)

    return Connection(
        connection=connection,
        mode="live",
        bamboohr=BambooHrSettings(
            subdomain=bamboohr.company.subdomain, api_key=seal(bamboohr.credentials.api_key, "bamboohr.api_key")
        ),
        webhook_key=seal("unused", "bamboohr.webhook_key"),
        zoho=ZohoSettings(
            region="us",
            organization_id=zoho.organization_id,
            calls_per_minute=calls_per_minute,
            client_id=seal(zoho.credentials.client_id, "zoho.client_id"),
            client_secret=seal(zoho.credentials.client_secret, "zoho.client_secret"),
            refresh_token=seal(refresh_token or zoho.credentials.refresh_token, "zoho.refresh_token"),
        ),
        saved_at=datetime.now(UTC),
    )


async def tell(log: EventLog, connection: ConnectionId, employees: list[str]) -> None:
    """Something has changed about each of these people."""
    for employee in employees:
        ids = (EmployeeId(employee),)
        await log.append(HrEvent(connection=connection, employees=ids, kind="webhook", received_at=datetime.now(UTC)))


class WorkerProcess:
    """`rosterbook worker` on a folder of its own. said: its log, line by line."""

    def __init__(self, data: Path, bootstrap: str, **settings: str) -> None:
        self.said: list[dict[str, Any]] = []
        self._data = data
        self._variables = {
            "ROSTERBOOK_DATA": str(data),
            "ROSTERBOOK_KAFKA": bootstrap,
            "ROSTERBOOK_METRICS_PORT": "0",
            **{f"ROSTERBOOK_{name.upper()}": value for name, value in settings.items()},
        }
        self._reader: asyncio.Task[None] | None = None
        self.process: asyncio.subprocess.Process

    async def start(self, *module: str) -> None:
        """module: another one to run, with its arguments."""
        self.process = await asyncio.create_subprocess_exec(
            *tethered([sys.executable, "-m", *(module or ("agents.cli", "worker"))]),
            env=environment(**self._variables),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=2**22,
        )
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            with suppress(ValueError):
                self.said.append({**json.loads(line), "heard_at": time.monotonic()})

    def events(self, event: str, since: float = 0.0) -> list[dict[str, Any]]:
        return [line for line in self.said if line["event"] == event and line["heard_at"] >= since]

    async def ready(self, deadline: float = 60.0) -> None:
        await until("the worker is ready", lambda: self._answers("/readyz"), deadline)

    async def serves(self, connection: ConnectionId) -> bool:
        """Whether it says that it does this connection's work; not while it does not answer."""
        answer = await self._answers(f"/connections/{connection}")
        return answer is not None and bool(answer["serving"])

    async def _answers(self, path: str) -> dict[str, Any] | None:
        try:
            address = (self._data / "worker" / "address").read_text()
            timeout = aiohttp.ClientTimeout(total=2)
            async with aiohttp.ClientSession(timeout=timeout) as http, http.get(f"http://{address}{path}") as answer:
                return dict(await answer.json()) if answer.status == 200 else None
        except (OSError, aiohttp.ClientError, TimeoutError):
            return None

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self, deadline: float = 60.0) -> int:
        async with asyncio.timeout(deadline):
            code = await self.process.wait()
            if self._reader is not None:
                await self._reader
        return code

    async def end(self) -> None:
        """End it whatever it does."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.ended()
