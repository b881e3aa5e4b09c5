"""Whether this worker may still change something outside."""

from __future__ import annotations

import asyncio

import pytest

from stream.fence import Fence
from tests.fake_clock import FakeClock
from tests.virtual_time import VirtualTime, run


def fence(clock: FakeClock | VirtualTime) -> Fence:
    return Fence(clock, session_timeout=8.0, call_deadline=5.0)


def test_the_fence_is_shut_until_a_heartbeat_was_accepted() -> None:
    clock = FakeClock()
    found = fence(clock)
    assert not found.open
    found.accepted(found.now())
    assert found.open


def test_it_counts_from_when_the_heartbeat_was_sent_not_from_its_answer() -> None:
    clock = FakeClock()
    found = fence(clock)
    sent = found.now()
    clock.advance(1.5)
    found.accepted(sent)
    clock.advance(0.49)
    assert found.open
    clock.advance(0.01)
    assert not found.open


def test_an_older_answer_does_not_take_time_away() -> None:
    clock = FakeClock()
    found = fence(clock)
    clock.advance(5.0)
    found.accepted(5.0)
    found.accepted(1.0)
    assert found.open


def test_a_refused_heartbeat_shuts_it_at_once() -> None:
    found = fence(FakeClock())
    found.accepted(found.now())
    found.refused()
    assert not found.open


def test_time_outs_that_leave_no_time_for_a_call_are_refused() -> None:
    with pytest.raises(ValueError, match="longer than"):
        Fence(FakeClock(), session_timeout=6.0, call_deadline=5.0)


def test_a_call_waits_until_the_fence_opens() -> None:
    loop = VirtualTime()

    async def main() -> float:
        found = fence(loop)
        loop.call_later(3.0, lambda: found.accepted(loop.monotonic()))
        await asyncio.wait_for(found.wait_open(), 10.0)
        assert found.open
        return loop.monotonic()

    assert run(main(), loop) == pytest.approx(3.0, abs=0.05)


def test_what_changes_nothing_may_begin_for_longer_until_another_worker_may_have_the_quota() -> None:
    clock = FakeClock()
    found = fence(clock)
    found.accepted(found.now())
    clock.advance(6.9)
    assert (found.open, found.reads.open) == (False, True)
    clock.advance(0.2)
    assert not found.reads.open
    found.accepted(found.now())
    found.refused()
    assert not found.reads.open
