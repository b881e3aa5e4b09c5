"""The run's own eyes on the log, past every proxy: where topics end, what the group has folded, what records say."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from agents.recovery import Headers, named
from stream.codec import decode
from stream.errors import LogUnavailable, RecordRefused
from stream.kafka.admin import admin
from stream.records import AnyRecord
from stream.topics import APP, CHANGELOGS, INPUTS, MAX_RECORD_BYTES, TABLES, Topic, changelog_of

ANSWER_S = 5.0
READ_S = 60.0


class Sight:
    """partition: the one of the connection, on every topic."""

    def __init__(self, bootstrap: str, partition: int) -> None:
        self._bootstrap = bootstrap
        self._partition = partition
        self._consumer: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, enable_auto_commit=False, request_timeout_ms=5000
        )
        await self._consumer.start()

    async def stop(self) -> None:
        if self._consumer is not None:
            await self._consumer.stop()

    async def ends(self) -> dict[str, int] | None:
        """Where the topics end that folds and lanes write to, and hr-events; None while Kafka does not say."""
        assert self._consumer is not None
        names = [*(topic.name for topic in INPUTS), *CHANGELOGS]
        try:
            async with asyncio.timeout(ANSWER_S):
                found = await self._consumer.end_offsets([TopicPartition(name, self._partition) for name in names])
        except (KafkaError, TimeoutError):
            return None
        return {tp.topic: end for tp, end in found.items()}

    async def lag(self) -> dict[str, int] | None:
        """Input topic -> records that are not folded and acked yet; None while Kafka does not say."""
        if (ends := await self.ends()) is None:
            return None
        try:
            async with asyncio.timeout(ANSWER_S), admin(self._bootstrap) as client:
                committed: dict[TopicPartition, Any] = await client.list_consumer_group_offsets(APP)
        except (KafkaError, LogUnavailable, TimeoutError):
            return None
        lags = {}
        for topic in INPUTS:
            found = committed.get(TopicPartition(topic.name, self._partition))
            lags[topic.name] = ends[topic.name] - max(0, found.offset if found is not None else 0)
        return lags

    async def leader(self, topic: Topic) -> int:
        """Id of the broker that leads the partition. Raises LogUnavailable."""
        async with admin(self._bootstrap) as client:
            (described,) = await client.describe_topics([topic.name])
        leaders = {found["partition"]: found["leader"] for found in described["partitions"]}
        leader: int = leaders[self._partition]
        return leader

    async def _messages(self, tp: TopicPartition) -> list[Any]:
        """All that the partition holds, oldest first."""
        reader = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=MAX_RECORD_BYTES,
        )
        await reader.start()
        found: list[Any] = []
        try:
            end = (await reader.end_offsets([tp]))[tp]
            reader.assign([tp])
            reader.seek(tp, 0)
            async with asyncio.timeout(READ_S):
                while await reader.position(tp) < end:
                    for messages in (await reader.getmany(timeout_ms=200)).values():
                        found += messages
        finally:
            await reader.stop()
        return found

    async def records(self, topic: Topic) -> list[AnyRecord]:
        """Those of them that are records: a run puts other bytes there too."""
        found = []
        for message in await self._messages(TopicPartition(topic.name, self._partition)):
            with suppress(RecordRefused):
                found.append(decode(topic, message.value))
        return found

    async def group_is_empty(self) -> bool:
        """Whether no worker is a member; False while Kafka does not say."""
        try:
            async with asyncio.timeout(ANSWER_S), admin(self._bootstrap) as client:
                (answer,) = await client.describe_consumer_groups([APP])
        except (KafkaError, LogUnavailable, TimeoutError):
            return False
        return all(group[2] in ("Empty", "Dead") for group in answer.groups)

    async def rewind(self) -> None:
        """Take every row out of the changelogs and let the group read its inputs from their beginnings, as a rebuild.

        The group must be empty. Raises KafkaError.
        """
        for table in TABLES:
            changelog = TopicPartition(changelog_of(table), self._partition)
            if found := await self._messages(changelog):
                of_nobody_older = named(found[-1].offset)
                for key in sorted({message.key for message in found}):
                    await self._send(changelog, key, None, of_nobody_older)
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, group_id=APP, enable_auto_commit=False)
        await consumer.start()
        try:
            beginnings = {TopicPartition(topic.name, self._partition): 0 for topic in INPUTS}
            consumer.assign(list(beginnings))
            await consumer.commit(beginnings)
        finally:
            await consumer.stop()

    async def keys(self, topic: str) -> list[bytes]:
        """All that occur, in order."""
        return sorted({message.key for message in await self._messages(TopicPartition(topic, self._partition))})

    async def put(self, topic: str, key: bytes, value: bytes) -> RecordMetadata:
        """Write what no process of ours would write. Raises KafkaError."""
        return await self._send(TopicPartition(topic, self._partition), key, value)

    async def _send(self, to: TopicPartition, key: bytes, value: bytes | None, headers: Headers = ()) -> RecordMetadata:
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all", request_timeout_ms=10_000)
        await producer.start()
        try:
            return await producer.send_and_wait(to.topic, value, key, partition=to.partition, headers=list(headers))
        finally:
            await producer.stop()


def folded_again(digests: list[str]) -> int:
    """How many deliveries lie on the log beyond their first time."""
    return sum(count - 1 for count in Counter(digests).values())
