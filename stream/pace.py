"""One after the other: what all connections of a process do now and then, and must not do all at once.

After an outage the tokens of every connection may have run out. Asked for at once they would look like an attack to
Zoho Accounts, which answers that with a block, and take the processor from everything else.
"""

from __future__ import annotations

import asyncio

from stream.clock import Clock


class Pace:
    """Turns in the order in which they are asked for, at least `interval` seconds apart, also on a busy machine."""

    def __init__(self, clock: Clock, interval: float) -> None:
        self._clock = clock
        self._interval = interval
        self._next = float("-inf")
        self._line = asyncio.Lock()

    async def turn(self) -> None:
        """Returns when it is the caller's turn."""
        async with self._line:
            while (wait := self._next - self._clock.monotonic()) > 0:
                await asyncio.sleep(wait)
            self._next = self._clock.monotonic() + self._interval
