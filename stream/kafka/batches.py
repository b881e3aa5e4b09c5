"""Group commit: what is appended to a partition while a batch of it is on the way travels together as the next batch.

aiokafka sends one batch of a partition at a time anyway; handing it whole batches costs half the processor time of
handing it records one by one, and each record still gets its own deadline and its own true offset.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed
from aiokafka.producer.message_accumulator import BatchBuilder

from stream.kafka.cancellation import only_our_cancellation
from stream.telemetry import APPENDS


@dataclass(slots=True)
class _Entry:
    """A record on its way. due: on the loop's clock. offset: done early when its waiter has gone or its time is up."""

    key: bytes
    value: bytes | None
    due: float
    offset: asyncio.Future[int]
    headers: Sequence[tuple[str, bytes]]


class PartitionWriter:
    """Writes to one partition, in the order of the calls of `add`, one batch after the other.

    newest: the offset of the last record that was confirmed; -1 when none was.
    """

    def __init__(self, producer: AIOKafkaProducer, topic: str, partition: int, newest: int = -1) -> None:
        self._producer = producer
        self.topic = topic
        self.partition = partition
        self.newest = newest
        self._confirmed = APPENDS.labels(topic)
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Entry] = deque()
        self._sent: list[_Entry] = []
        self._alarm: asyncio.TimerHandle | None = None
        self.sending: asyncio.Task[None] | None = None

    def add(
        self, key: bytes, value: bytes | None, deadline: float, headers: Sequence[tuple[str, bytes]] = ()
    ) -> asyncio.Future[int]:
        """The offset, once the brokers have it. value: None = tombstone. deadline: seconds.

        The future raises KafkaError when it is refused, TimeoutError when it is not confirmed in time; then, or when
        the future is cancelled, it is not sent any more unless it already was.
        """
        entry = _Entry(key, value, self._loop.time() + deadline, self._loop.create_future(), headers)
        self._waiting.append(entry)
        if self.sending is None:
            self.sending = self._loop.create_task(self._send(), name=f"write to {self.topic}-{self.partition}")
        if self._alarm is None or entry.due < self._alarm.when():
            self._wake_at(entry.due)
        return entry.offset

    def close(self) -> None:
        """Give up: every future that is not done fails. What was sent may still reach the log."""
        if self._alarm is not None:
            self._alarm.cancel()
        if self.sending is not None:
            self.sending.cancel()
        _fail(self._waiting, ProducerClosed())
        self._waiting.clear()

    async def _send(self) -> None:
        try:
            while self._waiting:
                await self._send_batch()
        finally:
            self.sending = None

    async def _send_batch(self) -> None:
        self._sent = sent = []
        try:
            batch = self._producer.create_batch()
            while self._waiting:
                entry = self._waiting.popleft()
                if entry.offset.done():
                    continue
                added = batch.append(key=entry.key, value=entry.value, timestamp=None, headers=list(entry.headers))
                if added is None:  # full; never at the first
                    self._waiting.appendleft(entry)
                    break
                sent.append(entry)
            if not sent:
                return
            batch.close()
            first = await self._first_offset(batch)
        except asyncio.CancelledError:
            _fail(sent, ProducerClosed())
            raise
        except Exception as error:  # whatever it is, it is the waiters' to judge
            _fail(sent, error)
        else:
            self.newest = first + len(sent) - 1
            self._confirmed.inc(len(sent))
            for offset, entry in enumerate(sent, first):
                if not entry.offset.done():
                    entry.offset.set_result(offset)

    async def _first_offset(self, batch: BatchBuilder) -> int:
        with only_our_cancellation():
            confirmed = await (await self._producer.send_batch(batch, self.topic, partition=self.partition))
        offset: int = confirmed.offset
        if offset < 0:
            raise KafkaError("The brokers have the batch and do not know any more where.")
        return offset

    def _wake_at(self, due: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop.call_at(due, self._time_is_up)

    def _time_is_up(self) -> None:
        """Fail what is due; one timer a partition serves all, since nearly always everything is confirmed by then."""
        now = self._loop.time()
        self._alarm = None
        _fail((entry for entry in (*self._sent, *self._waiting) if entry.due <= now), TimeoutError())
        self._waiting = deque(entry for entry in self._waiting if not entry.offset.done())
        if rest := [entry.due for entry in (*self._sent, *self._waiting) if not entry.offset.done()]:
            self._wake_at(min(rest))


def _fail(entries: Iterable[_Entry], error: Exception) -> None:
    for entry in entries:
        if not entry.offset.done():
            entry.offset.set_exception(copy.copy(error))  # each waiter adds its own traceback
