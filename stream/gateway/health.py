"""Whether the gateway is alive (`/healthz`), and whether it would take a delivery now, or why not (`/readyz`).

The brokers are asked anew each time; nothing is appended for it.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from stream.clocks import Clocks
from stream.errors import LogUnavailable
from stream.gateway.answers import json_response
from stream.gateway.appends import Appends
from stream.kafka.event_log import EventLog
from stream.kafka.view import CompactedView

ASK_S = 2.0
"""How long the brokers may take to answer."""


class Health:
    """Answers the two questions. min_insync: in-sync replicas without which Kafka takes no append."""

    def __init__(
        self, log: EventLog, connections: CompactedView, appends: Appends, clocks: Clocks, min_insync: int
    ) -> None:
        self._log = log
        self._connections = connections
        self._appends = appends
        self._clocks = clocks
        self._min_insync = min_insync

    async def alive(self, _: web.BaseRequest) -> web.Response:
        return json_response(200, {"alive": True})

    async def ready(self, _: web.BaseRequest) -> web.Response:
        reasons = await self._reasons()
        told = {"ready": not reasons, "reasons": reasons, "warnings": self._clocks.warnings()}
        return json_response(503 if reasons else 200, told)

    async def _reasons(self) -> list[str]:
        of_connections, of_log = await asyncio.gather(self._unread(), self._untaken())
        return [reason for reason in (of_connections, of_log) if reason is not None]

    async def _unread(self) -> str | None:
        if not self._connections.loaded.is_set():
            return "The connections have not been read to the end of their topic yet."
        try:
            async with asyncio.timeout(ASK_S):
                await self._connections.read_to_end()
        except TimeoutError:
            return "The connections cannot be read to the end of their topic at the moment."
        return None

    async def _untaken(self) -> str | None:
        try:
            await self._log.check(self._min_insync, deadline=ASK_S)
        except LogUnavailable as error:
            return error.message
        return "The last append to the log failed." if self._appends.failed_lately() else None
