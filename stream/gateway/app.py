"""The gateway's routes, and what is true of every answer: JSON, and nothing about our versions or insides."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from prometheus_client.aiohttp import make_aiohttp_handler

from stream.clock import Clock
from stream.gateway.answers import json_response
from stream.gateway.appends import Appends
from stream.gateway.health import Health
from stream.gateway.keys import Keys, OpenKey
from stream.gateway.webhook import Webhooks
from stream.kafka.event_log import EventLog
from stream.kafka.view import CompactedView
from stream.settings import Settings
from stream.telemetry import REGISTRY, log

logger = log("gateway")

ERRORS = {404: "There is nothing here.", 405: "This method is not for this address."}


class Gateway:
    """Wires the routes. log, connections: started and stopped by the caller; until they are, deliveries get 503."""

    def __init__(
        self, settings: Settings, log: EventLog, connections: CompactedView, open_key: OpenKey, clock: Clock
    ) -> None:
        self.appends = Appends(clock)
        max_age = timedelta(seconds=settings.webhook_max_age)
        self._webhooks = Webhooks(log, connections, Keys(open_key), self.appends, clock, max_age)
        self._health = Health(log, connections, self.appends, settings.min_insync)

    def app(self) -> web.Application:
        """Serve it with `auto_decompress=False`: the signature is over the bytes as they were sent."""
        app = web.Application(middlewares=[_json_errors])
        app.router.add_post("/webhooks/bamboohr/{connection}", self._webhooks.receive)
        app.router.add_get("/healthz", self._health.alive)
        app.router.add_get("/readyz", self._health.ready)
        app.router.add_get("/metrics", make_aiohttp_handler(REGISTRY))
        app.on_response_prepare.append(_no_versions)
        return app


@web.middleware
async def _json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        headers = {"Allow": error.headers[hdrs.ALLOW]} if hdrs.ALLOW in error.headers else None
        return json_response(error.status, {"error": ERRORS.get(error.status, error.reason)}, headers)
    except Exception as error:
        at = error.__traceback__
        while at is not None and at.tb_next is not None:
            at = at.tb_next
        place = f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at is not None else ""
        logger.error("gateway.failed", error=type(error).__name__, place=place)  # its text may name a person
        return json_response(500, {"error": "The gateway failed; it has logged where."})


async def _no_versions(_: web.Request, response: web.StreamResponse) -> None:
    response.headers[hdrs.SERVER] = "Rosterbook"
