"""A compacted topic, read whole and followed: key -> newest record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from stream.codec import decode
from stream.errors import LogUnavailable, NewerRecord, RecordRefused
from stream.kafka.address import Bootstrap, address_of
from stream.kafka.cancellation import end, only_our_cancellation
from stream.kafka.consumer import ungrouped
from stream.records import AnyRecord
from stream.telemetry import log
from stream.topics import Topic

logger = log("view")

RETRY_S = 0.5
READ_AGAIN_S = 0.05
"""At least so long between two looks at the topic's end, however many ask."""
ENDS_S = 2.0
"""How long one look may take; it never ends when its consumer was closed meanwhile."""


class CompactedView:
    """Follows one compacted topic in a task of its own, over outages of Kafka.

    `records` is current as of some moment; after `read_to_end` it holds everything that was in the topic when that was
    called. `changed` is called with each key and its record, None for a tombstone; `outdated` with each key whose last
    record is of a newer version of the product, while `records` still has the one before.
    """

    def __init__(
        self,
        bootstrap: Bootstrap,
        topic: Topic,
        changed: Callable[[str, AnyRecord | None], None] | None = None,
        outdated: Callable[[str], None] | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._changed = changed
        self._outdated = outdated
        self._task: asyncio.Task[None] | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self._positions: dict[TopicPartition, int] = {}
        self._progress = asyncio.Event()
        self._next_read: asyncio.Task[None] | None = None
        self._reads: set[asyncio.Task[None]] = set()
        self._told = False
        self._read_lock = asyncio.Lock()
        self.records: dict[str, AnyRecord] = {}
        self.outdated: set[str] = set()
        """Keys whose newest record only a newer version of the product understands."""
        self.loaded = asyncio.Event()
        """Set once the topic has been read to the end it had when the view connected first."""

    async def start(self) -> None:
        self._task = asyncio.create_task(self._follow(), name=f"view {self._topic.name}")

    async def stop(self) -> None:
        tasks = [*self._reads] if self._task is None else [self._task, *self._reads]
        await end(*tasks)

    async def read_to_end(self) -> None:
        """Return once everything that the topic holds now is in `records`.

        Callers that come while a read is under way share the next one. Never returns while Kafka is away: bound it.
        """
        if self._next_read is None:
            self._next_read = asyncio.create_task(self._read(), name=f"view {self._topic.name}: to the end")
            self._reads.add(self._next_read)
            self._next_read.add_done_callback(self._reads.discard)
        await asyncio.shield(self._next_read)

    async def _read(self) -> None:
        async with self._read_lock:
            await asyncio.sleep(READ_AGAIN_S)
            self._next_read = None  # who comes from here on came after the look at the end
            await self._reach(await self._ends())

    async def _ends(self) -> dict[TopicPartition, int]:
        while True:
            if self._consumer is not None and self._positions:
                with suppress(KafkaError, OSError, TimeoutError, LogUnavailable):
                    async with asyncio.timeout(ENDS_S):
                        with only_our_cancellation():
                            ends: dict[TopicPartition, int] = await self._consumer.end_offsets(list(self._positions))
                    return ends
            await asyncio.sleep(READ_AGAIN_S)

    async def _reach(self, ends: dict[TopicPartition, int]) -> None:
        while any(self._positions.get(tp, 0) < end for tp, end in ends.items()):
            self._progress.clear()
            await self._progress.wait()

    async def _follow(self) -> None:
        while True:
            try:
                await self._consume(address_of(self._bootstrap))
            except (KafkaError, OSError, TimeoutError, LogUnavailable) as error:
                if not self._told:
                    logger.warning("view.interrupted", topic=self._topic.name, error=type(error).__name__)
                self._told = True
            await asyncio.sleep(RETRY_S)

    async def _consume(self, address: str) -> None:
        """Until Kafka is known to be elsewhere."""
        async with ungrouped(address, fetch_max_wait_ms=500) as consumer:
            try:
                await self._read_on(consumer, address)
            finally:
                self._consumer = None

    async def _read_on(self, consumer: AIOKafkaConsumer, address: str) -> None:
        partitions = await self._partitions(consumer)
        consumer.assign(partitions)
        for tp, beginning in (await consumer.beginning_offsets(partitions)).items():
            self._positions[tp] = max(beginning, self._positions.get(tp, beginning))
            consumer.seek(tp, self._positions[tp])
        self._consumer = consumer
        ends = await consumer.end_offsets(partitions)
        self._told = False
        while not self._is_elsewhere(address):
            if not self.loaded.is_set() and all(self._positions[tp] >= end for tp, end in ends.items()):
                self.loaded.set()
            batches = await consumer.getmany(timeout_ms=1000)
            for tp, messages in batches.items():
                for message in messages:
                    self._take(message.key, message.value)
                self._positions[tp] = messages[-1].offset + 1
            for tp in partitions:  # a compacted topic may end in records that are no more
                self._positions[tp] = max(self._positions[tp], await consumer.position(tp))
            self._progress.set()

    def _is_elsewhere(self, address: str) -> bool:
        try:
            return address_of(self._bootstrap) != address
        except LogUnavailable:
            return False

    async def _partitions(self, consumer: AIOKafkaConsumer) -> list[TopicPartition]:
        while not (found := await consumer._client._wait_on_metadata(self._topic.name)):
            await asyncio.sleep(RETRY_S)
        return [TopicPartition(self._topic.name, partition) for partition in sorted(found)]

    def _take(self, key: bytes, value: bytes | None) -> None:
        name = key.decode(errors="replace")
        record: AnyRecord | None = None
        if value is not None:
            try:
                record = decode(self._topic, value)
            except RecordRefused as error:
                logger.error("view.record_refused", reason=error.message, **error.context)
                if isinstance(error, NewerRecord):
                    self.outdated.add(name)
                    if self._outdated is not None:
                        self._outdated(name)
                return
        self.outdated.discard(name)
        if record is None:
            self.records.pop(name, None)
        else:
            self.records[name] = record
        if self._changed is not None:
            self._changed(name, record)
