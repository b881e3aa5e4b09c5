"""Looks at the cluster from the side every few seconds, while a process runs: whether it answers, where partitions end,
and whether topics are still the ones that we began with.

A topic that was deleted, recreated or given more partitions makes every position that we hold meaningless, and nothing
else would notice. It only looks and says; what is done about it is the caller's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from stream.errors import ActionNeeded, LogUnavailable
from stream.kafka.cancellation import end
from stream.kafka.consumer import ungrouped
from stream.kafka.protocol import TopicMetadata, ask_any, topic_id
from stream.telemetry import log

logger = log("lookout")

EVERY_S = 5.0
ANSWER_S = 4.0
CERTAIN = 2
"""Looks in a row that must find a topic missing: a broker that has just started may not know it yet."""
UNKNOWN_TOPIC = 3

Place = tuple[str, int]
"""Topic and partition."""


class Lookout:
    """answers: whether the last look was answered. ends: where partitions ended then."""

    def __init__(
        self,
        bootstrap: str,
        topic_ids: Mapping[str, str],
        partitions: int,
        failed: Callable[[BaseException], None],
        *,
        every: float = EVERY_S,
    ) -> None:
        """topic_ids, partitions: of all topics when we began. failed: told when they are not so any more."""
        self._bootstrap = bootstrap
        self._topic_ids = topic_ids
        self._partitions = partitions
        self._failed = failed
        self._every = every
        self._missing: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None
        self.watched: Callable[[], Iterable[Place]] = lambda: ()
        """The partitions whose ends are wanted."""
        self.answers = False
        self.ends: dict[Place, int] = {}

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="lookout")

    async def stop(self) -> None:
        if self._task is not None:
            await end(self._task)

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except (KafkaError, OSError, TimeoutError, LogUnavailable):
                self.answers = False
            except Exception as error:  # a topic that is another now, or a bug
                self._failed(error)
                return
            await asyncio.sleep(self._every)

    async def _follow(self) -> None:
        async with ungrouped(self._bootstrap) as consumer:
            while True:
                async with asyncio.timeout(ANSWER_S):
                    await self._look(consumer)
                self.answers = True
                await asyncio.sleep(self._every)

    async def _look(self, consumer: AIOKafkaConsumer) -> None:
        self.compare(await self._topics(consumer))
        if watched := [TopicPartition(*place) for place in self.watched()]:
            ends = await consumer.end_offsets(watched)
            self.ends = {(tp.topic, tp.partition): end for tp, end in ends.items()}

    async def _topics(self, consumer: AIOKafkaConsumer) -> dict[str, tuple[int, str, int]]:
        """Topic -> error code, id, partitions. Of the first broker that answers."""
        answer = await ask_any(consumer._client, TopicMetadata(list(self._topic_ids)))
        if answer is None:
            raise LogUnavailable("No broker answers.")
        return {
            name: (code, topic_id(high, low), len(partitions))
            for code, name, high, low, _, partitions, _, _ in answer.topics
        }

    def compare(self, found: Mapping[str, tuple[int, str, int]]) -> None:
        """Raises ActionNeeded when a topic is not what it was."""
        for topic, (code, id_now, partitions) in found.items():
            if code == UNKNOWN_TOPIC:
                self._missing[topic] = self._missing.get(topic, 0) + 1
                if self._missing[topic] >= CERTAIN:
                    raise ActionNeeded(
                        f"Topic {topic} was deleted while the worker ran: end every "
                        "worker and restore it from a copy of the cluster."
                    )
                continue
            self._missing.pop(topic, None)
            if code != 0:
                continue
            if id_now != self._topic_ids[topic]:
                raise recreated(topic)
            if partitions != self._partitions:
                raise repartitioned(topic, self._partitions, partitions)


def recreated(topic: str) -> ActionNeeded:
    return ActionNeeded(
        f"Topic {topic} was deleted and made again, so that the tables speak of records that are no more: end every "
        "worker, then restore the topic from a copy of the cluster, or go on with what it holds now: `rosterbook "
        "tables rebuild`.",
        topic=topic,
    )


def repartitioned(topic: str, before: int, now: int) -> ActionNeeded:
    return ActionNeeded(
        f"Topic {topic} had {before} partitions and has {now} now, which separates companies from their tables: end "
        f"every worker and restore the topic, with {before} partitions, from a copy of the cluster.",
        topic=topic,
    )
