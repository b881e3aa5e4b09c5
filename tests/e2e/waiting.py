"""Wait for a condition, with a deadline and a name for what did not come."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
LOOK_AGAIN_S = 0.05


async def until(what: str, condition: Callable[[], T | Awaitable[T]], deadline: float = 60.0) -> T:
    """The condition's first true result. deadline: seconds; fails with `what` and the last result after that."""
    end = time.monotonic() + deadline
    while True:
        found = condition()
        found = await found if inspect.isawaitable(found) else found
        if found:
            return found
        assert time.monotonic() < end, f"not within {deadline:g} s: {what} (last: {found!r})"
        await asyncio.sleep(LOOK_AGAIN_S)
