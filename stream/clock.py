"""The one place that reads clocks, so that tests and the simulation can bring their own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """What the product asks of time."""

    def now(self) -> datetime:
        """Wall clock, always aware, UTC. For people and records; never for measuring a wait."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow and run on while the machine sleeps. For deadlines, waits and the fence."""
        ...


class SystemClock:
    """The machine's clocks. `monotonic` is CLOCK_BOOTTIME where there is one: it counts suspension too."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.clock_gettime(_BOOT)
