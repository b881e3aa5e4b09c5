"""A consumer that belongs to no group: it is told what to read and from where, commits nothing, and takes the largest
record. Whoever looks at the log from outside of the worker's group reads with one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from stream.errors import LogUnavailable
from stream.kafka.cancellation import only_our_cancellation
from stream.topics import MAX_RECORD_BYTES

CONNECTED_S = 15.0


@asynccontextmanager
async def ungrouped(bootstrap: str, **how: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """Connected for as long as the block lasts. how: more of aiokafka's settings.

    Raises LogUnavailable when Kafka does not answer, or when a call in the block is cut off by aiokafka itself.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=MAX_RECORD_BYTES,
        **how,
    )
    with only_our_cancellation():
        try:
            try:
                async with asyncio.timeout(CONNECTED_S):
                    await consumer.start()
            except (KafkaError, TimeoutError) as error:
                raise LogUnavailable(f"Kafka does not answer at {bootstrap}: check that it runs.") from error
            yield consumer
        finally:
            await consumer.stop()
