"""Measures the longest time in which something was owed and nothing moved: no reading, no outcome, no fold."""

from __future__ import annotations

import asyncio
import time

from stream.topics import HR_EVENTS
from tests.chaos.world import World

LOOK_AGAIN_S = 0.5


class Stall:
    """longest: seconds, to half a second. Folds show in the changelogs of the tables, which each of them writes."""

    def __init__(self, world: World) -> None:
        self.longest = 0.0
        self._world = world
        self._since = time.monotonic()
        self._moved: dict[str, int] = {}
        self._changes = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._since = time.monotonic()
        self._task = asyncio.create_task(self._watch(), name="stall")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        owing = False
        while True:
            now = time.monotonic()
            ends = await self._world.sight.ends()
            moved = {name: end for name, end in (ends or {}).items() if name != HR_EVENTS.name}
            if ends is not None and moved != self._moved:
                self._moved, self._since = moved, now
            elif owing:
                self.longest = max(self.longest, now - self._since)
            changed = self._world.life.changes != self._changes
            self._changes = self._world.life.changes
            was_owing, owing = owing, changed or bool(await self._world.owed())
            if not owing or not was_owing:
                self._since = time.monotonic()  # the time in which nothing was owed does not count
            await asyncio.sleep(LOOK_AGAIN_S)
