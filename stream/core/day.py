"""The calls of an organization's day: how many were made, and how many are left.

Zoho Books counts them over all programs, from midnight to midnight where the organization is, and mostly says in each
answer how that stands. Where it does not, our own count has to do, and nobody tells us the zone: the day then lasts 24
hours from the first call, or until Zoho lets calls through again after it had refused them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

DAY = timedelta(days=1)
DRIFT = timedelta(hours=1)
"""By so much the end of the day may seem to move without that being worth a record: answers round, zones change."""


@dataclass(frozen=True)
class DailyBudget:
    """What an answer says: calls a day, calls left of them, seconds until they are counted anew."""

    limit: int
    remaining: int
    reset: int


@dataclass(frozen=True)
class Day:
    """calls: made since it began, by whom ever as far as we know. limit: as told last, None while nobody told.

    ends: when the count begins anew, None before the first call. closed_until: every call is refused until then.
    """

    calls: int = 0
    limit: int | None = None
    ends: datetime | None = None
    closed_until: datetime | None = None

    def at(self, now: datetime) -> Day:
        """This day, or the one that has begun since."""
        closed = self.closed_until if self.closed_until is not None and now < self.closed_until else None
        if self.ends is None or now < self.ends:
            return replace(self, closed_until=closed)
        return replace(self, calls=0, ends=self.ends + ((now - self.ends) // DAY + 1) * DAY, closed_until=closed)

    def with_call(self, now: datetime) -> Day:
        """One call more begins."""
        day = self.at(now)
        return replace(day, calls=day.calls + 1, ends=day.ends or now + DAY)

    def told(self, budget: DailyBudget, now: datetime, in_flight: int) -> Day:
        """An answer said how it stands. in_flight: other calls of ours, which it may not have counted yet."""
        calls = budget.limit - budget.remaining + in_flight
        return replace(
            self.at(now), calls=max(calls, 0), limit=budget.limit, ends=now + timedelta(seconds=max(budget.reset, 1))
        )

    def used_up(self, now: datetime, wait: float) -> Day:
        """Zoho refuses for the rest of the day, or, where it did not say how long that is, as long as we wait."""
        ends = now + timedelta(seconds=wait)
        return replace(self.at(now), ends=ends, closed_until=ends)

    def closed(self, now: datetime, wait: float) -> Day:
        """Zoho refuses for so many seconds, whatever is left of the day."""
        return replace(self.at(now), closed_until=now + timedelta(seconds=wait))

    def per_day(self, given: int | None = None) -> int | None:
        """Calls that the day has in all; None while nobody told. given: beforehand, by whoever set the quota."""
        return min((limit for limit in (self.limit, given) if limit is not None), default=None)

    def left(self, given: int | None = None) -> int | None:
        """Calls, never below 0; None while no limit is known."""
        limit = self.per_day(given)
        return None if limit is None else max(0, limit - self.calls)

    def is_covered_by(self, kept: Day, now: datetime) -> bool:
        """Whether who knows only `kept` would make no more calls today than who knows this."""
        return (
            kept.ends is not None
            and now < kept.ends
            and (self.ends is None or abs(kept.ends - self.ends) < DRIFT)
            and kept.calls >= self.calls
            and kept.limit == self.limit
            and kept.closed_until == self.closed_until
        )
