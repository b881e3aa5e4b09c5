"""Which key is next: by class, then by age, and a key rises one class for every quarter of an hour that it is due.

Where a key that has risen would come before one of a better class, every second turn is by class alone: so nothing
waits for ever, and somebody who leaves in the second hour of a first load does not wait for the end of it.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator

LEAVER, JOINER, EDIT, BACKFILL = range(4)
CLASSES = 4
RISE_S = 15 * 60.0


class DueQueue:
    """Keys that are due, and keys that will be. Each key is in at most once. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._due: list[list[tuple[float, int, str]]] = [[] for _ in range(CLASSES)]
        self._later: list[tuple[float, int, str, int]] = []
        self._ticket = itertools.count()
        self._tickets: dict[str, int] = {}
        self._risen_goes_first = False
        self._places: dict[str, tuple[int, float, float]] = {}
        """Key -> class, when it is due, from when its age counts."""

    def __contains__(self, key: str) -> bool:
        return key in self._tickets

    def __len__(self) -> int:
        return len(self._tickets)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tickets)

    def count(self, priority: int) -> int:
        """Keys of this class, due or not."""
        return sum(known == priority for known, _, _ in self._places.values())

    def add(self, key: str, priority: int, now: float, *, at: float | None = None, since: float | None = None) -> None:
        """Due now, or at a later moment. A key that is in keeps its moment; it may move to a more urgent class.

        since: from when its age counts, if that is before it is due: a key that must be tried again has waited already.
        """
        ripe = now if at is None else max(at, now)
        since = ripe if since is None else min(since, ripe)
        if key in self._tickets:
            known, ripe, since = self._places[key]
            if known <= priority:
                return
        self._places[key] = priority, ripe, since
        ticket = self._tickets[key] = next(self._ticket)
        if ripe > now:
            heapq.heappush(self._later, (ripe, ticket, key, priority))
        else:
            heapq.heappush(self._due[priority], (since, ticket, key))

    def remove(self, key: str) -> None:
        self._tickets.pop(key, None)
        self._places.pop(key, None)

    def next(self, now: float, classes: int = CLASSES) -> str | None:
        """Take out the key that is next, None when nothing is due. classes: only the first so many may be next."""
        self._ripen(now)
        due = [(priority, heap) for priority, heap in enumerate(self._due[:classes]) if self._drop_removed(heap)]
        if not due:
            return None
        best, first = due[0], min(due, key=lambda one: one[0] - (now - one[1][0][0]) / RISE_S)
        if best is not first:
            self._risen_goes_first = not self._risen_goes_first
        _, heap = first if self._risen_goes_first else best
        _, _, key = heapq.heappop(heap)
        self.remove(key)
        return key

    def ripe_at(self, now: float, classes: int = CLASSES) -> float | None:
        """When there is something to do in the first so many classes: `now` when a key is due, None when none will be.

        A moment at which only a key of another class becomes due is named too.
        """
        self._ripen(now)
        for heap in self._due[:classes]:
            if self._drop_removed(heap):
                return now
        return self._later[0][0] if self._later else None

    def _ripen(self, now: float) -> None:
        while self._later and (self._later[0][0] <= now or self._tickets.get(self._later[0][2]) != self._later[0][1]):
            _, ticket, key, priority = heapq.heappop(self._later)
            if self._tickets.get(key) == ticket:
                _, _, since = self._places[key]
                heapq.heappush(self._due[priority], (since, ticket, key))

    def _drop_removed(self, heap: list[tuple[float, int, str]]) -> bool:
        """Whether a key is left."""
        while heap and self._tickets.get(heap[0][2]) != heap[0][1]:
            heapq.heappop(heap)
        return bool(heap)
