"""The watchdog: what counts as hanging, and that it ends what its own loop cannot."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable

from agents.watchdog import Watchdog, WatchdogPolicy, Work
from stream.clock import SystemClock
from tests.fake_clock import FakeClock

POLICY = WatchdogPolicy(block=5, stall=10, look_every=1)


class Kennel:
    """A watchdog whose thread and loop are the test. waits: the work that it sees."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.waits: list[Work] = []
        self.said: list[str] = []
        self.dog = Watchdog(POLICY, self.clock, lambda: self.waits, self.said.append)
        self.dog.look()
        self.dog.check()

    def passes(self, seconds: int, *, turning: bool = True) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            if turning:
                self.dog.look()
            self.dog.check()


def test_work_that_waits_without_progress_is_the_end_and_not_before() -> None:
    kennel = Kennel()
    kennel.waits = [Work("The lane", 3)]
    kennel.passes(11)
    assert kennel.said == []
    kennel.passes(1)
    assert kennel.said[0].startswith("The lane has not made progress for 11 s")


def test_progress_an_end_of_the_work_and_other_work_begin_the_time_anew() -> None:
    kennel = Kennel()
    for waits in ([Work("a", 1)], [Work("a", 2)], [], [Work("a", 2)], [Work("b", 2)]):
        kennel.waits = waits
        kennel.passes(9)
    assert kennel.said == []


def test_a_loop_that_stands_still_is_the_end() -> None:
    kennel = Kennel()
    kennel.passes(100)
    assert kennel.said == []
    kennel.passes(5, turning=False)
    assert kennel.said == []
    kennel.passes(1, turning=False)
    assert kennel.said == [
        "The loop has not turned for 6 s: the worker is ended and must be started again; the lines before this one "
        "show where it stood."
    ]


def test_time_in_which_the_process_was_frozen_does_not_count() -> None:
    kennel = Kennel()
    kennel.waits = [Work("The lane", 3)]
    kennel.clock.advance(3600)
    kennel.dog.check()
    kennel.passes(4, turning=False)
    assert len(kennel.said) == 1, "two looks at most are counted of the hour"
    assert "6 s" in kennel.said[0]


async def test_its_thread_ends_a_loop_that_is_blocked() -> None:
    ended = threading.Event()
    said: list[str] = []

    def end(sentence: str) -> None:
        said.append(sentence)
        ended.set()

    def nothing() -> Iterable[Work]:
        return ()

    dog = Watchdog(WatchdogPolicy(block=0.2, stall=60, look_every=0.02), SystemClock(), nothing, end)
    dog.start()
    await asyncio.sleep(0)
    try:
        assert ended.wait(20), "this blocks the loop until the watchdog has spoken"
    finally:
        await dog.stop()
    assert said[0].startswith("The loop has not turned for ")
