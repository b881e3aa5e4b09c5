"""What the ledger makes of each limit that an organization hits, of what answers say, and of what the log knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agents.ledgers import BAMBOOHR
from stream.core.day import DailyBudget, Day
from stream.errors import RateLimited
from stream.quota import AHEAD, DayUsedUp, KeptForLive, Quota, QuotaLedger
from stream.sandbox.bamboohr import RateLimit
from stream.sandbox.bamboohr.quirks import BambooHrQuirks
from stream.sandbox.bamboohr.refusals import Refused
from stream.sandbox.bamboohr.throttle import Throttle
from stream.zoho.errors import BlockedForAWhile, DailyLimitHit, MinuteLimitHit, TooManyInFlight
from tests.fake_clock import START
from tests.virtual_time import VirtualTime, run

HUNDRED = Quota(per_minute=100, in_flight=5)
HOUR = timedelta(hours=1)


class Organization:
    """A ledger after its first, cautious minute, and what it put on the log."""

    def __init__(self, loop: VirtualTime, quota: Quota = HUNDRED, day: Day | None = None) -> None:
        self.loop = loop
        self.kept: list[Day] = []
        self.ledger = QuotaLedger(quota, loop, day=day, keep=self._keep)

    async def _keep(self, day: Day) -> None:
        self.kept.append(day)

    async def call(self, error: RateLimited | None = None, budget: DailyBudget | None = None, **how: Any) -> float:
        """When it began. error: that the vendor refuses with."""
        async with self.ledger.call(**how):
            began = self.loop.monotonic()
            await asyncio.sleep(0.1)
            if budget is not None:
                self.ledger.told(budget)
            if error is not None:
                raise error
        return began

    async def refused(self, error: RateLimited) -> None:
        with pytest.raises(type(error)):
            await self.call(error)

    async def wait(self) -> float:
        """Seconds for which no call begins, as somebody who asks is told."""
        with pytest.raises(RateLimited) as told:
            await self.call()
        assert told.value.retry_after is not None
        return told.value.retry_after


def played(scene: Callable[[Organization], Coroutine[Any, Any, None]], **how: Any) -> Organization:
    loop = VirtualTime()

    async def main() -> Organization:
        organization = Organization(loop, **how)
        await asyncio.sleep(61.0)
        await scene(organization)
        return organization

    return run(main(), loop)


# -- the minute --------------------------------------------------------------------------------------------------------


def test_the_minutes_limit_closes_the_organization_for_a_minute_for_everybody_at_once() -> None:
    async def scene(zoho: Organization) -> None:
        now = zoho.loop.monotonic()
        calls = [zoho.call(MinuteLimitHit("hit")), *(zoho.call() for _ in range(20))]
        told = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(one, MinuteLimitHit) for one in told) > 15
        assert zoho.loop.monotonic() - now < 1.0
        assert await zoho.wait() == pytest.approx(60.0, abs=1.0)
        await asyncio.sleep(60.0)
        await zoho.call()

    played(scene)


def test_the_minutes_limit_hit_again_right_after_closes_for_longer_and_much_later_for_a_minute_again() -> None:
    waits: list[float] = []

    async def scene(zoho: Organization) -> None:
        for quiet in (0.0, 0.0, 0.0, 600.0):
            await asyncio.sleep(quiet)
            await zoho.refused(MinuteLimitHit("hit", retry_after=60.0))
            waits.append(await zoho.wait())
            await asyncio.sleep(waits[-1])

    played(scene)
    assert waits == pytest.approx([60.0, 120.0, 240.0, 60.0], abs=0.5)


def test_however_often_the_minutes_limit_is_hit_it_is_tried_again_within_ten_minutes() -> None:
    async def scene(zoho: Organization) -> None:
        for _ in range(12):
            await zoho.refused(MinuteLimitHit("hit", retry_after=2.0))
            assert await zoho.wait() <= 600.0
            await asyncio.sleep(await zoho.wait())

    played(scene)


def test_retry_after_is_believed() -> None:
    async def scene(zoho: Organization) -> None:
        await zoho.refused(RateLimited("hit", retry_after=7.0))
        assert await zoho.wait() == pytest.approx(7.0, abs=0.1)

    played(scene)


def test_calls_that_are_refused_together_are_one_refusal() -> None:
    async def scene(zoho: Organization) -> None:
        errors = await asyncio.gather(*(zoho.call(MinuteLimitHit("hit")) for _ in range(4)), return_exceptions=True)
        assert all(isinstance(error, MinuteLimitHit) for error in errors)
        assert await zoho.wait() <= 60.1

    played(scene)


def test_after_a_refusal_less_is_used_than_got_through_and_in_time_all_again() -> None:
    async def scene(zoho: Organization) -> None:
        for _ in range(80):
            await zoho.call()
        await zoho.refused(MinuteLimitHit("hit"))
        await asyncio.sleep(60.0)
        assert 40 <= zoho.ledger.limits.per_minute <= 70
        await asyncio.sleep(600.0)
        assert 50 < zoho.ledger.limits.per_minute < 90
        await asyncio.sleep(3600.0)
        assert zoho.ledger.limits.per_minute == 100

    played(scene)


# -- a block, and calls at once ----------------------------------------------------------------------------------------


def test_a_block_is_waited_for_and_outlives_the_worker() -> None:
    async def scene(zoho: Organization) -> None:
        await zoho.refused(BlockedForAWhile("blocked", retry_after=3600.0))
        assert await zoho.wait() == pytest.approx(3600.0, abs=0.1)
        next_owner = Organization(zoho.loop, day=zoho.kept[-1])
        assert await next_owner.wait() == pytest.approx(3600.0, abs=1.0)
        await asyncio.sleep(3601.0)
        await next_owner.call()

    played(scene)


def test_too_many_at_once_means_fewer_at_once_and_one_more_each_minute() -> None:
    async def most(zoho: Organization) -> int:
        now = peak = 0

        async def one() -> None:
            nonlocal now, peak
            async with zoho.ledger.call():
                now += 1
                peak = max(peak, now)
                await asyncio.sleep(5.0)
                now -= 1

        await asyncio.gather(*(one() for _ in range(8)))
        return peak

    async def scene(zoho: Organization) -> None:
        assert await most(zoho) == 5
        calls = [zoho.call(TooManyInFlight("too many")), *(zoho.call() for _ in range(3))]
        (refused, *others) = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(refused, TooManyInFlight)
        assert all(isinstance(other, float) for other in others)
        assert await most(zoho) == 3
        await asyncio.sleep(300.0)
        assert await most(zoho) == 5

    played(scene)


# -- the day -----------------------------------------------------------------------------------------------------------


def test_the_days_limit_closes_until_the_organizations_day_begins_anew() -> None:
    async def scene(zoho: Organization) -> None:
        await zoho.refused(DailyLimitHit("used up", retry_after=5 * 3600.0))
        assert await zoho.wait() == pytest.approx(5 * 3600.0, abs=0.1)
        next_owner = Organization(zoho.loop, day=zoho.kept[-1])
        assert await next_owner.wait() == pytest.approx(5 * 3600.0, abs=1.0)
        await asyncio.sleep(5 * 3600.0)
        await zoho.call()

    played(scene)


def test_with_the_last_call_of_the_day_it_stops_without_being_refused() -> None:
    async def scene(zoho: Organization) -> None:
        await zoho.call(budget=DailyBudget(limit=1000, remaining=2, reset=7200))
        await zoho.call()
        await zoho.call()
        with pytest.raises(DayUsedUp) as told:
            await zoho.call()
        assert told.value.retry_after == pytest.approx(7200.0, abs=10.0)
        await asyncio.sleep(7200.0)
        await zoho.call()
        assert zoho.ledger.left_today == 999

    played(scene)


def test_where_zoho_does_not_say_how_the_day_stands_our_own_count_holds() -> None:
    async def scene(zoho: Organization) -> None:
        for _ in range(3):
            await zoho.call()
        with pytest.raises(DayUsedUp):
            await zoho.call()

    played(scene, quota=replace(HUNDRED, per_day=3))


def test_a_backfill_leaves_a_tenth_of_the_day_to_live_changes() -> None:
    async def scene(zoho: Organization) -> None:
        await zoho.call(budget=DailyBudget(limit=1000, remaining=101, reset=7200), live=False)
        await zoho.call(live=False)
        with pytest.raises(KeptForLive) as told:
            await zoho.call(live=False)
        assert told.value.retry_after == pytest.approx(7200.0, abs=10.0)
        for _ in range(100):
            await zoho.call()
        assert zoho.ledger.left_today == 0

    played(scene)


def test_whatever_the_headers_count_it_ends_when_they_say() -> None:
    async def scene(zoho: Organization) -> None:
        await zoho.call(budget=DailyBudget(limit=100, remaining=0, reset=40))
        assert await zoho.wait() == pytest.approx(40.0, abs=1.0)
        await asyncio.sleep(40.0)
        await zoho.call(budget=DailyBudget(limit=100, remaining=99, reset=60))

    played(scene)


@pytest.mark.parametrize("calls", [1, 30, 60])
def test_a_worker_that_ends_at_any_moment_has_counted_its_calls_and_few_more(calls: int) -> None:
    async def scene(zoho: Organization) -> None:
        for _ in range(calls):
            await zoho.call()
        next_owner = Organization(zoho.loop, day=zoho.kept[-1])
        assert calls <= next_owner.ledger.day.calls <= calls + AHEAD
        assert len(zoho.kept) <= 1 + calls // AHEAD

    played(scene)


def test_the_count_of_a_day_that_is_over_is_not_carried_on() -> None:
    yesterday = Day(999, 1000, START - HOUR)

    async def scene(zoho: Organization) -> None:
        assert zoho.ledger.left_today == 1000
        await zoho.call()
        assert zoho.kept[-1].calls <= 1 + AHEAD

    played(scene, day=yesterday)


def test_why_it_is_closed_is_told_to_who_looks() -> None:
    async def scene(zoho: Organization) -> None:
        assert zoho.ledger.closed is None
        await zoho.call(budget=DailyBudget(limit=1000, remaining=0, reset=7200))
        assert zoho.ledger.closed is not None
        assert "calls of the day" in zoho.ledger.closed
        await asyncio.sleep(7200.0)
        assert zoho.ledger.closed is None
        await zoho.refused(MinuteLimitHit("The minute's limit was hit."))
        assert zoho.ledger.closed == "The minute's limit was hit."

    played(scene)


def test_a_limit_that_nobody_knows_is_found_and_hardly_ever_hit_again() -> None:
    """BambooHR publishes none; the sandbox says 429 with Retry-After."""

    async def scene(zoho: Organization) -> None:
        throttle = Throttle(RateLimit(), quirks=BambooHrQuirks(), clock=zoho.loop)
        ledger = QuotaLedger(BAMBOOHR, zoho.loop)
        read = refused = 0

        async def reader() -> None:
            nonlocal read, refused
            while read < 3000:
                try:
                    async with ledger.call():
                        await asyncio.sleep(0.2)
                        try:
                            throttle.admit()
                        except Refused as error:
                            raise RateLimited("hit", retry_after=float(error.headers["Retry-After"])) from None
                        read += 1
                except RateLimited as error:
                    refused += 1
                    await asyncio.sleep(error.retry_after or 0.0)

        began = zoho.loop.monotonic()
        await asyncio.gather(*(reader() for _ in range(4)))
        minutes = (zoho.loop.monotonic() - began) / 60.0
        assert read / minutes >= 0.6 * 300
        assert refused <= 4 * 4  # what is in flight, in each of four rounds

    played(scene)
