"""Never more calls than permitted in any minute, and hardly fewer while there is a backlog."""

from __future__ import annotations

import asyncio
from bisect import bisect_left

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.quota import Quota, QuotaLedger
from tests.virtual_time import VirtualTime, run

MINUTE_S = 60.0
quotas = st.builds(Quota, st.sampled_from([1, 3, 10, 30]), st.integers(1, 6), st.sampled_from([1, 3, 10]))


def most_in_a_minute(moments: list[float]) -> int:
    return max((bisect_left(moments, start + MINUTE_S) - number for number, start in enumerate(moments)), default=0)


@settings(max_examples=40)
@given(quotas, st.lists(st.tuples(st.sampled_from([0.0, 0.5, 10.0, 70.0]), st.integers(1, 25)), max_size=8))
def test_no_minute_has_more_calls_than_permitted(quota: Quota, waves: list[tuple[float, int]]) -> None:
    loop = VirtualTime()
    moments: list[float] = []

    async def one(ledger: QuotaLedger) -> None:
        async with ledger.call():
            moments.append(loop.monotonic())
            await asyncio.sleep(0.3)

    async def main() -> None:
        ledger = QuotaLedger(quota, loop)
        async with asyncio.TaskGroup() as calls:
            for wait, count in waves:
                await asyncio.sleep(wait)
                for _ in range(count):
                    calls.create_task(one(ledger))

    run(main(), loop)
    assert len(moments) == sum(count for _, count in waves)
    assert most_in_a_minute(moments) <= quota.per_minute


@pytest.mark.parametrize(("in_flight", "lasting"), [(5, 0.4), (10, 2.5)])
def test_a_backlog_uses_nearly_all_that_is_permitted(in_flight: int, lasting: float) -> None:
    loop = VirtualTime()
    moments: list[float] = []
    minutes = 10

    async def main() -> None:
        ledger = QuotaLedger(Quota(per_minute=100, in_flight=in_flight), loop)

        async def work() -> None:
            while loop.monotonic() < minutes * MINUTE_S:
                async with ledger.call():
                    moments.append(loop.monotonic())
                    await asyncio.sleep(lasting)

        await asyncio.gather(*(work() for _ in range(in_flight)))

    run(main(), loop)
    used = sum(moment < minutes * MINUTE_S for moment in moments)
    assert used >= 0.98 * minutes * 100
    assert most_in_a_minute(moments) <= 100
