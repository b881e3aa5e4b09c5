"""The rate limit of the API and the lock after bad keys. Numbers are ours: the vendor publishes none."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime

from stream.clock import Clock
from stream.sandbox.bamboohr.quirks import BambooHrQuirks
from stream.sandbox.bamboohr.refusals import Refused


@dataclass(frozen=True)
class RateLimit:
    """What the company's API takes. Refused calls count against nothing, but a 401 does."""

    per_window: int = 300
    """Calls in any window; the next is refused."""
    window_s: float = 60.0
    logs_per_window: int = 20
    """Questions for the log of a webhook; the next is told to come again inside a 200."""
    bad_keys: int = 10
    """So many unknown keys within `lock_s` lock the API for everybody."""
    lock_s: float = 60.0


class Throttle:
    """Counts calls and bad keys. `limit` may be replaced while it runs."""

    def __init__(self, limit: RateLimit, *, quirks: BambooHrQuirks, clock: Clock) -> None:
        self.limit = limit
        self._quirks = quirks
        self.clock = clock
        self._calls: deque[float] = deque()
        self._logs: deque[float] = deque()
        self._bad_keys: deque[float] = deque()
        self._locked_until = -math.inf

    def admit(self) -> None:
        """Count one call. Raises Refused: 403 while locked, 429 (or the old 503) with Retry-After over the limit."""
        now = self.clock.monotonic()
        if now < self._locked_until:
            raise Refused(403, "API access is locked for a while after too many unknown keys")
        while self._calls and self._calls[0] <= now - self.limit.window_s:
            self._calls.popleft()
        if len(self._calls) >= self.limit.per_window:
            wait = self._calls[0] + self.limit.window_s - now if self._calls else self.limit.window_s
            raise Refused(
                self._quirks.throttle_status, "Rate limit exceeded", headers={"Retry-After": self.retry_after(wait)}
            )
        self._calls.append(now)

    def admit_log(self) -> bool:
        """Count one question for a webhook's log; whether it is within its own limit."""
        now = self.clock.monotonic()
        while self._logs and self._logs[0] <= now - self.limit.window_s:
            self._logs.popleft()
        within = len(self._logs) < self.limit.logs_per_window
        if within:
            self._logs.append(now)
        return within

    def bad_key(self) -> None:
        now = self.clock.monotonic()
        while self._bad_keys and self._bad_keys[0] <= now - self.limit.lock_s:
            self._bad_keys.popleft()
        self._bad_keys.append(now)
        if len(self._bad_keys) >= self.limit.bad_keys:
            self._bad_keys.clear()
            self._locked_until = now + self.limit.lock_s

    def unlock(self) -> None:
        self._locked_until = -math.inf

    def retry_after(self, wait: float) -> str:
        """`wait` seconds, as the quirk writes it; never earlier than the limit opens."""
        seconds = max(1, math.ceil(wait))
        if self._quirks.retry_after == "seconds":
            return str(seconds)
        opens = self.clock.now() + timedelta(seconds=seconds + 1)
        return format_datetime(opens, usegmt=True)
