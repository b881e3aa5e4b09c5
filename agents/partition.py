"""What one partition of all topics has come to on this worker, from its assignment to its revocation: who folds in it
just now, what is folded, and whether that is all there was when it was assigned. It decides nothing; whoever opens,
folds and closes partitions keeps it.
"""

from __future__ import annotations

import asyncio


class Partition:
    """stopped: why nothing is folded in it any more on this worker, as a sentence; None while there is no reason.
    caught_up: set as well when it is stopped, since then nothing is to be waited for.

    next: topic -> the offset that is folded next. ends: topic -> its end at assignment.

    appended: (output topic, input topic) -> the greatest offset of the input from which an output follows that the log
    already has.
    """

    def __init__(self, number: int, generation: int) -> None:
        """generation: of the consumer group, in which it was assigned."""
        self.number = number
        self.generation = generation
        self.folding = asyncio.Lock()
        self.closed = False
        self.stopped: str | None = None
        self.caught_up = asyncio.Event()
        self.next: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        self.appended: dict[tuple[str, str], int] = {}
        self._moved = asyncio.Event()

    def stop(self, why: str) -> None:
        self.stopped = why
        self.caught_up.set()

    def folded(self, topic: str, offset: int) -> None:
        self.next[topic] = max(self.next[topic], offset + 1)
        self._moved.set()
        self.look()

    async def has_folded(self, topic: str, offset: int) -> None:
        """Return once that record is folded."""
        while self.next[topic] <= offset:
            self._moved.clear()
            await self._moved.wait()

    def look(self) -> None:
        """Open the gate when all that was in the topics at assignment is folded."""
        if all(self.next[topic] >= end for topic, end in self.ends.items()):
            self.caught_up.set()

    def follows(self, topic: str, cause: str, offset: int) -> None:
        """The log has a record of `topic` that follows from this offset of `cause`."""
        self.appended[topic, cause] = max(self.appended.get((topic, cause), -1), offset)

    def is_said(self, topic: str, cause: str, offset: int) -> bool:
        """Whether the log has what follows from a later offset of `cause`, and so from this one too."""
        return offset < self.appended.get((topic, cause), -1)
