"""Reads whole partitions from outside any group, record by record, for commands that look at the log themselves: no
Faust, no tables, and never more in memory than Kafka hands out at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from stream.errors import LogUnavailable
from stream.kafka.admin import admin, describe
from stream.kafka.consumer import ungrouped
from stream.records import ConnectionId, LogPosition
from stream.topics import Topic, partition_of

T = TypeVar("T")

STALL_S = 15.0
"""Seconds without a record after which Kafka counts as away."""


@dataclass(frozen=True)
class Entry:
    """A record as it lies on the log. value: None = a tombstone."""

    position: LogPosition
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class LogScan:
    """Each read opens a consumer of its own and closes it again."""

    def __init__(self, bootstrap: str, *, stall: float = STALL_S) -> None:
        self._bootstrap = bootstrap
        self._stall = stall

    async def all(self, topics: Iterable[Topic]) -> AsyncIterator[Entry]:
        """Everything that the topics hold at the beginning of the read, in order within each partition.

        Raises LogUnavailable when a topic is missing or Kafka does not answer.
        """
        found = await self._described([topic.name for topic in topics])
        places = {
            TopicPartition(name, number): topic_id
            for name, (topic_id, count) in found.items()
            for number in range(count)
        }
        async for entry in self._read(places, {}):
            yield entry

    async def beside(self, connection: ConnectionId, topics: Iterable[str]) -> AsyncIterator[Entry]:
        """All that these topics hold in the partition of this connection, in order: that of others in it too."""
        found = await self._described(list(topics))
        places = {
            TopicPartition(topic, partition_of(connection, count)): topic_id
            for topic, (topic_id, count) in found.items()
        }
        async for entry in self._read(places, {}):
            yield entry

    async def these(self, positions: Iterable[LogPosition]) -> AsyncIterator[Entry]:
        """The records at these positions, as far as the log still has them, in order within each partition.

        A position of another life of its topic is never found.
        """
        wanted = set(positions)
        found = await self._described(sorted({position.topic for position in wanted}))
        places: dict[TopicPartition, str] = {}
        bounds: dict[TopicPartition, tuple[int, int]] = {}
        for position in wanted:
            if position.topic_id == found[position.topic][0]:
                tp = TopicPartition(position.topic, position.partition)
                first, end = bounds.get(tp, (position.offset, 0))
                places[tp] = position.topic_id
                bounds[tp] = min(first, position.offset), max(end, position.offset + 1)
        async for entry in self._read(places, bounds):
            if entry.position in wanted:
                yield entry

    async def since(self, topic: Topic, connection: ConnectionId, at: datetime) -> AsyncIterator[Entry]:
        """What the connection's partition holds at the beginning of the read, that of others in it too, from the first
        record on that was written at `at` or later, by its writer's clock.
        """
        found = await self._described([topic.name])
        topic_id, count = found[topic.name]
        place = TopicPartition(topic.name, partition_of(connection, count))
        async with ungrouped(self._bootstrap) as consumer:
            consumer.assign([place])
            moment = int(at.timestamp() * 1000)
            first = (await self._in_time(consumer.offsets_for_times({place: moment})))[place]
            end = (await self._in_time(consumer.end_offsets([place])))[place]
        if first is not None:
            async for entry in self._read({place: topic_id}, {place: (first.offset, end)}):
                yield entry

    async def follow(self, topics: Iterable[str], partition: int) -> AsyncGenerator[Entry | None, None]:
        """First None, once the ends of the partition in these topics are known; then each record that comes after."""
        names = list(topics)
        found = await self._described(names)
        places = [TopicPartition(name, partition) for name in names]
        async with ungrouped(self._bootstrap) as consumer:
            await self._in_time(_begin(consumer, places, {}))
            for place, end in (await self._in_time(consumer.end_offsets(places))).items():
                consumer.seek(place, end)
            yield None
            while True:
                for tp, messages in (await consumer.getmany(timeout_ms=500)).items():
                    for message in messages:
                        yield _entry(tp, found[tp.topic][0], message)

    async def _described(self, names: list[str]) -> dict[str, tuple[str, int]]:
        async with admin(self._bootstrap) as client:
            found = await describe(client, names)
        if missing := [name for name in names if name not in found]:
            raise LogUnavailable(f"Topic {missing[0]} is missing: run `rosterbook topics apply`.")
        return found

    async def _read(
        self, places: Mapping[TopicPartition, str], bounds: Mapping[TopicPartition, tuple[int, int]]
    ) -> AsyncIterator[Entry]:
        """places: partition -> its topic's id. bounds: first offset and the one to stop before; default: all of it."""
        if not places:
            return
        async with ungrouped(self._bootstrap) as consumer:
            ends = await self._in_time(_begin(consumer, list(places), bounds))
            while batches := await self._in_time(_next(consumer, ends)):
                for tp, messages in batches.items():
                    for message in messages:
                        if message.offset < ends[tp]:
                            yield _entry(tp, places[tp], message)

    async def _in_time(self, asked: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._stall):
                return await asked
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailable(
                f"Kafka does not hand out its records at {self._bootstrap}: check that it runs."
            ) from error


def _entry(tp: TopicPartition, topic_id: str, message: Any) -> Entry:
    position = LogPosition(topic=tp.topic, topic_id=topic_id, partition=tp.partition, offset=message.offset)
    return Entry(position, message.key, message.value, message.headers)


async def _begin(
    consumer: AIOKafkaConsumer, places: list[TopicPartition], bounds: Mapping[TopicPartition, tuple[int, int]]
) -> dict[TopicPartition, int]:
    """Where to stop in each partition."""
    consumer.assign(places)
    firsts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    stops: dict[TopicPartition, int] = {}
    for tp in places:
        first, end = bounds.get(tp, (firsts[tp], ends[tp]))
        stops[tp] = min(end, ends[tp])
        consumer.seek(tp, max(first, firsts[tp]))
    return stops


async def _next(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> dict[TopicPartition, list[Any]]:
    """The next records, empty when all is read. A partition may end in records that are no more."""
    while left := {tp for tp, end in ends.items() if await consumer.position(tp) < end}:
        consumer.pause(*ends.keys() - left)
        batches: dict[TopicPartition, list[Any]] = await consumer.getmany(timeout_ms=500)
        if batches:
            return batches
    return {}
