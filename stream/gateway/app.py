"""The gateway's addresses, and what is true of every answer: JSON, and nothing about our versions or insides.

It answers aiohttp's plain server: the router, middlewares and signals of an application would double what a delivery
costs, for three pages and one kind of delivery.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import cast

from aiohttp import hdrs, web
from prometheus_client.aiohttp import make_aiohttp_handler

from stream.bamboohr.webhooks import DELIVERIES
from stream.clock import Clock
from stream.clocks import Clocks
from stream.gateway.answers import SERVER, json_response
from stream.gateway.appends import Appends
from stream.gateway.consent import ConsentPages
from stream.gateway.health import Health
from stream.gateway.keys import Keys, OpenKey
from stream.gateway.webhook import Webhooks
from stream.kafka.event_log import EventLog
from stream.kafka.view import CompactedView
from stream.records import Api, ConnectionId
from stream.settings import Settings
from stream.telemetry import REGISTRY, log
from stream.vault.vault import Vault

logger = log("gateway")

CALLBACKS: dict[str, Api] = {"/oauth/bamboohr/callback": "bamboohr", "/oauth/zoho/callback": "zoho"}
"""Where browsers come back to after a consent."""

Page = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Gateway:
    """Wires the addresses. log, connections: started and stopped by the caller; until they are, deliveries get 503."""

    def __init__(
        self,
        settings: Settings,
        log: EventLog,
        connections: CompactedView,
        open_key: OpenKey,
        vault: Vault,
        clock: Clock,
    ) -> None:
        self.appends = Appends(clock)
        clocks = Clocks(clock, settings.clock_tolerance)
        max_age = timedelta(seconds=settings.webhook_max_age)
        self._webhooks = Webhooks(log, connections, Keys(open_key), self.appends, clock, clocks, max_age)
        health = Health(log, connections, self.appends, clocks, settings.min_insync)
        self._consents = ConsentPages(log, vault, clock)
        self._pages: dict[str, Page] = {"/healthz": health.alive, "/readyz": health.ready, "/metrics": _metrics}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer. Serve it with `auto_decompress=False`: the signature is over the bytes as they were sent."""
        path = request.path
        parent, _, name = path.rpartition("/")
        try:
            if parent == DELIVERIES and name:
                if request.method == hdrs.METH_POST:
                    return await self._webhooks.receive(ConnectionId(name), request)
                return _not_allowed("POST")
            if (api := CALLBACKS.get(path)) is not None:
                if request.method == hdrs.METH_GET:
                    return await self._consents.come_back(api, request)
                return _not_allowed("GET")
            if (page := self._pages.get(path)) is not None:
                if request.method in (hdrs.METH_GET, hdrs.METH_HEAD):
                    return await page(request)
                return _not_allowed("GET,HEAD")
            return json_response(404, {"error": "There is nothing here."})
        except Exception as error:
            at = error.__traceback__
            while at is not None and at.tb_next is not None:
                at = at.tb_next
            place = f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at is not None else ""
            logger.error("gateway.failed", error=type(error).__name__, place=place)  # its text may name a person
            return json_response(500, {"error": "The gateway failed; it has logged where."})


async def _metrics(request: web.BaseRequest) -> web.StreamResponse:
    page = make_aiohttp_handler(REGISTRY)
    response = await page(cast(web.Request, request))  # it reads the query and the headers, which every request has
    response.headers[hdrs.SERVER] = SERVER
    return response


def _not_allowed(methods: str) -> web.Response:
    return json_response(405, {"error": "This method is not for this address."}, {hdrs.ALLOW: methods})
