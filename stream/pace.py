"""One after the other: what all connections of a process do now and then, and must not do all at once.

After an outage the tokens of every connection may have run out. Asked for at once they would look like an attack to
Zoho Accounts, which answers that with a block, and take the processor from everything else.
"""

from __future__ import annotations

import asyncio

from stream.clock import Clock


class Pace:
    """Turns in the order in which they are asked for, at least `interval` seconds apart."""

    def __init__(self, clock: Clock, interval: float) -> None:
        self._clock = clock
        self._interval = interval
        self._next = float("-inf")

    async def turn(self) -> None:
        """Returns when it is the caller's turn. A turn whose caller is cut off meanwhile is nobody's."""
        now = self._clock.monotonic()
        turn = max(now, self._next)
        self._next = turn + self._interval
        if turn > now:
            await asyncio.sleep(turn - now)
