"""The one way to write to the log: `EventLog.append` returns once the brokers have it, on all in-sync replicas."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed

from stream.codec import Written, written
from stream.errors import ActionNeeded, LogUnavailable, RecordRefused
from stream.kafka.address import Bootstrap, address_of
from stream.kafka.admin import admin, describe
from stream.kafka.batches import PartitionWriter
from stream.kafka.protocol import TopicMetadata, ask_any
from stream.records import AnyRecord, ConnectionId, LogPosition
from stream.topics import CHANGELOGS, HR_EVENTS, MAX_RECORD_BYTES, TOPIC_OF, TOPICS, partition_of

OVERHEAD = 64 * 1024
"""Room for the frames around the largest record."""
BATCH_BYTES = 128 * 1024
"""A batch ends here, or after one record that is larger: well below what any topic takes."""
FRAME_BYTES = 192
"""What the brokers count beside key and value in a batch of one record; without headers it is less than 100."""


class EventLog:
    """An idempotent producer that knows our topics.

    Records of one connection keep the order in which they were appended. An append that fails or is cancelled may still
    reach the log later: whoever repeats it makes a second record, and every reader is built for that.
    """

    def __init__(self, bootstrap: Bootstrap, *, deadline: float = 5.0) -> None:
        """deadline: seconds within which the brokers must confirm, unless a call says otherwise."""
        self._bootstrap = bootstrap
        self._address = ""
        self._deadline = deadline
        self._producer: AIOKafkaProducer | None = None
        self._writers: dict[tuple[str, int], PartitionWriter] = {}
        self._topic_ids: dict[str, str] = {}
        self._newest: dict[tuple[str, int], int] = {}
        self.partitions = 0

    async def start(self) -> None:
        """Connect and learn the topics. Raises LogUnavailable when Kafka does not answer or topics are missing.

        After `stop` it may be called again.
        """
        self._address = address_of(self._bootstrap)
        names = [*(topic.name for topic in TOPICS), *CHANGELOGS]
        async with admin(self._address) as client:
            found = await describe(client, names)
        if missing := [name for name in names if name not in found]:
            raise LogUnavailable(f"Topics are missing ({missing[0]} and others): run `rosterbook topics apply`.")
        if len(counts := {count for _, count in found.values()}) != 1:
            raise LogUnavailable("Topics differ in their number of partitions: run `rosterbook topics check`.")
        self._topic_ids = {name: topic_id for name, (topic_id, _) in found.items()}
        self.partitions = counts.pop()
        producer = AIOKafkaProducer(
            bootstrap_servers=self._address,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=MAX_RECORD_BYTES + OVERHEAD,
            request_timeout_ms=int(self._deadline * 1000),
        )
        try:
            await producer.start()
        except KafkaError as error:
            await producer.stop()
            raise LogUnavailable(f"Kafka does not answer at {self._address}: check that it runs.") from error
        except BaseException:  # told to end meanwhile: a producer left open would have the last word in the log
            await producer.stop()
            raise
        self._producer = producer

    async def stop(self, *, grace: float = 5.0) -> None:
        """Send what is pending, for at most `grace` seconds, and disconnect.

        An idempotent producer never gives up by itself, so what is then still pending is dropped; no `append` has
        confirmed it.
        """
        producer, self._producer = self._producer, None
        writers, self._writers = self._writers.values(), {}
        if producer is None:
            return
        if sending := {writer.sending for writer in writers if writer.sending is not None}:
            await asyncio.wait(sending, timeout=grace)
        for writer in writers:
            writer.close()
            self._newest[writer.topic, writer.partition] = writer.newest
        if any(not task.done() for task in sending):
            await producer._sender.close()
            _drop_pending(producer)
        await producer.stop()

    @property
    def address(self) -> str:
        """The bootstrap servers to which it is connected."""
        return self._address

    @property
    def moved(self) -> bool:
        """Whether Kafka is known to be elsewhere than where we connected: stop and start again."""
        try:
            return address_of(self._bootstrap) != self._address
        except LogUnavailable:
            return False

    async def check(self, min_insync: int, *, deadline: float = 2.0) -> None:
        """Ask the brokers whether they would take an HR event, without appending any. min_insync: replicas it takes.

        Raises LogUnavailable when no broker answers in time or a partition lacks its leader or replicas.
        """
        self._connected()
        try:
            async with asyncio.timeout(deadline):
                found = await self._ask_any(TopicMetadata([HR_EVENTS.name]))
        except TimeoutError:
            raise LogUnavailable(f"Kafka does not answer within {deadline:g} s: check that it runs.") from None
        for code, name, _, _, _, partitions, _, _ in found.topics:
            if code != 0 or any(leader < 0 or len(isr) < min_insync for _, _, leader, _, _, isr, _, _ in partitions):
                raise LogUnavailable(f"Topic {name} lacks a leader or in-sync replicas: check the brokers.")

    async def _ask_any(self, request: Any) -> Any:
        """The answer of the first broker that gives one."""
        answer = await ask_any(self._connected().client, request)
        if answer is None:
            raise LogUnavailable(f"Kafka does not answer at {self._address}: check that it runs.")
        return answer

    def topic_id(self, topic: str) -> str:
        """The id of the topic's present life."""
        return self._topic_ids[topic]

    def newest(self, topic: str, partition: int) -> int:
        """The greatest offset that we have written there since the start; -1 when none."""
        place = topic, partition
        return self._writers[place].newest if place in self._writers else self._newest.get(place, -1)

    @property
    def topic_ids(self) -> dict[str, str]:
        """Topic -> the id of its present life, changelogs included."""
        return dict(self._topic_ids)

    def partition_of(self, connection: ConnectionId) -> int:
        return partition_of(connection, self.partitions)

    async def append(
        self, record: AnyRecord | Written, *, deadline: float | None = None, partition: int | None = None
    ) -> LogPosition:
        """Append one record. Raises LogUnavailable when it is not confirmed in time, RecordRefused when too large.

        partition: for a record that must lie beside another one although its connection is not known for sure.
        """
        deadline = self._deadline if deadline is None else deadline
        writer, key, value = self._ready(record, partition)
        try:
            offset = await writer.add(key, value, deadline)
        except (KafkaError, TimeoutError) as error:
            raise _unconfirmed(deadline, error) from error
        return self._position(writer, offset)

    async def append_all(
        self, records: Sequence[AnyRecord | Written], *, deadline: float | None = None, partition: int | None = None
    ) -> list[LogPosition]:
        """Append records in order; they travel together. After an error some of them may be in the log."""
        deadline = self._deadline if deadline is None else deadline
        ready = [self._ready(record, partition) for record in records]
        try:
            offsets = await asyncio.gather(*[writer.add(key, value, deadline) for writer, key, value in ready])
        except (KafkaError, TimeoutError) as error:
            raise _unconfirmed(deadline, error) from error
        return [self._position(writer, offset) for (writer, _, _), offset in zip(ready, offsets, strict=True)]

    def _position(self, writer: PartitionWriter, offset: int) -> LogPosition:
        topic_id = self._topic_ids[writer.topic]
        return LogPosition(topic=writer.topic, topic_id=topic_id, partition=writer.partition, offset=offset)

    def _ready(self, record: AnyRecord | Written, partition: int | None) -> tuple[PartitionWriter, bytes, bytes]:
        """Who writes the record, its key and its value."""
        self._connected()
        topic, connection, key, value = written(record)
        if len(key) + len(value) + FRAME_BYTES > topic.max_record_bytes:
            raise RecordRefused(
                f"A record of {len(value)} bytes is over the limit of {topic.name}.", connection=connection
            )
        partition = self.partition_of(connection) if partition is None else partition
        return self._writer(topic.name, partition), key, value

    def _writer(self, topic: str, partition: int) -> PartitionWriter:
        writer = self._writers.get((topic, partition))
        if writer is None:
            newest = self._newest.get((topic, partition), -1)
            writer = self._writers[topic, partition] = PartitionWriter(self._connected(), topic, partition, newest)
        return writer

    def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise LogUnavailable("The log is not connected yet.")
        return self._producer

    async def put(
        self,
        topic: str,
        partition: int,
        entries: Sequence[tuple[bytes, bytes | None]],
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> list[int]:
        """Write raw keys and values (None = tombstone) to one partition in order; returns their offsets.

        headers: of each of the records; they are small. Raises LogUnavailable when they are not confirmed in time,
        ActionNeeded when one of them is too large: it was folded from what the log holds, and would be again.
        """
        writer = self._writer(topic, partition)
        largest = max((len(key) + len(value or b"") for key, value in entries), default=0)
        if largest + FRAME_BYTES > MAX_RECORD_BYTES:  # the brokers would refuse it, but that stops the producer
            raise ActionNeeded(
                f"A row of {largest} bytes is over the limit of {topic}: report this with the size and the table.",
                topic=topic,
                partition=partition,
            )
        try:
            return await asyncio.gather(*[writer.add(key, value, self._deadline, headers) for key, value in entries])
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailable(
                f"Kafka did not confirm a write to {topic} within {self._deadline:g} s ({type(error).__name__})."
            ) from error

    async def delete(self, record: AnyRecord) -> None:
        """Write a tombstone for the record's key on its compacted topic."""
        topic = TOPIC_OF[type(record)]
        await self.put(topic.name, self.partition_of(record.connection), [(topic.key_of(record), None)])


def _unconfirmed(deadline: float, error: Exception) -> LogUnavailable:
    return LogUnavailable(f"Kafka did not confirm an append within {deadline:g} s ({type(error).__name__}).")


def _drop_pending(producer: AIOKafkaProducer) -> None:
    """Fail what a producer without its sender still holds. (aiokafka's `fail_all` trips over batches in a retry.)"""
    accumulator = producer._message_accumulator
    queued = [batch for batches in accumulator._batches.values() for batch in batches]
    accumulator._batches.clear()
    accumulator._pending_batches.update(queued)  # where the callback of a batch that was tried before looks for it
    for batch in list(accumulator._pending_batches):
        batch.failure(ProducerClosed())
        for ended in (batch.future, batch._drain_waiter):
            ended.exception()  # nobody may be waiting for it
