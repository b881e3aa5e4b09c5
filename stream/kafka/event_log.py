"""The one way to write to the log: `EventLog.append` returns once the brokers have it, on all in-sync replicas."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from stream.codec import canonical
from stream.errors import LogUnavailable, RecordRefused
from stream.kafka.admin import admin, describe
from stream.records import AnyRecord, ConnectionId, LogPosition
from stream.telemetry import APPENDS
from stream.topics import MAX_RECORD_BYTES, TABLES, TOPIC_OF, TOPICS, changelog_of, partition_of

OVERHEAD = 64 * 1024
"""Room for the frames around the largest record."""


class EventLog:
    """An idempotent producer that knows our topics.

    Records of one connection keep the order in which they were appended. An append that fails or is cancelled may still
    reach the log later: whoever repeats it makes a second record, and every reader is built for that.
    """

    def __init__(self, bootstrap: str, *, deadline: float = 5.0) -> None:
        """deadline: seconds within which the brokers must confirm, unless a call says otherwise."""
        self._bootstrap = bootstrap
        self._deadline = deadline
        self._producer: AIOKafkaProducer | None = None
        self._topic_ids: dict[str, str] = {}
        self.partitions = 0

    async def start(self) -> None:
        """Connect and learn the topics. Raises LogUnavailable when Kafka does not answer or topics are missing."""
        names = [topic.name for topic in TOPICS] + [changelog_of(table) for table in TABLES]
        async with admin(self._bootstrap) as client:
            found = await describe(client, names)
        if missing := [name for name in names if name not in found]:
            raise LogUnavailable(f"Topics are missing ({missing[0]} and others): run `rosterbook topics apply`.")
        if len(counts := {count for _, count in found.values()}) != 1:
            raise LogUnavailable("Topics differ in their number of partitions: run `rosterbook topics check`.")
        self._topic_ids = {name: topic_id for name, (topic_id, _) in found.items()}
        self.partitions = counts.pop()
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_request_size=MAX_RECORD_BYTES + OVERHEAD,
            request_timeout_ms=int(self._deadline * 1000),
        )
        try:
            await producer.start()
        except KafkaError as error:
            await producer.stop()
            raise LogUnavailable(f"Kafka does not answer at {self._bootstrap}: check that it runs.") from error
        self._producer = producer

    async def stop(self) -> None:
        """Send what is pending and disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    def topic_id(self, topic: str) -> str:
        """The id of the topic's present life."""
        return self._topic_ids[topic]

    def partition_of(self, connection: ConnectionId) -> int:
        return partition_of(connection, self.partitions)

    async def append(
        self, record: AnyRecord, *, deadline: float | None = None, partition: int | None = None
    ) -> LogPosition:
        """Append one record. Raises LogUnavailable when it is not confirmed in time, RecordRefused when too large.

        partition: for a record that must lie beside another one although its connection is not known for sure.
        """
        return (await self.append_all([record], deadline=deadline, partition=partition))[0]

    async def append_all(
        self, records: Sequence[AnyRecord], *, deadline: float | None = None, partition: int | None = None
    ) -> list[LogPosition]:
        """Append records in order; they travel together. After an error some of them may be in the log."""
        deadline = self._deadline if deadline is None else deadline
        try:
            async with asyncio.timeout(deadline):
                pending = [await self._send(record, partition) for record in records]
                metadata = await asyncio.gather(*pending)
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailable(
                f"Kafka did not confirm an append within {deadline:g} s ({type(error).__name__})."
            ) from error
        for record in records:
            APPENDS.labels(TOPIC_OF[type(record)].name).inc()
        return [
            LogPosition(topic=m.topic, topic_id=self._topic_ids[m.topic], partition=m.partition, offset=m.offset)
            for m in metadata
        ]

    async def _send(self, record: AnyRecord, partition: int | None) -> asyncio.Future[Any]:
        topic = TOPIC_OF[type(record)]
        value = canonical(record)
        if len(value) > topic.max_record_bytes:
            raise RecordRefused(
                f"A record of {len(value)} bytes is over the limit of {topic.name}.", connection=record.connection
            )
        partition = self.partition_of(record.connection) if partition is None else partition
        return await self._send_raw(topic.name, partition, topic.key_of(record), value)

    async def _send_raw(self, topic: str, partition: int, key: bytes, value: bytes | None) -> asyncio.Future[Any]:
        if self._producer is None:
            raise LogUnavailable("The log is not connected yet.")
        future: asyncio.Future[Any] = await self._producer.send(topic, value, key, partition)
        return future

    async def put(self, topic: str, partition: int, entries: Sequence[tuple[bytes, bytes | None]]) -> list[int]:
        """Write raw keys and values (None = tombstone) to one partition in order; returns their offsets.

        Raises LogUnavailable when they are not confirmed in time.
        """
        try:
            async with asyncio.timeout(self._deadline):
                pending = [await self._send_raw(topic, partition, key, value) for key, value in entries]
                metadata = await asyncio.gather(*pending)
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailable(
                f"Kafka did not confirm a write to {topic} within {self._deadline:g} s ({type(error).__name__})."
            ) from error
        return [m.offset for m in metadata]

    async def delete(self, record: AnyRecord) -> None:
        """Write a tombstone for the record's key on its compacted topic."""
        topic = TOPIC_OF[type(record)]
        await self.put(topic.name, self.partition_of(record.connection), [(topic.key_of(record), None)])
