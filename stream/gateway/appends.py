"""How the gateway's appends have gone: what readiness and reconnecting are decided by."""

from __future__ import annotations

from stream.clock import Clock
from stream.telemetry import log

logger = log("gateway")

REMEMBERED_S = 10.0
"""How long a failure counts when no append follows it: who is not ready may get no request to recover by."""


class Appends:
    """failing_since: when (monotonic) the last append began, if it failed; None once one has succeeded."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.failing_since: float | None = None

    def began(self) -> float:
        return self._clock.monotonic()

    def succeeded(self) -> None:
        if self.failing_since is not None:
            self.failing_since = None
            logger.info("gateway.appends_again")

    def failed(self, began: float, reason: str) -> None:
        if self.failing_since is None:
            logger.warning("gateway.appends_fail", reason=reason)
        self.failing_since = began

    def failed_lately(self) -> bool:
        return self.failing_since is not None and self._clock.monotonic() - self.failing_since < REMEMBERED_S
