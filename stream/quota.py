"""How many calls one organization may get: a policy, and the ledger of the calls that were made.

A sliding log, evenly paced after the first few, never a bucket that could burst: in no 60 seconds are more calls begun
than the policy says. The window is a little longer than a minute, since a call may arrive later than it was sent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from stream.clock import Clock

WINDOW_S = 60.6


class Gate(Protocol):
    """What else must be so before a call begins, such as the fence."""

    @property
    def open(self) -> bool: ...

    async def wait_open(self) -> None: ...


@dataclass(frozen=True)
class Quota:
    """per_minute: calls begun in any 60 seconds. in_flight: calls at once. burst: calls that need not be paced."""

    per_minute: int
    in_flight: int
    burst: int = 5

    @property
    def pace_s(self) -> float:
        return WINDOW_S / self.per_minute


class QuotaLedger:
    """The calls of one organization, whoever makes them.

    What an earlier owner did in the last minute is unknown, so the first minute is paced as if it had used all of it,
    and begins late by as many calls as it may have made at once.
    """

    def __init__(self, quota: Quota, clock: Clock) -> None:
        self.quota = quota
        self._clock = clock
        self._begun: deque[float] = deque(maxlen=quota.per_minute)
        self._paced_until = clock.monotonic() + quota.burst * quota.pace_s
        self._strict_until = clock.monotonic() + WINDOW_S
        self._slots = asyncio.Semaphore(quota.in_flight)
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def call(self, gate: Gate | None = None) -> AsyncIterator[None]:
        """Waits for a slot and a turn, in the order of asking; the slot is held while the body runs.

        gate: is open at the moment the call begins. Who waits for it takes nobody's slot and nobody's turn, and a gate
        that has closed meanwhile is waited for once more.
        """
        while True:
            if gate is not None:
                await gate.wait_open()
            async with self._slots:
                async with self._turn:
                    while (wait := self._wait()) > 0:
                        await asyncio.sleep(wait)
                    begins = gate is None or gate.open
                    if begins:
                        self._begin()
                if begins:
                    yield
                    return

    def _wait(self) -> float:
        now = self._clock.monotonic()
        burst = 1 if now < self._strict_until else min(self.quota.burst, self.quota.per_minute)
        earliest = self._paced_until - (burst - 1) * self.quota.pace_s
        if len(self._begun) == self.quota.per_minute:
            earliest = max(earliest, self._begun[0] + WINDOW_S)
        return earliest - now

    def _begin(self) -> None:
        now = self._clock.monotonic()
        self._begun.append(now)
        self._paced_until = max(self._paced_until, now) + self.quota.pace_s
