"""Repeats a reading until it works, however long the vendor is away: for long work that no lane takes up again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from stream.errors import RateLimited, Unavailable
from stream.quota import KeptForLive
from stream.trouble import RetryPolicy

T = TypeVar("T")


class Patience:
    """waits_for: why the reading under way is waiting to be repeated, a sentence; None while it is not."""

    def __init__(self, policy: RetryPolicy | None = None) -> None:
        self._policy = policy or RetryPolicy()
        self.waits_for: str | None = None

    async def __call__(self, call: Callable[[], Awaitable[T]]) -> T:
        """What `call` comes to. Raises what it raises, unless the same call may work later."""
        wait = self._policy.first
        try:
            while True:
                try:
                    return await call()
                except (Unavailable, RateLimited, KeptForLive) as error:
                    self.waits_for = error.message
                    spread = wait * (0.5 + random.random())  # noqa: S311 - spreads retries, hides nothing
                    await asyncio.sleep(max(spread, error.retry_after or 0.0))
                    wait = min(2 * wait, self._policy.longest)
        finally:
            self.waits_for = None
