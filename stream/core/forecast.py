"""What a backlog will take: calls, and minutes at the limits as they are known."""

from __future__ import annotations

from dataclasses import dataclass

CALLS = 2
"""Of Zoho Books for one person: found and created, or read and changed. Who needs no change takes fewer."""
DAY_MIN = 24 * 60.0


@dataclass(frozen=True)
class Limits:
    """left_today, per_day: calls of all programs; None while no limit is known. reserve: of the day, for live changes.

    day_ends_in: minutes until they are counted anew. closed_for: minutes for which no call is accepted.
    """

    per_minute: int
    left_today: int | None = None
    per_day: int | None = None
    reserve: int = 0
    day_ends_in: float = DAY_MIN
    closed_for: float = 0.0


@dataclass(frozen=True)
class Forecast:
    """calls_needed: at most. minutes: until the last of them, if nothing is added and other programs call no more.

    left_today: calls that all programs have left; None while nobody told.
    """

    calls_needed: int
    minutes: float
    left_today: int | None


def forecast(live: int, backfill: int, limits: Limits, *, calls_of_backfill: int = CALLS) -> Forecast:
    """live, backfill: people with a change, and people of a backfill, that are owed. calls_of_backfill: for each."""
    live, backfill = CALLS * live, calls_of_backfill * backfill
    calls = live + backfill
    minutes = calls / limits.per_minute + limits.closed_for
    if limits.left_today is not None and limits.per_day:
        changes = min(live, limits.left_today)
        today = changes + min(backfill, max(0, limits.left_today - changes - limits.reserve))
        if (rest := calls - today) > 0:
            a_day = max(1, limits.per_day - (limits.reserve if backfill else 0))
            days, last = divmod(rest - 1, a_day)
            minutes = max(minutes, limits.day_ends_in + days * DAY_MIN + (last + 1) / limits.per_minute)
    return Forecast(calls, round(minutes, 1), limits.left_today)
