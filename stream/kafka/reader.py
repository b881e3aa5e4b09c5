"""Looks at the log from outside any group: where topics end, what a group has committed, the newest records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
)
from aiokafka.structs import OffsetAndMetadata

from stream.errors import LogUnavailable
from stream.kafka.admin import admin
from stream.kafka.cancellation import only_our_cancellation
from stream.kafka.consumer import ungrouped

Headers = Sequence[tuple[str, bytes]]
"""Of a record."""
AT_ONCE = 2000
"""Records that are handed out together."""
RETRY_S = 0.1
COORDINATOR_MOVES = (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError)


@dataclass(frozen=True)
class Extent:
    """Offsets of one partition: the first that is kept, the next to be written, the next that a group will read."""

    beginning: int
    end: int
    committed: int | None

    @property
    def next_read(self) -> int:
        """Where the group goes on: retention may have passed what it committed."""
        return max(self.beginning, self.committed if self.committed is not None else self.beginning)


class LogReader:
    """One look at a time; each opens what it needs and closes it again."""

    def __init__(self, bootstrap: str, *, deadline: float = 15.0) -> None:
        self._bootstrap = bootstrap
        self._deadline = deadline
        self._one = asyncio.Lock()

    async def extents(self, group: str, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Extent]:
        """(topic, partition) -> its extent. Raises LogUnavailable."""
        wanted = [TopicPartition(topic, partition) for topic, partition in partitions]
        committed = await self._committed(group)
        async with self._looking("Kafka does not tell where its topics end.") as consumer:
            beginnings = await consumer.beginning_offsets(wanted)
            ends = await consumer.end_offsets(wanted)
        return {
            (tp.topic, tp.partition): Extent(
                beginnings[tp],
                ends[tp],
                committed[tp].offset if tp in committed and committed[tp].offset >= 0 else None,
            )
            for tp in wanted
        }

    async def _committed(self, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
        """What the group has committed. Its coordinator is waited for: it may be moving, or be new like the cluster."""
        with only_our_cancellation():
            async with admin(self._bootstrap) as client, asyncio.timeout(self._deadline):
                while True:
                    try:
                        found: dict[TopicPartition, OffsetAndMetadata] = await client.list_consumer_group_offsets(group)
                    except COORDINATOR_MOVES:
                        await asyncio.sleep(RETRY_S)
                    else:
                        return found

    async def newest(self, partitions: dict[tuple[str, int], Extent], count: int) -> dict[tuple[str, int], list[bytes]]:
        """The values of at most `count` newest records of each partition, up to its extent's end, oldest first."""
        found: dict[tuple[str, int], list[bytes]] = {key: [] for key in partitions}
        starts = {
            TopicPartition(*key): max(extent.beginning, extent.end - count)
            for key, extent in partitions.items()
            if extent.end > extent.beginning
        }
        if not starts:
            return found
        async with self._looking("Kafka does not hand out the newest records.") as consumer:
            consumer.assign(list(starts))
            for tp, start in starts.items():
                consumer.seek(tp, start)
            left = set(starts)
            while left:
                for tp, messages in (await consumer.getmany(timeout_ms=500)).items():
                    found[tp.topic, tp.partition] += [m.value for m in messages if m.value is not None]
                left = {tp for tp in left if await consumer.position(tp) < partitions[tp.topic, tp.partition].end}
        return found

    async def last_records(self, ends: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        """The offset of the last record of each partition before its end, one before its beginning where there is none.

        It is not always the one before the end: compaction takes tombstones away, and a transaction's marker is none.
        """
        found: dict[tuple[str, int], int] = {}
        async with self._looking("Kafka does not hand out the newest records.") as consumer:
            beginnings = await consumer.beginning_offsets([TopicPartition(*place) for place in ends])
            back = 1
            while left := {TopicPartition(*place): end for place, end in ends.items() if place not in found}:
                for tp, newest in (await _newest_offsets(consumer, left, beginnings, back)).items():
                    found[tp.topic, tp.partition] = newest
                back *= 16
        return found

    async def headers(self, topic: str, partition: int, first: int, end: int) -> list[Headers]:
        """Of each record that is there from offset `first` on, up to the one before `end`."""
        found: list[Headers] = []
        place = TopicPartition(topic, partition)
        async with self._looking("Kafka does not hand out what others wrote.") as consumer:
            consumer.assign([place])
            consumer.seek(place, first)
            while await consumer.position(place) < end:
                for messages in (await consumer.getmany(timeout_ms=500)).values():
                    found += [message.headers for message in messages if message.offset < end]
        return found

    async def read(
        self,
        starts: Mapping[tuple[str, int], int],
        ends: Mapping[tuple[str, int], int],
        take: Callable[[Sequence[ConsumerRecord[bytes, bytes]]], None],
    ) -> None:
        """Hand out what lies from the start of each partition on and before its end, in order, in parts.

        Takes as long as there is more. Raises LogUnavailable when nothing comes within the deadline.
        """
        loop, left = asyncio.get_running_loop(), {TopicPartition(*place): end for place, end in ends.items()}
        async with ungrouped(self._bootstrap) as consumer:
            consumer.assign(list(left))
            for tp in left:
                consumer.seek(tp, starts[tp.topic, tp.partition])
            try:
                async with asyncio.timeout(self._deadline) as limit:
                    while left := {tp: end for tp, end in left.items() if await consumer.position(tp) < end}:
                        for tp, records in (await consumer.getmany(timeout_ms=500, max_records=AT_ONCE)).items():
                            if wanted := [record for record in records if record.offset < left.get(tp, 0)]:
                                take(wanted)
                                limit.reschedule(loop.time() + self._deadline)
            except (KafkaError, TimeoutError) as error:
                raise LogUnavailable("Kafka does not hand out what the log holds.") from error

    @asynccontextmanager
    async def _looking(self, unanswered: str) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer of its own, within the deadline. Raises LogUnavailable with the sentence `unanswered`."""
        async with self._one, ungrouped(self._bootstrap) as consumer:
            try:
                async with asyncio.timeout(self._deadline):
                    yield consumer
            except (KafkaError, TimeoutError) as error:
                raise LogUnavailable(unanswered) from error


async def _newest_offsets(
    consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int], beginnings: dict[TopicPartition, int], back: int
) -> dict[TopicPartition, int]:
    """The newest offset among the last `back` of each partition, of those that have one there or are read in full."""
    starts = {tp: max(beginnings[tp], end - back) for tp, end in ends.items()}
    found = {tp: beginnings[tp] - 1 for tp, start in starts.items() if start == beginnings[tp]}
    consumer.assign(list(starts))
    for tp, start in starts.items():
        consumer.seek(tp, start)
    left = {tp for tp, start in starts.items() if start < ends[tp]}
    while left:
        for tp, messages in (await consumer.getmany(timeout_ms=500)).items():
            if offsets := [message.offset for message in messages if message.offset < ends[tp]]:
                found[tp] = max(offsets)
        left = {tp for tp in left if await consumer.position(tp) < ends[tp]}
    return found
