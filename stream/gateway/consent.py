"""Where a browser comes back to after a consent: `GET /oauth/{vendor}/callback`.

Anybody can call it with anything. Only a state that a command of ours sealed leads to a record on the log, once; all
else gets one and the same plain page. No page shows what was brought, and none may be kept or lead anywhere.
"""

from __future__ import annotations

from datetime import datetime

from aiohttp import hdrs, web

from stream import consent_state
from stream.clock import Clock
from stream.consent import read_query
from stream.errors import LogUnavailable, UsageError
from stream.gateway.answers import SERVER
from stream.kafka.event_log import EventLog
from stream.records import Api
from stream.telemetry import log
from stream.vault.vault import Vault

logger = log("gateway")

APPEND_S = 4.0
THANKS = "Thank you. Rosterbook goes on in the terminal; this page can be closed."
NOT_EXPECTED = "Nobody waits for this, or not any more: begin again in the terminal."
LATER = "Rosterbook cannot keep this at the moment: load the page again in a few seconds."
_HEADERS = {
    hdrs.CONTENT_TYPE: "text/plain; charset=utf-8",
    hdrs.SERVER: SERVER,
    hdrs.CACHE_CONTROL: "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class ConsentPages:
    """For all connections."""

    def __init__(self, log: EventLog, vault: Vault, clock: Clock) -> None:
        self._log = log
        self._vault = vault
        self._clock = clock
        self._used: dict[str, datetime] = {}
        """Words of the states that were used -> when they count for nothing anyway."""

    async def come_back(self, api: Api, request: web.BaseRequest) -> web.Response:
        now = self._clock.now()
        self._used = {word: until for word, until in self._used.items() if now < until}
        try:
            fields = read_query(request.rel_url.raw_query_string)
        except UsageError:
            return _page(400, NOT_EXPECTED)
        state = consent_state.read(fields.get("state", ""), api, self._vault, now)
        if state is None or state.word in self._used or not fields.keys() & {"code", "error"}:
            return _page(400, NOT_EXPECTED)
        self._used[state.word] = state.until
        try:
            await self._log.append(consent_state.answer(state, fields, self._vault, now), deadline=APPEND_S)
        except LogUnavailable as error:
            self._used.pop(state.word, None)
            logger.warning("gateway.consent_not_kept", connection=state.connection, reason=error.message)
            return _page(503, LATER)
        logger.info("gateway.consent_came_back", connection=state.connection, api=api)
        return _page(200, THANKS)


def _page(status: int, text: str) -> web.Response:
    return web.Response(status=status, body=f"{text}\n".encode(), headers=_HEADERS)
