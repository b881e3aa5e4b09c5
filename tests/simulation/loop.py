"""An event loop in virtual time that carries several simulated processes, each of which can freeze, wake and die.

What runs belongs to the process whose context it was started in, through any number of tasks and timers. A frozen
process runs nothing, and when it wakes finds first what it was about to do, then the timers that came due, then what
arrived from outside, like a process after SIGSTOP and SIGCONT. A dead one never runs again: no `finally`, no
`except`. Nothing here draws a number or asks for an address in memory, so a run can be repeated exactly.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections.abc import Callable, Coroutine
from math import inf
from typing import Any

from tests.virtual_time import VirtualTime

HERE: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)
OUTSIDE = contextvars.Context()
"""Where the world acts: brokers, vendors, whoever injects faults."""


class Process:
    """Something that can be ended from outside at any moment."""

    def __init__(self, loop: SimulatedTime, name: str) -> None:
        self.name = name
        self.frozen = False
        self.dead = False
        self._loop = loop
        self._context = contextvars.copy_context()
        self._context.run(HERE.set, self)
        self._frozen_at = 0.0
        self._first: list[asyncio.Handle] = []
        self._timers: list[asyncio.Handle] = []
        self._arrived: list[asyncio.Handle] = []
        self._left: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._loop.create_task(work, context=self._context.copy())

    def call(self, function: Callable[..., Any], *args: Any) -> None:
        self._loop.call_soon(function, *args, context=self._context)

    def freeze(self) -> None:
        self.frozen, self._frozen_at = True, self._loop.time()

    def wake(self) -> None:
        """Does nothing to the dead."""
        if self.frozen and not self.dead:
            self.frozen = False
            self._resume()

    def _resume(self) -> None:
        self._loop.resume((*self._first, *self._timers, *self._arrived))
        self._first, self._timers, self._arrived = [], [], []

    def kill(self) -> None:
        """Does nothing to the dead."""
        if not self.dead:
            self.dead = self.frozen = True
            self._left = {task for task in asyncio.all_tasks(self._loop) if getattr(task, "process", None) is self}

    def bury(self) -> None:
        """After the run: let what is left of it come to its end, so that nothing stays pending.

        It is dead from here on: whatever still fails in it kills it no more, which would leave the rest pending.
        """
        self.dead, self.frozen = True, False
        self._resume()

    def hold(self, handle: asyncio.Handle) -> None:
        """Keep for the moment of waking what would run now."""
        if isinstance(handle, asyncio.TimerHandle):
            self._timers.append(handle)
        elif self._loop.time() == self._frozen_at:
            self._first.append(handle)
        else:
            self._arrived.append(handle)


class _Numbered(asyncio.Task):  # type: ignore[type-arg]  # not generic at run time before 3.12
    """A task whose place in a set is the same in every run."""

    def __init__(self, *args: Any, number: int, **how: Any) -> None:
        self._number = number
        self.process = how.get("context", contextvars.copy_context()).get(HERE)
        super().__init__(*args, **how)

    def __hash__(self) -> int:
        return self._number


class _Handle(asyncio.Handle):
    """asyncio's own, without what is only of use in its debug mode: hundreds are made for each change."""

    __slots__ = ()

    def __init__(self, loop: Any, callback: Any, args: tuple[Any, ...], context: contextvars.Context) -> None:
        self._loop = loop
        self._context = context
        self._callback = callback
        self._args = args
        self._cancelled = False

    def __repr__(self) -> str:
        return f"<{self._callback!r}>"


class SimulatedTime(VirtualTime):
    """The loop, and the clock of everybody in it."""

    def __init__(self) -> None:
        super().__init__()
        self._tasks_made = 0
        self._acts: list[tuple[float, int, Callable[..., Any], tuple[Any, ...]]] = []
        self._acts_made = 0
        self.set_task_factory(self._make_task)
        self.failures: list[str] = []
        self.set_exception_handler(self._failed)

    def _make_task(self, loop: Any, work: Any, **how: Any) -> Any:
        self._tasks_made += 1
        return _Numbered(work, loop=loop, number=self._tasks_made, **how)

    def _failed(self, _loop: Any, what: dict[str, Any]) -> None:
        self.failures.append(f"{what.get('message')}: {what.get('exception')!r}")

    def call_soon(self, callback: Any, *args: Any, context: contextvars.Context | None = None) -> asyncio.Handle:
        handle = _Handle(self, callback, args, context if context is not None else contextvars.copy_context())
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def resume(self, handles: tuple[asyncio.Handle, ...]) -> None:
        self._ready.extend(handles)  # type: ignore[attr-defined]

    def outside(self, delay: float, function: Callable[..., Any], *args: Any) -> None:
        """Have the world do something a little later."""
        self._acts_made += 1
        heapq.heappush(self._acts, (self._jumping.passed + delay, self._acts_made, function, args))

    def _run_once(self) -> None:
        ready, scheduled, acts = self._ready, self._scheduled, self._acts  # type: ignore[attr-defined]
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        now = self._jumping.passed
        if not ready and not self._stopping:  # type: ignore[attr-defined]
            act_at = acts[0][0] if acts else inf
            timer_at = scheduled[0]._when if scheduled else inf
            moment = min(timer_at, act_at)
            if moment == inf:
                raise RuntimeError("Everybody waits, and no timer is left that could end it.")
            if moment > now:
                now = self._jumping.passed = moment
        while acts and acts[0][0] <= now:
            _, _, function, args = heapq.heappop(acts)
            function(*args)
        while scheduled and scheduled[0]._when <= now:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            if not handle._cancelled:
                ready.append(handle)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            context = handle._context
            process = context.get(HERE)
            if process is not None and process.frozen:
                process.hold(handle)
                continue
            try:
                context.run(handle._callback, *handle._args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self.call_exception_handler({"message": f"Exception in {handle._callback!r}", "exception": error})
