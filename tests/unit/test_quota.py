"""How calls are let through."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from stream.quota import WINDOW_S, Quota, QuotaLedger
from tests.virtual_time import VirtualTime, run

HUNDRED = Quota(per_minute=100, in_flight=5)


async def begun(ledger: QuotaLedger, calls: int, loop: VirtualTime, *, lasting: float = 0.2) -> list[float]:
    """When each of so many calls, all asked for now, was let through."""
    moments: list[float] = []

    async def one() -> None:
        async with ledger.call():
            moments.append(loop.monotonic())
            await asyncio.sleep(lasting)

    await asyncio.gather(*(one() for _ in range(calls)))
    return moments


def test_what_the_owner_before_did_is_unknown_so_the_first_minute_is_paced() -> None:
    loop = VirtualTime()

    async def main() -> list[float]:
        return await begun(QuotaLedger(HUNDRED, loop), 20, loop)

    moments = run(main(), loop)
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert moments[0] == pytest.approx(HUNDRED.burst * HUNDRED.pace_s, abs=0.01)
    assert min(gaps) == pytest.approx(HUNDRED.pace_s, abs=0.01)


def test_after_a_quiet_minute_a_few_calls_need_not_be_paced() -> None:
    loop = VirtualTime()

    async def main() -> list[float]:
        ledger = QuotaLedger(HUNDRED, loop)
        await asyncio.sleep(WINDOW_S + 1.0)
        return await begun(ledger, 20, loop, lasting=0.0)

    moments = run(main(), loop)
    assert moments[HUNDRED.burst - 1] - moments[0] == pytest.approx(0.0, abs=0.01)
    assert moments[10] - moments[9] == pytest.approx(HUNDRED.pace_s, abs=0.01)


def test_a_new_owner_keeps_the_limit_together_with_the_one_before() -> None:
    loop = VirtualTime()

    async def main() -> list[float]:
        before = QuotaLedger(HUNDRED, loop)
        await asyncio.sleep(WINDOW_S + 1.0)  # it may have made its unpaced calls right before it was killed
        moments = await begun(before, 60, loop, lasting=0.0)
        return moments + await begun(QuotaLedger(HUNDRED, loop), 110, loop, lasting=0.0)

    moments = run(main(), loop)
    assert all(later - earlier >= 60 for earlier, later in zip(moments, moments[100:], strict=False))


@pytest.mark.parametrize("held_up", [0.2, 1.5, 20.0])
def test_a_call_that_its_process_sends_late_counts_from_then_on(held_up: float) -> None:
    loop = VirtualTime()

    async def main() -> list[float]:
        ledger, went_out = QuotaLedger(HUNDRED, loop), list[float]()

        async def late() -> None:
            async with ledger.call() as goes_out:
                await asyncio.sleep(held_up)  # of virtual time, in which the process stands still
                goes_out()
                went_out.append(loop.monotonic())

        await asyncio.sleep(WINDOW_S + 1.0)  # of virtual time: the first minute is paced more strictly
        await late()
        return went_out + await begun(ledger, 250, loop, lasting=0.0)

    moments = run(main(), loop)
    assert all(later - earlier >= 60 for earlier, later in zip(moments, moments[100:], strict=False))


def test_no_more_calls_at_once_than_may_be_in_flight() -> None:
    loop = VirtualTime()

    async def main() -> int:
        ledger = QuotaLedger(Quota(per_minute=6000, in_flight=3), loop)
        now = most = 0

        async def one() -> None:
            nonlocal now, most
            async with ledger.call():
                now += 1
                most = max(most, now)
                await asyncio.sleep(2.0)
                now -= 1

        await asyncio.gather(*(one() for _ in range(12)))
        return most

    assert run(main(), loop) == 3


def test_calls_are_let_through_in_the_order_of_asking() -> None:
    loop = VirtualTime()

    async def main() -> list[int]:
        ledger = QuotaLedger(HUNDRED, loop)
        order: list[int] = []

        async def one(number: int) -> None:
            async with ledger.call():
                order.append(number)

        await asyncio.gather(*(one(number) for number in range(12)))
        return order

    assert run(main(), loop) == list(range(12))


class Door:
    """A gate that opens after so many seconds."""

    def __init__(self, loop: VirtualTime, opens_at: float) -> None:
        self._loop = loop
        self._opens_at = opens_at

    @property
    def open(self) -> bool:
        return self._loop.monotonic() >= self._opens_at

    async def wait_open(self) -> None:
        while not self.open:
            await asyncio.sleep(0.02)


def test_a_call_counts_from_when_its_gate_was_open() -> None:
    loop = VirtualTime()

    async def main() -> list[float]:
        ledger, door = QuotaLedger(HUNDRED, loop), Door(loop, 20.0)
        moments: list[float] = []

        async def one() -> None:
            async with ledger.call(door):
                moments.append(loop.monotonic())

        await asyncio.gather(*(one() for _ in range(5)))
        return moments

    moments = run(main(), loop)
    assert moments == pytest.approx([20.0 + number * HUNDRED.pace_s for number in range(5)], abs=0.05)


def test_calls_that_wait_for_their_gate_keep_nobody_else_from_beginning() -> None:
    loop = VirtualTime()

    async def main() -> float:
        ledger, door = QuotaLedger(HUNDRED, loop), Door(loop, 60.0)

        async def gated() -> None:
            async with ledger.call(door):
                pass

        waiting = [asyncio.create_task(gated()) for _ in range(HUNDRED.in_flight + 1)]
        await asyncio.sleep(10.0)
        async with ledger.call():
            begun = loop.monotonic()
        await asyncio.gather(*waiting)
        return begun

    assert run(main(), loop) == pytest.approx(10.0, abs=0.01)


def test_a_gate_that_closes_while_the_call_waits_for_its_turn_is_waited_for_again() -> None:
    loop = VirtualTime()

    class Closing(Door):
        @property
        def open(self) -> bool:
            return self._loop.monotonic() < 1.0 or super().open

    async def main() -> float:
        ledger = QuotaLedger(HUNDRED, loop)  # new: its first turn comes after three seconds
        async with ledger.call(Closing(loop, 30.0)):
            return loop.monotonic()

    assert run(main(), loop) == pytest.approx(30.0, abs=0.05)


def test_a_call_that_is_given_up_while_it_waits_lets_the_others_through() -> None:
    loop = VirtualTime()

    async def main() -> None:
        ledger = QuotaLedger(Quota(per_minute=1, in_flight=1), loop)
        await begun(ledger, 1, loop)
        waiting = asyncio.create_task(begun(ledger, 1, loop))
        await asyncio.sleep(1.0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.wait_for(begun(ledger, 1, loop), 2 * WINDOW_S)

    run(main(), loop)
