"""How many calls one organization may get: a policy, and the ledger of the calls that were made, whoever made them.

A sliding log, evenly paced after the first few, never a bucket that could burst: in no 60 seconds are more calls begun
than the policy says, less what other programs take (`share.py`). A refusal by a limit closes the ledger for everybody
who asks it: nobody waits in it for an hour, each is told when to come again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Protocol

from stream.clock import Clock
from stream.core.day import DailyBudget, Day
from stream.core.forecast import DAY_MIN, Limits
from stream.errors import RateLimited, Retriable
from stream.share import WINDOW_S, Share

AHEAD = 25
"""Calls that the log knows of before they are made, so that a worker which ends at any moment has counted them."""

LATE_S = 0.3
"""Seconds after its beginning by which a call goes out, unless its process was held up; the way there comes on top."""


class Gate(Protocol):
    """What else must be so before a call begins, such as the fence."""

    @property
    def open(self) -> bool: ...

    async def wait_open(self) -> None: ...


@dataclass(frozen=True)
class Quota:
    """per_minute: calls begun in any 60 seconds. in_flight: calls at once. burst: calls that need not be paced.

    per_day: of all programs together, where that is known beforehand. reserve: share of the day's calls that is left to
    live changes; a backfill does not use it.
    """

    per_minute: int
    in_flight: int
    burst: int = 5
    per_day: int | None = None
    reserve: float = 0.1

    @property
    def pace_s(self) -> float:
        return WINDOW_S / self.per_minute


class DayUsedUp(RateLimited):
    """The organization has no calls left today; not sent."""

    limit = "day"


class KeptForLive(Retriable):
    """What is left of the day is kept for live changes; not sent. It concerns who asks, not the organization."""


class QuotaLedger:
    """The calls of one organization, whoever makes them.

    What an earlier owner did in the last minute is unknown, so the first minute is paced as if it had used all of it,
    and begins late by as many calls as it may have made at once. What it did today is on the log.
    """

    def __init__(
        self,
        quota: Quota,
        clock: Clock,
        *,
        day: Day | None = None,
        keep: Callable[[Day], Awaitable[object]] | None = None,
    ) -> None:
        """day: as the log has it. keep: puts it there; raises LogUnavailable."""
        self.quota = quota
        self._clock = clock
        self._begun: deque[float] = deque(maxlen=quota.per_minute)
        self._paced_until = clock.monotonic() + quota.burst * quota.pace_s
        self._strict_until = clock.monotonic() + WINDOW_S
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()
        self._in_flight = 0
        self._at_once, self._fewer_since = quota.in_flight, 0.0
        self._count = self._answered = 0
        """Calls that were begun, and that have come to an end, as far as Zoho counts them."""
        self._share = Share(quota.per_minute)
        self._day = self._kept = day or Day()
        self._keep = keep
        self._closed_until, self._why = 0.0, RateLimited("The organization's limit was hit; the calls wait.")
        if self.day.closed_until is not None:
            self._closed_until = self._moment(self.day.closed_until)

    @asynccontextmanager
    async def call(self, gate: Gate | None = None, *, live: bool = True) -> AsyncIterator[Callable[[], None]]:
        """Waits for a slot and a turn, in the order of asking; the slot is held while the body runs.

        Yields what is to be called when the request goes out, where that may be later than the start of the body.

        gate: is open at the moment the call begins. Who waits for it takes nobody's slot and nobody's turn, and a gate
        that has closed meanwhile is waited for once more. live: may use what is left of the day to the last call.
        Raises RateLimited while the organization is closed, KeptForLive, LogUnavailable: then the body does not run.
        A RateLimited that the body raises is learnt from.
        """
        while True:
            if gate is not None:
                await gate.wait_open()
            async with self._turn:
                await self._wait_for_turn(live)
                begins = gate is None or gate.open
                if begins:
                    begun = self._begin()
            if begins:
                break
        try:
            yield partial(self._goes_out, begun)
        except RateLimited as error:
            self._count -= 1  # refused calls are not counted, or if they are, it looks as if another program made them
            self._answered -= 1
            await self._refused(error)
            raise
        finally:
            self._in_flight -= 1
            self._answered += 1
            self._freed.set()

    def told(self, budget: DailyBudget) -> None:
        """The answer of a call that is still in flight says how the organization's day stands."""
        self._day = self._day.told(budget, self._clock.now(), self._in_flight - 1)
        self._share.told(
            self._clock.monotonic(), budget.limit - budget.remaining, begun=self._count, answered=self._answered + 1
        )

    @property
    def day(self) -> Day:
        return self._day.at(self._clock.now())

    @property
    def left_today(self) -> int | None:
        """Calls that all programs together have left; None while no limit is known."""
        return self.day.left(self.quota.per_day)

    @property
    def limits(self) -> Limits:
        """As things are now, for a forecast."""
        now, day = self._clock.monotonic(), self.day
        ends_in = DAY_MIN if day.ends is None else (self._moment(day.ends) - now) / 60.0
        return Limits(
            per_minute=self._share.allowed(now),
            left_today=self.left_today,
            per_day=self.per_day,
            reserve=self.reserve,
            day_ends_in=ends_in,
            closed_for=max(0.0, self._closed_until - now) / 60.0,
        )

    def closed_until(self, *, live: bool = True) -> float:
        """The moment, by the monotonic clock, before which no such call begins; it may have passed."""
        left, ends = self.left_today, self.day.ends
        if left is not None and ends is not None and left <= (0 if live else self.reserve):
            return max(self._closed_until, self._moment(ends))
        return self._closed_until

    @property
    def closed(self) -> str | None:
        """Why no call begins now, None while one may."""
        try:
            self._check_open(live=True)
        except RateLimited as error:
            return error.message
        return None

    @property
    def reserve(self) -> int:
        """Calls of the day that are kept for live changes."""
        return int(self.quota.reserve * (self.per_day or 0))

    @property
    def per_day(self) -> int | None:
        """Calls of all programs that a day has; None while no limit is known."""
        return self.day.per_day(self.quota.per_day)

    async def _wait_for_turn(self, live: bool) -> None:
        await self._count_ahead()
        while True:
            self._check_open(live)
            if self._in_flight >= self._slots:
                self._freed.clear()
                await self._freed.wait()
            elif (wait := self._wait()) > 0:
                await asyncio.sleep(wait)
            else:
                return

    def _check_open(self, live: bool) -> None:
        now = self._clock.monotonic()
        if (wait := self._closed_until - now) > 0:
            raise type(self._why)(self._why.message, retry_after=wait)
        if (wait := self.closed_until() - now) > 0:
            sentence = "The organization's calls of the day are used up: raise its limit, or wait for midnight."
            raise DayUsedUp(sentence, retry_after=wait)
        if not live and (wait := self.closed_until(live=False) - now) > 0:
            raise KeptForLive("The rest of the day's calls is kept for live changes.", retry_after=wait)

    def _wait(self) -> float:
        now = self._clock.monotonic()
        allowed = min(self._share.allowed(now), self.quota.per_minute)
        pace = WINDOW_S / allowed
        burst = 1 if now < self._strict_until else min(self.quota.burst, allowed)
        earliest = self._paced_until - (burst - 1) * pace
        if len(self._begun) >= allowed:
            earliest = max(earliest, self._begun[-allowed] + WINDOW_S)
        return earliest - now

    def _begin(self) -> float:
        now = self._clock.monotonic()
        self._begun.append(now)
        self._paced_until = max(self._paced_until, now) + WINDOW_S / self._share.allowed(now)
        self._in_flight += 1
        self._count += 1
        self._day = self._day.with_call(self._clock.now())
        return now

    def _goes_out(self, begun: float) -> None:
        """Called when a call goes out: one that was held up counts from now, as it does for the vendor."""
        now = self._clock.monotonic()
        if now - begun > LATE_S and begun in self._begun:
            self._begun.remove(begun)
            self._begun.append(now)

    @property
    def _slots(self) -> int:
        """Calls at once: fewer after a refusal, and one more with each minute since."""
        quiet = (self._clock.monotonic() - self._fewer_since) / 60.0
        return min(self.quota.in_flight, self._at_once + int(quiet))

    async def _refused(self, error: RateLimited) -> None:
        """The vendor refused a call of this organization by a limit. Raises LogUnavailable."""
        now, wall = self._clock.monotonic(), self._clock.now()
        if error.limit == "in flight":
            self._at_once, self._fewer_since = max(1, min(self._slots, self._in_flight) - 1), now
            return
        if now < self._closed_until:
            return  # it was under way together with the one that was refused first
        if error.limit == "day":
            wait = error.retry_after or 0.0
            self._day = self._day.used_up(wall, wait)
        else:
            ours = sum(begun > now - WINDOW_S for begun in self._begun) - 1
            wait = self._share.refused(now, max(ours, 0), error.retry_after)
            if error.limit == "block":
                self._day = self._day.closed(wall, wait)
        self._closed_until, self._why = now + wait, error
        if error.limit != "minute":
            await self._count_ahead()

    async def _count_ahead(self) -> None:
        """Put some calls more than were made on the log, when those that it knows of are used up."""
        now = self._clock.now()
        if self._keep is None or self._day.with_call(now).is_covered_by(self._kept, now):
            return
        day = self._day.with_call(now)
        kept = replace(day, calls=day.calls + AHEAD)
        await self._keep(kept)
        self._kept = kept

    def _moment(self, at: datetime) -> float:
        return self._clock.monotonic() + (at - self._clock.now()).total_seconds()
