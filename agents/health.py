"""The worker's own page for machines: alive, ready, metrics, and whether it serves a connection."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from aiohttp import web
from prometheus_client.aiohttp import make_aiohttp_handler

from stream.core.forecast import Forecast
from stream.errors import SettingsError
from stream.records import ConnectionId
from stream.telemetry import REGISTRY

RECOVERING, CATCHING_UP = "recovering tables", "catching up"
READS_LOG = (RECOVERING, CATCHING_UP)
"""Why a worker is not ready while it reads what is on the log. That takes as long as there is much of it, and the
worker's own watchdog ends one that comes no further.
"""


@dataclass(frozen=True)
class CallsToday:
    """begun: by all programs, as far as is known, since the organization's day began. limit, left: None while nobody
    told. ends: when they are counted anew; None before the first call.
    """

    begun: int
    limit: int | None
    left: int | None
    ends: datetime | None


@dataclass(frozen=True)
class Serving:
    """Whether a worker does a connection's work; why not, or how it stands; when the settings it has were saved.

    calls: of Zoho Books, today. forecast: what the backlog will take of it; None while nothing is done.
    held_leavers: contacts that the leaver guard keeps active until a person decides.
    """

    serving: bool
    reason: str
    saved_at: datetime | None = None
    calls: CallsToday | None = None
    forecast: Forecast | None = None
    held_leavers: int = 0


class Health:
    """not_ready: why the worker is not ready, None when it is. warnings: what somebody should do nevertheless.
    vault_keys: ids, not secret, of those it holds.
    """

    def __init__(
        self,
        vault_keys: Callable[[], Iterable[str]],
        not_ready: Callable[[], str | None],
        warnings: Callable[[], list[str]],
        serving: Callable[[ConnectionId], Serving],
    ) -> None:
        self._vault_keys = vault_keys
        self._not_ready = not_ready
        self._warnings = warnings
        self._serving = serving
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int, address_file: Path) -> str:
        """Listen; returns host:port and leaves it in `address_file`. Raises SettingsError when the port is taken."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", make_aiohttp_handler(registry=REGISTRY))
        app.router.add_get("/connections/{connection}", self._connection)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as error:
            why = os.strerror(error.errno or 0)
            raise SettingsError(
                f"Port {port} of {host} cannot be used ({why}): end the other program, or set ROSTERBOOK_METRICS_PORT."
            ) from error
        bound = self._runner.addresses[0]
        address = f"{bound[0]}:{bound[1]}"
        address_file.parent.mkdir(parents=True, exist_ok=True)
        address_file.write_text(address)
        return address

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"alive": True, "vault_keys": sorted(self._vault_keys())})

    async def _readyz(self, _: web.Request) -> web.Response:
        reason = self._not_ready()
        told = {"ready": reason is None, "reason": reason, "warnings": self._warnings()}
        return web.json_response(told, status=200 if reason is None else 503)

    async def _connection(self, request: web.Request) -> web.Response:
        found = self._serving(ConnectionId(request.match_info["connection"]))
        calls = None if found.calls is None else {**asdict(found.calls), "ends": _time(found.calls.ends)}
        forecast = None if found.forecast is None else asdict(found.forecast)
        return web.json_response(
            {
                "serving": found.serving,
                "reason": found.reason,
                "saved_at": _time(found.saved_at),
                "calls_today": calls,
                "forecast": forecast,
                "held_leavers": found.held_leavers,
                "warnings": self._warnings(),
            }
        )


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
