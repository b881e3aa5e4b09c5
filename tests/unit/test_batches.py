"""Group commit: who travels together, in which order, and what each waiter is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaError, ProducerClosed
from aiokafka.producer.message_accumulator import BatchBuilder

from stream.kafka.batches import PartitionWriter

SOON = 5.0
BATCH_BYTES = 1000


@dataclass
class Producer:
    """Takes batches as aiokafka does; each is confirmed when the test says so."""

    confirmations: list[asyncio.Future[Any]] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(BATCH_BYTES, 0)

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> asyncio.Future[Any]:
        self.counts.append(batch.record_count())
        self.confirmations.append(asyncio.get_running_loop().create_future())
        return self.confirmations[-1]

    async def sent(self, batches: int) -> asyncio.Future[Any]:
        """The confirmation of the last of so many batches."""
        async with asyncio.timeout(SOON):
            while len(self.confirmations) < batches:
                await asyncio.sleep(0)
        return self.confirmations[-1]

    async def confirm(self, batches: int, offset: int) -> None:
        (await self.sent(batches)).set_result(SimpleNamespace(offset=offset))


@pytest.fixture
def producer() -> Producer:
    return Producer()


@pytest.fixture
async def writer(producer: Producer) -> PartitionWriter:
    return PartitionWriter(producer, "topic", 0)


def add(writer: PartitionWriter, count: int, size: int = 1, deadline: float = SOON) -> list[asyncio.Future[int]]:
    return [writer.add(b"key", b"x" * size, deadline) for _ in range(count)]


async def test_what_is_added_while_a_batch_is_on_the_way_travels_as_the_next(
    producer: Producer, writer: PartitionWriter
) -> None:
    first = add(writer, 2)
    await producer.sent(1)
    second = add(writer, 3)
    await producer.confirm(1, 10)
    assert await asyncio.gather(*first) == [10, 11]
    await producer.confirm(2, 20)
    assert await asyncio.gather(*second) == [20, 21, 22]
    assert producer.counts == [2, 3]


async def test_what_does_not_fit_follows_in_order_and_one_larger_than_a_batch_goes_alone(
    producer: Producer, writer: PartitionWriter
) -> None:
    added = [*add(writer, 3, size=400), *add(writer, 1, size=5 * BATCH_BYTES)]
    for at, offset in enumerate((0, 2, 3), 1):
        await producer.confirm(at, offset)
    assert await asyncio.gather(*added) == [0, 1, 2, 3]
    assert producer.counts == [2, 1, 1]


async def test_waiter_that_is_cancelled_disturbs_nobody(producer: Producer, writer: PartitionWriter) -> None:
    gone, stays = add(writer, 2)
    await producer.sent(1)
    gone.cancel()
    unsent, next_one = add(writer, 2)
    unsent.cancel()
    await producer.confirm(1, 7)
    assert await stays == 8
    await producer.confirm(2, 9)
    assert await next_one == 9
    assert producer.counts == [2, 1]


async def test_each_has_its_own_deadline_and_is_not_sent_after_it(producer: Producer, writer: PartitionWriter) -> None:
    (on_the_way,) = add(writer, 1)
    await producer.sent(1)
    (late,) = add(writer, 1, deadline=0.01)
    (patient,) = add(writer, 1)
    with pytest.raises(TimeoutError):
        await late
    assert not on_the_way.done()
    await producer.confirm(1, 0)
    await producer.confirm(2, 1)
    assert await asyncio.gather(on_the_way, patient) == [0, 1]
    assert producer.counts == [1, 1]


async def test_deadline_holds_for_what_was_sent_and_later_ones_too(producer: Producer, writer: PartitionWriter) -> None:
    for deadline in (0.01, 0.02):
        (sent,) = add(writer, 1, deadline=deadline)
        with pytest.raises(TimeoutError):
            await sent
    assert producer.counts == [1]
    writer.close()


async def test_failure_reaches_every_waiter_of_the_batch_and_only_those(
    producer: Producer, writer: PartitionWriter
) -> None:
    failed = add(writer, 2)
    confirmation = await producer.sent(1)
    (good,) = add(writer, 1)
    confirmation.set_exception(KafkaError("refused"))
    errors = await asyncio.gather(*failed, return_exceptions=True)
    assert [str(error) for error in errors] == ["KafkaError: refused"] * 2
    assert errors[0] is not errors[1]
    await producer.confirm(2, 5)
    assert await good == 5


async def test_batch_without_a_known_place_is_not_confirmed(producer: Producer, writer: PartitionWriter) -> None:
    (lost,) = add(writer, 1)
    await producer.confirm(1, -1)
    with pytest.raises(KafkaError):
        await lost


async def test_close_fails_all_at_once(producer: Producer, writer: PartitionWriter) -> None:
    sent = add(writer, 1)
    await producer.sent(1)
    waiting = add(writer, 1)
    writer.close()
    errors = await asyncio.gather(*sent, *waiting, return_exceptions=True)
    assert [type(error) for error in errors] == [ProducerClosed] * 2
    assert writer.sending is None
