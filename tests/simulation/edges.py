"""A worker's edges to Kafka: what `EventLog`, `LogReader`, `CompactedView`, `Echo` and Faust's store are otherwise.

Every call to the outside is a step of the worker: just before it is sent, and just after it was answered, the worker
may be frozen or killed. What was sent arrives whatever becomes of the sender.
"""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_left, insort
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from agents.recovery import Entry, Headers, Recovered, Recovery, claim_in
from stream.codec import canonical, decode
from stream.errors import LogUnavailable
from stream.kafka.reader import Extent
from stream.records import AnyRecord, ConnectionId, LogPosition
from stream.topics import TOPIC_OF, Topic, partition_of
from tests.simulation.broker import Broker, Place
from tests.simulation.loop import Process, SimulatedTime

DEADLINE_S = 5.0
ECHO_S = 0.5


class Life(Process):
    """One life of a worker. `plan`: what happens to it when so many more steps are done: "kill" or seconds frozen."""

    def __init__(self, loop: SimulatedTime, name: str, chance: random.Random) -> None:
        super().__init__(loop, name)
        self.loop = loop
        self.chance = chance
        self.plan: tuple[int, float | None] | None = None
        self.held_for: float | None = None
        """Seconds for which it will be frozen just before it writes its next change to a vendor."""
        self.over = False
        self.killed: Callable[[], None] = lambda: None

    async def step(self) -> None:
        """A moment at which the process may be ended or held up."""
        if self.over:
            raise asyncio.CancelledError
        if self.plan is None:
            return
        left, frozen_for = self.plan
        if left > 0:
            self.plan = (left - 1, frozen_for)
            return
        self.plan = None
        if frozen_for is None:
            self.kill()
            self.loop.outside(0, self.killed)
        else:
            self.freeze()
            self.loop.outside(frozen_for, self.wake)
        await asyncio.sleep(0)
        if self.over:
            raise asyncio.CancelledError

    async def before_change(self) -> None:
        """The step at which the next bytes change something at a vendor."""
        if self.held_for is not None:
            self.plan, self.held_for = (0, self.held_for), None
        await self.step()

    def travel(self) -> float:
        """Seconds that a message is under way."""
        return 0.0005 + 0.004 * self.chance.random() ** 3

    async def round_trip(self) -> None:
        """Ask the world something that changes nothing."""
        await self.step()
        answer = self.loop.create_future()
        self.loop.outside(2 * self.travel(), _answer, answer, None)
        await answer


def _answer(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


class MemoryLog:
    """In place of `EventLog`."""

    def __init__(self, life: Life, broker: Broker) -> None:
        self._life = life
        self._broker = broker
        self._last: dict[Place, float] = {}
        self.partitions = broker.partitions
        self.faults: list[tuple[int, str]] = []
        """Writes until one goes wrong, and how: "lost" (never arrives), "unconfirmed" (it does), "slow"."""
        self.said: Callable[[AnyRecord], None] = lambda record: None

    def topic_id(self, topic: str) -> str:
        return self._broker.topic_ids[topic]

    def partition_of(self, connection: ConnectionId) -> int:
        return partition_of(connection, self.partitions)

    async def append(
        self, record: AnyRecord, *, deadline: float | None = None, partition: int | None = None
    ) -> LogPosition:
        self.said(record)
        topic = TOPIC_OF[type(record)]
        number = self.partition_of(record.connection) if partition is None else partition
        (offset,) = await self._send((topic.name, number), [(topic.key_of(record), canonical(record))])
        return self._position(topic, number, offset)

    async def append_all(self, records: Sequence[AnyRecord]) -> list[LogPosition]:
        by_place: dict[tuple[Topic, int], list[Entry]] = {}
        for record in records:
            topic = TOPIC_OF[type(record)]
            entries = by_place.setdefault((topic, self.partition_of(record.connection)), [])
            entries.append((topic.key_of(record), canonical(record)))
        return [
            self._position(topic, number, offset)
            for (topic, number), entries in by_place.items()
            for offset in await self._send((topic.name, number), entries)
        ]

    async def put(self, topic: str, partition: int, entries: Sequence[Entry], headers: Headers) -> list[int]:
        return await self._send((topic, partition), entries, headers)

    def _position(self, topic: Topic, partition: int, offset: int) -> LogPosition:
        return LogPosition(topic=topic.name, topic_id=self.topic_id(topic.name), partition=partition, offset=offset)

    async def _send(self, place: Place, entries: Sequence[Entry], headers: Headers = ()) -> list[int]:
        life = self._life
        began = life.loop.time()
        await life.step()
        if life.loop.time() - began > DEADLINE_S and life.chance.random() < 0.5:
            raise LogUnavailable("Kafka did not confirm in time.")  # it woke, and its time was up before it was sent
        fault = self._fault_now()
        there = life.travel() + (4.0 * life.chance.random() if fault == "slow" else 0.0)
        answer: asyncio.Future[int] = life.loop.create_future()
        arrives = self._last[place] = max(life.loop.time() + there, self._last.get(place, 0.0))
        life.loop.outside(arrives - life.loop.time(), self._arrive, place, entries, headers, answer, fault)
        first = await answer
        await life.step()
        return list(range(first, first + len(entries)))

    def _fault_now(self) -> str | None:
        if not self.faults:
            return None
        writes, fault = self.faults.pop()
        if writes == 0:
            return fault
        self.faults.append((writes - 1, fault))
        return None

    def _arrive(
        self, place: Place, entries: Sequence[Entry], headers: Headers, answer: asyncio.Future[int], fault: str | None
    ) -> None:
        loop = self._life.loop
        if fault in ("lost", "unconfirmed"):
            if fault == "unconfirmed":
                self._broker.append(place, entries, headers)
            loop.outside(DEADLINE_S, _fail, answer, LogUnavailable("Kafka did not confirm in time."))
            return
        loop.outside(self._life.travel(), _answer, answer, self._broker.append(place, entries, headers))


class MemoryReader:
    """In place of `LogReader`."""

    def __init__(self, life: Life, broker: Broker) -> None:
        self._life = life
        self._broker = broker

    async def extents(self, _group: str, partitions: Iterable[Place]) -> dict[Place, Extent]:
        await self._life.round_trip()
        committed = dict(self._broker.committed)
        await self._life.round_trip()
        return {place: Extent(0, self._broker.end(place), committed.get(place)) for place in partitions}

    async def newest(self, partitions: dict[Place, Extent], count: int) -> dict[Place, list[bytes]]:
        await self._life.round_trip()
        return {
            place: [
                value
                for _, value in self._broker.logs[place][max(0, extent.end - count) : extent.end]
                if value is not None
            ]
            for place, extent in partitions.items()
        }

    async def headers(self, topic: str, partition: int, first: int, end: int) -> list[Headers]:
        await self._life.round_trip()
        found = self._broker.headers[topic, partition]
        return [found.get(offset, ()) for offset in range(first, min(end, self._broker.end((topic, partition))))]

    async def last_records(self, ends: Mapping[Place, int]) -> dict[Place, int]:
        await self._life.round_trip()
        return {place: end - 1 for place, end in ends.items()}


class MemoryView:
    """In place of `CompactedView`."""

    def __init__(self, life: Life, broker: Broker, topic: Topic) -> None:
        self._life = life
        self._broker = broker
        self._topic = topic
        self.records: dict[str, AnyRecord] = {}

    async def read_to_end(self) -> None:
        await self._life.round_trip()
        for partition in range(self._broker.partitions):
            for key, value in self._broker.logs[self._topic.name, partition]:
                assert value is not None
                self.records[key.decode()] = decode(self._topic, value)


class MemoryEcho:
    """In place of `Echo`."""

    def __init__(self, life: Life, broker: Broker) -> None:
        self._life = life
        self._broker = broker
        self._task: asyncio.Task[None] | None = None

    async def listen(
        self,
        positions: Mapping[Place, int],
        heard: Callable[[str, int, int, bytes], Awaitable[None]],
        failed: Callable[[BaseException], None],
    ) -> None:
        await self.stop()
        self._task = asyncio.create_task(self._follow(dict(positions), heard, failed))

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _follow(
        self,
        positions: dict[Place, int],
        heard: Callable[[str, int, int, bytes], Awaitable[None]],
        failed: Callable[[BaseException], None],
    ) -> None:
        try:
            while True:
                await asyncio.sleep(ECHO_S * (0.5 + self._life.chance.random()))
                await self._life.step()
                for place, position in positions.items():
                    found = self._broker.logs[place][position:]
                    for offset, (key, _) in enumerate(found, position):
                        await heard(*place, offset, key)
                        positions[place] = offset + 1
        except Exception as error:
            failed(error)


class Disk:
    """The local store of one table on one machine; it outlives the worker's lives unless it is deleted."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[bytes, bytes]] = {}
        self.keys: dict[int, list[bytes]] = {}
        self.offsets: dict[int, int] = {}

    def take(self, partition: int, entries: Iterable[Entry], offset: int | None) -> None:
        rows, keys = self.rows.setdefault(partition, {}), self.keys.setdefault(partition, [])
        for key, value in entries:
            if value is None:
                if rows.pop(key, None) is not None:
                    keys.remove(key)
                continue
            if key not in rows:
                insort(keys, key)
            rows[key] = value
        if offset is not None:
            self.offsets[partition] = offset


class MemoryStore:
    """In place of Faust's RocksDB. written: told of what becomes visible."""

    def __init__(self, disk: Disk, written: Callable[[int, Sequence[Entry]], None]) -> None:
        self._disk = disk
        self._written = written
        self._recoveries: dict[int, Recovery] = {}

    def get(self, partition: int, key: bytes) -> bytes | None:
        return self._disk.rows.get(partition, {}).get(key)

    def write(self, partition: int, entries: Iterable[Entry], offset: int | None) -> None:
        entries = list(entries)
        self._disk.take(partition, entries, offset)
        self._written(partition, entries)

    def recovered(self, partition: int) -> Recovered:
        recovery = self._recoveries.pop(partition, None)
        if recovery is not None:
            return recovery.result()
        return Recovered(self._disk.offsets.get(partition, -1) + 1, claim=claim_in(partial(self.get, partition)))

    def keys(self, partition: int, start: bytes) -> Iterator[bytes]:
        keys = self._disk.keys.get(partition, [])
        return iter(keys[bisect_left(keys, start) :])

    def rows(self, partition: int) -> dict[bytes, bytes]:
        return self._disk.rows.get(partition, {})

    def recover(self, partition: int, log: Sequence[Entry], headers: Mapping[int, Headers]) -> None:
        """Take from the changelog what is not in the store yet."""
        position = self._disk.offsets.get(partition, -1) + 1
        if position < len(log):
            recovery = self._recoveries[partition] = Recovery(partial(self.get, partition))
            records = [(at, entry, headers.get(at, ())) for at, entry in enumerate(log[position:], position)]
            taken, offset = recovery.sift(records)
            self._disk.take(partition, taken.items(), offset)
