"""Whether this worker may still change something outside: a worker that was frozen may have lost its partitions.

The group coordinator gives our partitions away when it has heard nothing for the session time-out. So a call that
changes something starts only while the last heartbeat that it accepted was *sent* so recently that the call ends, at
its deadline, before that. The clock runs on while the machine sleeps. A refused heartbeat shuts the fence at once.
"""

from __future__ import annotations

import asyncio

from stream.clock import Clock

MARGIN_S = 1.0
LOOK_AGAIN_S = 0.02


class _Reads:
    """The fence for calls that change nothing: open while nobody else can have our partitions, and their quota, yet."""

    def __init__(self, fence: Fence, window: float) -> None:
        self._fence = fence
        self._window = window

    @property
    def open(self) -> bool:
        return self._fence.silence < self._window

    async def wait_open(self) -> None:
        while not self.open:
            await asyncio.sleep(LOOK_AGAIN_S)


class Fence:
    """Fed by the heartbeats, possibly from another thread; asked just before each call."""

    def __init__(self, clock: Clock, *, session_timeout: float, call_deadline: float) -> None:
        """Seconds. Raises ValueError when they leave no time in which a call could start."""
        self._window = session_timeout - call_deadline - MARGIN_S
        if self._window <= 0:
            raise ValueError("The session time-out must be longer than the call deadline and a second of margin.")
        self._clock = clock
        self._accepted = float("-inf")
        self.reads = _Reads(self, session_timeout - MARGIN_S)

    def now(self) -> float:
        """The moment to remember before a heartbeat is sent."""
        return self._clock.monotonic()

    def accepted(self, sent: float) -> None:
        """The coordinator accepted a heartbeat that was sent at `sent`."""
        self._accepted = max(self._accepted, sent)

    def refused(self) -> None:
        """The coordinator refused one: it may be giving our partitions away."""
        self._accepted = float("-inf")

    @property
    def open(self) -> bool:
        return self.silence < self._window

    @property
    def silence(self) -> float:
        """Seconds since the last heartbeat was sent that was accepted."""
        return self._clock.monotonic() - self._accepted

    async def wait_open(self) -> None:
        """Returns at a moment when the fence is open, without giving the loop away in between."""
        while not self.open:
            await asyncio.sleep(LOOK_AGAIN_S)
