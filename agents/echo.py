"""Listens to our own changelogs for rows that we did not write.

A worker that was frozen in the middle of a fold may wake after its partition has a new owner, and its row may land in
the changelog after the owner's newer one: the next recovery would then forget what the owner knew. So the owner reads
its changelogs, and where a row of somebody else lands it writes its own again, behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from stream.errors import LogUnavailable
from stream.kafka.cancellation import end
from stream.kafka.consumer import ungrouped
from stream.telemetry import log

logger = log("echo")

RETRY_S = 0.5
GATHER_BYTES = 64 * 1024
"""Half a second later is soon enough, and a fetch for each row would cost more than the fold did."""


class Echo:
    """Follows the changelogs of our partitions."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._task: asyncio.Task[None] | None = None

    async def listen(
        self,
        positions: Mapping[tuple[str, int], int],
        heard: Callable[[str, int, int, bytes], Awaitable[None]],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Follow these changelog partitions, each from the given offset, instead of those before.

        heard: told topic, partition, offset and key of each row.
        """
        await self.stop()
        if positions:
            following = {TopicPartition(*key): offset for key, offset in positions.items()}
            self._task = asyncio.create_task(self._follow(following, heard, failed), name="echo of the changelogs")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            await end(task)

    async def _follow(
        self,
        positions: dict[TopicPartition, int],
        heard: Callable[[str, int, int, bytes], Awaitable[None]],
        failed: Callable[[BaseException], None],
    ) -> None:
        while True:
            try:
                await self._consume(positions, heard)
            except (KafkaError, LogUnavailable) as error:
                logger.warning("echo.interrupted", error=type(error).__name__)
            except Exception as error:  # whatever it is: unheard rows could be lost, so the worker must not go on
                failed(error)
                return
            await asyncio.sleep(RETRY_S)

    async def _consume(
        self, positions: dict[TopicPartition, int], heard: Callable[[str, int, int, bytes], Awaitable[None]]
    ) -> None:
        gathering = {"fetch_min_bytes": GATHER_BYTES, "fetch_max_wait_ms": 500}
        async with ungrouped(self._bootstrap, **gathering) as consumer:
            consumer.assign(list(positions))
            for tp, offset in positions.items():
                consumer.seek(tp, offset)
            while True:
                for tp, messages in (await consumer.getmany(timeout_ms=1000)).items():
                    for message in messages:
                        await heard(tp.topic, tp.partition, message.offset, message.key)
                        positions[tp] = message.offset + 1
