"""Empties the tables, so that the next worker folds the log from its beginning: first what is committed, then rows.

The log itself is not touched. Broken off anywhere it has done no harm, since what is folded once more changes nothing,
and it may be begun again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.structs import OffsetAndMetadata

from stream.errors import Fatal, LogUnavailable
from stream.kafka.admin import admin, apply, describe
from stream.kafka.reader import COORDINATOR_MOVES, Extent, LogReader
from stream.topics import APP, CHANGELOGS, INPUTS

LOOK_AGAIN_S = 0.2
GONE_S = 30.0
AT_WORK = "A worker is at work: end every worker (`rosterbook up` too), then try again."

Place = tuple[str, int]
"""Topic and partition."""


class Rebuild:
    """records: how many will be folded, known once `look` is done."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._extents: dict[Place, Extent] = {}

    @property
    def records(self) -> int:
        return sum(extent.end - extent.beginning for extent in self._extents.values())

    async def look(self, patience: float) -> None:
        """See what there is. patience: seconds to wait for workers that are ending or were killed just now.

        Raises Fatal while a worker is at work, LogUnavailable when Kafka does not answer or has not our topics.
        """
        async with admin(self._bootstrap) as client:
            names = [topic.name for topic in INPUTS]
            found = await describe(client, names)
            if missing := [name for name in names if name not in found]:
                raise LogUnavailable(f"Topic {missing[0]} is missing: run `rosterbook topics apply`.")
            await _nobody_at_work(client, patience)
        places = [(name, number) for name, (_, count) in found.items() for number in range(count)]
        self._extents = await LogReader(self._bootstrap).extents(APP, places)

    async def do(self, replicas: int, min_insync: int) -> None:
        """Set the group back to the beginning of the log, then make the changelogs again. Raises as `look` does."""
        await self._read_from_the_beginning()
        partitions = len({number for _, number in self._extents})
        async with admin(self._bootstrap) as client:
            await _delete(client, list(CHANGELOGS))
            await apply(client, partitions, replicas, min_insync)

    async def _read_from_the_beginning(self) -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, group_id=APP, enable_auto_commit=False)
        try:
            await consumer.start()
            consumer.assign([TopicPartition(*place) for place in self._extents])
            await consumer.commit(
                {TopicPartition(*place): OffsetAndMetadata(e.beginning, "") for place, e in self._extents.items()}
            )
        except KafkaError as error:  # the coordinator takes no positions from outside while the group has members
            raise Fatal(AT_WORK) from error
        finally:
            await consumer.stop()


async def _nobody_at_work(client: AIOKafkaAdminClient, patience: float) -> None:
    try:
        async with asyncio.timeout(patience):
            while True:
                with suppress(*COORDINATOR_MOVES):
                    (answer,) = await client.describe_consumer_groups([APP])
                    ((code, _, _, _, _, members, *_),) = answer.groups
                    if code == 0 and not members:
                        return
                await asyncio.sleep(LOOK_AGAIN_S)
    except TimeoutError:
        raise Fatal(AT_WORK) from None


async def _delete(client: AIOKafkaAdminClient, names: Iterable[str]) -> None:
    there = set(await client.list_topics())
    going = [name for name in names if name in there]
    answer = await client.delete_topics(going)
    for name, code, *_ in answer.topic_error_codes if going else ():
        if code:
            raise Fatal(f"Kafka refuses to delete {name} ({for_code(code).__name__}): allow it, then try again.")
    async with asyncio.timeout(GONE_S):
        while set(going) & set(await client.list_topics()):
            await asyncio.sleep(LOOK_AGAIN_S)
