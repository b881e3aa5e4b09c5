"""The partitions of this worker, as they come and go: where each stands, what its former owner left half done, from
where it is read on, and rows of others that land in its changelogs. Folding itself is left to `agents/folding.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from agents.claims import claim
from agents.origins import ORIGINS, see_origins
from agents.partition import Partition
from agents.recovery import Headers
from agents.results import Results
from stream.codec import decode
from stream.errors import ActionNeeded, NewerRecord, RecordRefused
from stream.kafka.reader import Extent
from stream.records import ContactUpsert, DeadLetter
from stream.telemetry import log
from stream.topics import APP, CONTACT_UPSERTS, DEAD_LETTERS, INPUTS, TOPICS

logger = log("folding")

TAIL = 50
"""Newest records of an output topic that are searched for the greatest cause."""

Place = tuple[str, int]
"""Topic and partition."""


class Group(Protocol):
    """This worker as a member of the consumer group."""

    @property
    def generation(self) -> int: ...

    async def seek(self, positions: Mapping[Place, int]) -> None:
        """Read on from these offsets; what was handed out before may come again."""
        ...

    async def confirmed(self) -> None:
        """Returns at a moment when nobody else can have our partitions yet."""
        ...


class Reader(Protocol):
    """A look at the log from outside of any group."""

    async def extents(self, group: str, partitions: Iterable[Place]) -> dict[Place, Extent]: ...

    async def newest(self, partitions: dict[Place, Extent], count: int) -> dict[Place, list[bytes]]: ...

    async def headers(self, topic: str, partition: int, first: int, end: int) -> list[Headers]: ...

    async def last_records(self, ends: Mapping[Place, int]) -> dict[Place, int]: ...


Heard = Callable[[str, int, int, bytes], Awaitable[None]]
"""Told topic, partition, offset and key of each row that lands in a changelog."""


class Listener(Protocol):
    """Follows changelogs (`agents/echo.py`)."""

    async def listen(
        self, positions: Mapping[Place, int], heard: Heard, failed: Callable[[BaseException], None]
    ) -> None: ...

    async def stop(self) -> None: ...


class Ownership:
    """Which partitions are ours. One a worker."""

    def __init__(
        self,
        results: Results,
        group: Group,
        reader: Reader,
        echo: Listener,
        failed: Callable[[BaseException], None],
    ) -> None:
        """failed: told of what a worker must not survive outside its agents."""
        self._results = results
        self._group = group
        self._reader = reader
        self._echo = echo
        self._failed = failed
        self._assigned = asyncio.Event()
        self.partitions: dict[int, Partition] = {}
        self.outdated: Callable[[int], str | None] = lambda number: None
        """What settings a newer version of the product wrote for a connection of this partition, if it did."""
        self.stopped: Callable[[int], None] = lambda number: None
        """Told of each partition that stands still from now on."""

    async def open(self, numbers: Iterable[int]) -> list[Partition]:
        """These partitions are ours and their tables recovered: learn where they stand, then let the agents fold."""
        opened = [Partition(number, self._group.generation) for number in numbers]
        extents = await self._reader.extents(APP, [(t.name, p.number) for t in TOPICS for p in opened])
        tails = await self._reader.newest(
            {(t.name, p.number): extents[t.name, p.number] for t in (CONTACT_UPSERTS, DEAD_LETTERS) for p in opened},
            TAIL,
        )
        tables = self._results.in_order_of_claims
        claims = {}
        for partition in opened:
            for table in tables:
                table.open(partition.number)
            inputs = [extents[topic.name, partition.number] for topic in INPUTS]
            folded = any(extent.next_read > extent.beginning for extent in inputs)
            self._learn(partition, extents, tails)
            try:
                row = see_origins(self._results.tables, partition.number, self._results.lives, folded=folded)
                claims[partition.number] = row
            except NewerRecord:
                self.stop(partition, "what its tables hold")
            self._see_settings(partition)
        await self._group.confirmed()
        await asyncio.gather(*(claim(tables, number, ORIGINS, row, self._reader) for number, row in claims.items()))
        # Even where an intent says that more is done: what is passed over then is acked too, and without its acks there
        # would be a gap before all later ones, behind which Faust commits nothing any more.
        committed = {(topic, p.number): offset for p in opened for topic, offset in p.next.items()}
        for partition in opened:
            if partition.stopped is None:
                await self._results.finish(partition)
            partition.look()
        await self._group.seek(committed)
        for partition in opened:
            self.partitions[partition.number] = partition
        self._assigned.set()
        self._assigned = asyncio.Event()
        positions = {(table.changelog, number): table.end(number) for table in tables for number in claims}
        await self._echo.listen(positions, self._heard, self._failed)
        return opened

    async def close(self, numbers: Iterable[int]) -> None:
        """These partitions go: wait for the folds under way and begin no other.

        Whoever calls this waits, even if somebody else is at it: a stop and a rebalance may come together, and a fold
        that outlived the rebalance would write its row over what the store has recovered by then.
        """
        await self._echo.stop()
        for number in numbers:
            if (partition := self.partitions.get(number)) is not None:
                async with partition.folding:
                    partition.closed = True
                if self.partitions.get(number) is partition:
                    del self.partitions[number]

    def stop(self, partition: Partition, what: str) -> None:
        """A newer version of the product wrote this: nothing of the partition is folded here any more."""
        why = f"Partition {partition.number} stands still: a newer Rosterbook wrote {what}. Update this worker."
        logger.error("folding.partition_stopped", partition=partition.number, reason=why)
        partition.stop(why)
        self.stopped(partition.number)

    def see_settings(self) -> None:
        """Stop partitions with a connection whose settings only a newer version understands: folds depend on them."""
        for partition in self.partitions.values():
            self._see_settings(partition)

    def _see_settings(self, partition: Partition) -> None:
        if partition.stopped is None and (what := self.outdated(partition.number)) is not None:
            self.stop(partition, what)

    def why_stopped(self) -> dict[int, str]:
        """Partition -> a sentence, of those that stand still."""
        return {number: p.stopped for number, p in self.partitions.items() if p.stopped is not None}

    @asynccontextmanager
    async def hold(self, number: int) -> AsyncIterator[Partition]:
        """The partition while nobody else folds in it, once it is ours. It may have gone and come while we waited."""
        while True:
            while (partition := self.partitions.get(number)) is None:
                await self._assigned.wait()
            await partition.folding.acquire()
            if not partition.closed:
                break
            partition.folding.release()
        try:
            yield partition
        finally:
            partition.folding.release()

    def _learn(self, partition: Partition, extents: Mapping[Place, Extent], tails: Mapping[Place, list[bytes]]) -> None:
        number = partition.number
        for topic in INPUTS:
            _refuse_gap(topic.name, number, extents[topic.name, number])
        partition.next = {topic.name: extents[topic.name, number].next_read for topic in INPUTS}
        partition.ends = {topic.name: extents[topic.name, number].end for topic in INPUTS}
        for topic in (CONTACT_UPSERTS, DEAD_LETTERS):
            for value in tails[topic.name, number]:
                try:
                    record = decode(topic, value)
                except NewerRecord:
                    self.stop(partition, f"one of the last records of {topic.name}")
                    break
                except RecordRefused:
                    continue
                match record:
                    case ContactUpsert(cause=cause) | DeadLetter(origin=cause):
                        if cause is not None and self._results.lives.get(cause.topic) == cause.topic_id:
                            partition.follows(topic.name, cause.topic, cause.offset)

    async def _heard(self, changelog: str, number: int, offset: int, key: bytes) -> None:
        """A row landed in one of our changelogs. If it is not ours, ours is written again, behind it."""
        table = next(t for t in self._results.tables.values() if t.changelog == changelog)
        partition = self.partitions.get(number)
        if partition is None or table.is_own(number, offset):
            return
        async with partition.folding:  # what is being written now is known to be ours when the fold is over
            if partition.closed or table.is_own(number, offset):
                return
            logger.warning("folding.foreign_row", changelog=changelog, partition=number, offset=offset)
            await table.write_again(number, key.decode())


def _refuse_gap(topic: str, number: int, extent: Extent) -> None:
    """Raises ActionNeeded when what is to be folded next is not in the log: records would be passed over."""
    committed = extent.committed
    if committed is None or extent.beginning <= committed <= extent.end:
        return
    if committed > extent.end:
        raise ActionNeeded(
            f"Topic {topic}, partition {number}, ends at {extent.end} and was folded up to {committed}: it was made "
            "again or has lost records. End every worker, then restore it from a copy of the cluster, or go on with "
            "what it holds now: `rosterbook tables rebuild`.",
            topic=topic,
            partition=number,
        )
    raise ActionNeeded(
        f"Records {committed} to {extent.beginning - 1} of {topic}, partition {number}, were deleted before they were "
        "folded: end every worker, then restore them, or go on without them: `rosterbook tables rebuild`.",
        topic=topic,
        partition=number,
    )
