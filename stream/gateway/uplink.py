"""Keeps the log connected: at the start for as long as Kafka is away, after it moved, and when the producer is broken.

The producer mends an outage of the brokers itself. What it cannot mend is a lost place in its sequence (an idempotent
producer is then refused for ever): appends go on failing while the brokers are well. Then it is replaced.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from stream.clock import Clock
from stream.errors import LogUnavailable
from stream.gateway.appends import Appends
from stream.kafka.cancellation import only_our_cancellation
from stream.kafka.event_log import EventLog
from stream.telemetry import log

logger = log("gateway")

FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 2.0
LOOK_S = 1.0


class Uplink:
    """Runs until it is cancelled."""

    def __init__(self, log: EventLog, appends: Appends, clock: Clock, min_insync: int) -> None:
        self._log = log
        self._appends = appends
        self._clock = clock
        self._min_insync = min_insync

    async def run(self) -> None:
        while True:
            await self._connect()
            await self._until_lost()
            logger.warning("gateway.reconnecting")
            with suppress(LogUnavailable), only_our_cancellation():
                await self._log.stop(grace=0)

    async def _connect(self) -> None:
        wait, told = FIRST_WAIT_S, False
        while True:
            try:
                with only_our_cancellation():
                    await self._log.start()
            except LogUnavailable as error:
                if not told:
                    logger.warning("gateway.log_away", reason=error.message)
                told = True
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT_S)
            else:
                logger.info("gateway.log_connected")
                return

    async def _until_lost(self) -> None:
        """Return when Kafka has moved, or when an append failed that began while the brokers were already well."""
        well_since: float | None = None
        while not self._log.moved:
            await asyncio.sleep(LOOK_S)
            failing_since = self._appends.failing_since
            if failing_since is None or not await self._is_well():
                well_since = None
            elif well_since is None:
                well_since = self._clock.monotonic()
            elif failing_since > well_since:
                return

    async def _is_well(self) -> bool:
        try:
            await self._log.check(self._min_insync)
        except LogUnavailable:
            return False
        return True
