"""Ends a worker that hangs: from a thread of its own, since a loop that stands still can do nothing about itself.

On the loop a task says every second that it turns, and what of the worker's work waits and how far it has come. The
thread judges that. When the loop stands still, or one piece of work waits without progress, for longer than the policy
allows, `end` is called, on the thread, with a sentence. Time in which the thread itself did not run (a machine that
slept, a process that was frozen) does not count.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from stream.clock import Clock


@dataclass(frozen=True)
class WatchdogPolicy:
    """Seconds. block: the loop may stand still. stall: work may wait without progress. look_every: between looks."""

    block: float
    stall: float
    look_every: float = 1.0


@dataclass(frozen=True)
class Work:
    """One piece of the work that waits now. done: how far it has come; any other value than before is progress."""

    name: str
    done: Hashable


class Watchdog:
    """`start` and `stop` are for the loop that is watched; `look`, its part, and `check`, the thread's, for tests."""

    def __init__(
        self, policy: WatchdogPolicy, clock: Clock, waiting: Callable[[], Iterable[Work]], end: Callable[[str], None]
    ) -> None:
        """waiting: asked on the loop for all work that waits and that nothing outside the worker holds up."""
        self._policy = policy
        self._clock = clock
        self._waiting = waiting
        self._end = end
        self._turns = 0
        self._seen: tuple[Work, ...] = ()
        self._checked: float | None = None
        self._still: dict[str, tuple[Hashable, float]] = {}
        self._ended = threading.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._turn(), name="watchdog")
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    async def stop(self) -> None:
        self._ended.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _turn(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(self._policy.look_every)

    def _watch(self) -> None:
        while not self._ended.wait(self._policy.look_every):
            self.check()

    def look(self) -> None:
        """The loop turns, and this is what waits."""
        self._seen = tuple(self._waiting())
        self._turns += 1

    def check(self) -> None:
        """Call `end` when something has stood still for too long."""
        now = self._clock.monotonic()
        passed = 0.0 if self._checked is None else min(now - self._checked, 2 * self._policy.look_every)
        self._checked = now
        before, self._still = self._still, {}
        self._judge(before, Work("The loop", self._turns), passed, self._policy.block, "turned")
        for work in self._seen:
            self._judge(before, work, passed, self._policy.stall, "made progress")

    def _judge(
        self, before: dict[str, tuple[Hashable, float]], work: Work, passed: float, allowed: float, verb: str
    ) -> None:
        done, still = before.get(work.name, (None, 0.0))
        still = still + passed if done == work.done else 0.0
        self._still[work.name] = work.done, still
        if still > allowed:
            self._end(
                f"{work.name} has not {verb} for {still:.0f} s: the worker is ended and must be started again; the "
                "lines before this one show where it stood."
            )
