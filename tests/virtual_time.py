"""An event loop whose time jumps to the next timer as soon as nothing else is left to do.

Minutes of pacing, backoff and pauses pass at once and always in the same way. A program that waits for something that
no timer and no other task will bring ends with an error instead of hanging.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tests.fake_clock import START

T = TypeVar("T")


class _Jumping(selectors.SelectSelector):
    """Waits for nothing: the time that it should wait passes at once."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("Everybody waits, and no timer is left that could end it.")
        # A little more, so that a timer never seems to be early for want of a bit of precision.
        self.passed += timeout + 1e-9 if timeout > 0 else 0.0
        return []


class VirtualTime(asyncio.SelectorEventLoop):
    """The loop, and the clock that goes with it."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.passed

    def monotonic(self) -> float:
        return self._jumping.passed

    def now(self) -> datetime:
        return START + timedelta(seconds=self._jumping.passed)


def run(main: Coroutine[Any, Any, T], loop: VirtualTime) -> T:
    """Run `main` to its end in virtual time, and close the loop."""
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main)
