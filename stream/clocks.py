"""Compares this machine's clock with those that others show, and says when it is far from one of them.

No decision of the product depends on the clock being right but one: the gateway refuses webhooks by their age. A clock
that is off also makes a log hard to read. So it is said, and nothing stops.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import SimpleNamespace

import aiohttp

from stream.clock import Clock
from stream.telemetry import log

logger = log("clocks")

DELIVERIES = "BambooHR's webhooks"
LATE_IN_A_ROW = 10
"""Deliveries in a row that must come late before it is the clock: one that BambooHR repeats has its first time."""


class Clocks:
    """Whose clocks were too far from ours when they were seen last, and by how much they were ahead."""

    def __init__(self, clock: Clock, tolerance: float) -> None:
        """tolerance: seconds by which clocks may differ."""
        self._clock = clock
        self._tolerance = timedelta(seconds=tolerance)
        self._apart: dict[str, timedelta] = {}
        self._late: deque[timedelta] = deque(maxlen=LATE_IN_A_ROW)

    def warnings(self) -> list[str]:
        """One sentence if a clock is too far from ours, about the one that is farthest."""
        if not self._apart:
            return []
        who, ahead = max(self._apart.items(), key=lambda one: abs(one[1]))
        way = "behind" if ahead > timedelta() else "ahead of"
        return [
            f"The clock of this machine is {abs(ahead).total_seconds():.0f} s {way} that of {who}: set it, since "
            "the gateway refuses webhooks by their age."
        ]

    def shown(self, who: str, at: datetime) -> None:
        """This is what `who` says that the time is."""
        self._is_ahead(who, at - self._clock.now())

    def _is_ahead(self, who: str, ahead: timedelta) -> None:
        before = self._apart.pop(who, None) is not None
        if apart := abs(ahead) > self._tolerance:
            self._apart[who] = ahead
        if apart != before:
            tell = logger.info if before else logger.warning
            tell("clocks.together_again" if before else "clocks.apart", other=who, ahead_s=round(ahead.total_seconds()))

    def delivered(self, sent: datetime, received: datetime) -> None:
        """A webhook that is BambooHR's says that it was sent then; it came when our clock showed `received`."""
        ahead = sent - received
        if ahead >= -self._tolerance:
            self._late.clear()
            self._is_ahead(DELIVERIES, ahead)
            return
        self._late.append(ahead)
        if len(self._late) == LATE_IN_A_ROW:
            self._is_ahead(DELIVERIES, max(self._late))

    def of_answers(self) -> aiohttp.TraceConfig:
        """For a client's session: looks at the Date of every answer."""
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._answered)
        return trace

    async def _answered(
        self, _: aiohttp.ClientSession, __: SimpleNamespace, answered: aiohttp.TraceRequestEndParams
    ) -> None:
        try:
            at = parsedate_to_datetime(answered.response.headers.get("Date", ""))
        except ValueError:
            return
        self.shown(answered.url.host or "", at if at.tzinfo is not None else at.replace(tzinfo=UTC))
