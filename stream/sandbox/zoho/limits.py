"""The limits on calls of one organization: per minute, per day, in flight. `Limits` is policy, the ledger counts."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from stream.clock import Clock
from stream.sandbox.zoho.quirks import ZohoQuirks
from stream.sandbox.zoho.refusals import Refused

MINUTE_S = 60.0
BLOCK_S = 3600


@dataclass(frozen=True)
class Limits:
    """What one organization may do. Refused calls count against nothing."""

    per_minute: int = 100
    """Calls in any 60 s; the next is 429 code 44."""
    burst: int = 1000
    """Calls in any 60 s where an overrun blocks the organization for an hour (the quirk `minute_overrun`)."""
    per_day: int = 5000
    """Calls between two midnights of the organization's time zone; the next is 429 code 45."""
    in_flight: int = 5
    """Calls at a time: 5 on the free plan, 10 on paid ones; one more is 429 code 1070."""
    latency_s: float = 0.0
    """Seconds that each call takes at least, in flight all the while."""


class LimitLedger:
    """Counts the calls of one organization. `limits` may be replaced while it runs."""

    def __init__(self, limits: Limits, *, quirks: ZohoQuirks, clock: Clock, zone: ZoneInfo) -> None:
        self.limits = limits
        self.in_flight = 0
        self.peak_in_flight = 0
        self._quirks = quirks
        self._clock = clock
        self._zone = zone
        self._minute: deque[float] = deque()
        self._blocked_until = -math.inf
        self._day = self._local_now().date()
        self._used_today = 0

    @property
    def used_today(self) -> int:
        """Calls of this day, those of other integrations included."""
        if (today := self._local_now().date()) != self._day:
            self._day, self._used_today = today, 0
        return self._used_today

    def spend(self, calls: int) -> None:
        """Another integration of the organization makes calls."""
        self._used_today = self.used_today + calls

    def enter(self) -> None:
        """Admit one call; `leave` must follow. Raises Refused with 429 and admits nothing."""
        now = self._clock.monotonic()
        if now < self._blocked_until:
            raise self._blocked(now)
        if self.used_today >= self.limits.per_day:
            raise Refused(
                429,
                45,
                f"The API calls of this organization have exceeded the maximum rate of {self.limits.per_day} a day.",
            )
        if self.in_flight >= self.limits.in_flight:
            raise Refused(429, 1070, "The maximum number of in process requests has been reached.")
        self._admit_in_minute(now)
        self.spend(1)
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def leave(self) -> None:
        self.in_flight -= 1

    def headers(self) -> dict[str, str]:
        """The daily budget; Reset is in seconds to midnight of the organization's time zone."""
        if self._quirks.rate_headers == "absent":
            return {}
        return {
            "X-Rate-Limit-Limit": str(self.limits.per_day),
            "X-Rate-Limit-Remaining": str(max(0, self.limits.per_day - self.used_today)),
            "X-Rate-Limit-Reset": str(self._seconds_to_midnight()),
        }

    def _admit_in_minute(self, now: float) -> None:
        while self._minute and self._minute[0] <= now - MINUTE_S:
            self._minute.popleft()
        if self._quirks.minute_overrun == "blocked for an hour":
            if len(self._minute) >= self.limits.burst:
                self._blocked_until = now + BLOCK_S
                raise self._blocked(now)
        elif len(self._minute) >= self.limits.per_minute:
            raise Refused(
                429,
                44,
                "This organization has been blocked as it has exceeded the maximum number of requests per minute.",
            )
        self._minute.append(now)

    def _blocked(self, now: float) -> Refused:
        wait = math.ceil(self._blocked_until - now)
        message = "For security reasons you have been blocked for some time."
        return Refused(429, 43, message, headers={"Retry-After": str(wait)})

    def _local_now(self) -> datetime:
        return self._clock.now().astimezone(self._zone)

    def _seconds_to_midnight(self) -> int:
        now = self._local_now()
        midnight = datetime.combine(now.date() + timedelta(days=1), time.min, tzinfo=self._zone)
        return math.ceil(midnight.timestamp() - now.timestamp())
