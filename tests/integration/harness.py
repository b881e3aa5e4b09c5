"""A broker with empty topics, workers that can be ended at any step, and a look at what they wrote.

A `Desk` is a real worker in this process. Where the log holds no connection only its agents work: a test appends inputs
and looks at rows, topics and committed offsets. `crash` ends it as a crash would, as far as Kafka can tell: nothing is
acked after it, and another desk on the same or on an empty folder takes over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

import agents.app
from agents.app import Worker
from agents.folding import Folding
from agents.lanes import Lanes
from stream.codec import decode
from stream.kafka.admin import admin, apply
from stream.kafka.event_log import EventLog
from stream.kafka.reader import LogReader
from stream.kafka.rebuild import _nobody_at_work
from stream.records import AnyRecord
from stream.settings import Settings
from stream.topics import APP, CHANGELOGS, INPUTS, TABLES, TOPICS, Topic
from stream.vault.keyfile import load_vault
from tests.e2e.waiting import until
from tests.kafka_broker import running

PARTITIONS = 2
NAMES = [*(topic.name for topic in TOPICS), *CHANGELOGS]


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of a broker apart from `kafka`, since topics and group have fixed names here."""
    yield from running(tmp_path_factory.mktemp("broker"))


@pytest.fixture
async def bootstrap(broker: str) -> str:
    """The broker with all topics new and empty; the group has committed nothing."""
    await recreate(broker, NAMES)
    return broker


async def recreate(bootstrap: str, names: list[str]) -> None:
    """Delete topics, with what the group has committed of them, and make those that the table says."""
    async with admin(bootstrap) as client:
        there = set(await client.list_topics())
        await client.delete_topics([name for name in names if name in there])

        async def gone() -> bool:
            return not set(names) & set(await client.list_topics())

        await until("the topics are gone", gone, 30)
        await apply(client, PARTITIONS, 1, 1)


class Crash(BaseException):
    """What a worker in this process ends with when a test wants it to."""


def _raise(error: BaseException, _: Path) -> NoReturn:
    """In place of the end of the process."""
    raise error


class Desk:
    """One worker. rows, offsets and topics are those of all partitions."""

    def __init__(self, bootstrap: str, data: Path, **settings: Any) -> None:
        self.settings = Settings(data=data, kafka=bootstrap, metrics_port=0, partitions=PARTITIONS, **settings)
        self.error: BaseException | None = None
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.worker = Worker(self.settings, lambda: bootstrap, load_vault(self.settings, create=True))

    @property
    def folding(self) -> Folding:
        assert self.worker._parts is not None
        return self.worker._parts.folding

    @property
    def lanes(self) -> Lanes | None:
        """None while the worker is not connected."""
        return None if self.worker._parts is None else self.worker._parts.lanes

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(agents.app, "end_at_once", _raise)
            try:
                await self.worker.run(self._stop)
            except BaseException as error:
                self.error = error

    async def ready(self) -> None:
        """All that was in the inputs at the start is folded."""

        def open_now() -> bool:
            assert self._task is not None
            assert not self._task.done(), f"the worker ended: {self.error!r}"
            return self.worker._not_ready is None

        await until("the worker is ready", open_now, 40)

    async def folded(self) -> None:
        """All that is in the inputs now is folded, with what follows from it."""
        await self.ready()
        before = -1
        while (ends := await end_offsets(self.settings.kafka or "")) and sum(ends.values()) != before:
            before = sum(ends.values())

            def reached(wanted: dict[tuple[str, int], int] = ends) -> bool:
                assert self._task is not None
                assert not self._task.done(), f"the worker ended: {self.error!r}"
                found = self.folding.owned.partitions
                return all(n in found and found[n].next[topic] >= end for (topic, n), end in wanted.items())

            await until("everything is folded", reached, 30)

    async def all_committed(self) -> bool:
        """All that is in the inputs now is acked and committed."""
        wanted = [(topic.name, number) for topic in INPUTS for number in range(PARTITIONS)]
        found = await LogReader(self.settings.kafka or "").extents(APP, wanted)
        return all(extent.next_read == extent.end for extent in found.values())

    async def ended(self) -> BaseException | None:
        """Wait until the worker ends by itself; with what."""
        assert self._task is not None
        async with asyncio.timeout(30):
            await self._task
        await self._clear()
        return self.error

    async def stop(self) -> None:
        """End it in order."""
        self._stop.set()
        await self._wait()

    async def crash(self) -> None:
        """End it where it stands: what it has not acked stays so."""
        self.worker._fail(Crash())
        await self._wait()

    async def _wait(self) -> None:
        if self._task is not None:
            async with asyncio.timeout(30):
                await self._task
            await self._clear()

    async def _clear(self) -> None:
        """What the end of a process does: Faust's tasks stop and the local stores are closed."""
        if self.worker._parts is None:
            return
        await self.folding.owned._echo.stop()
        app = self.folding.owned._group.app
        for task in app.topics._futures:
            task.cancel()
        app.topics._futures.clear()  # told of streams that end, it may ask a consumer that has ended, and wait for ever
        for agent in app.agents.values():
            for actor in agent._actors:
                if actor.actor_task is not None:
                    actor.actor_task.cancel()
        app._crashed.clear()
        await app.stop()
        for rows in self.folding.results.tables.values():
            for db in rows._store.faust._dbs.values():
                db.close()
            rows._store.faust._dbs.clear()

    def rows(self, table: str) -> dict[str, dict[str, Any]]:
        """Key -> row without `folded`: what the table means."""
        rows = self.folding.results.tables[table]
        found = {}
        for number in sorted(self.folding.owned.partitions):
            for key in rows.keys(number, ""):
                if "/" in key and not key.startswith("\x00"):
                    value = orjson.loads(rows.raw(number, key) or b"null")
                    found[key] = {name: part for name, part in value.items() if name != "folded"}
        return found

    def meaning(self) -> dict[str, dict[str, dict[str, Any]]]:
        return {table: self.rows(table) for table in TABLES}


@asynccontextmanager
async def desk(bootstrap: str, data: Path, **settings: Any) -> AsyncIterator[Desk]:
    """A worker that has folded all there is."""
    one = Desk(bootstrap, data, **settings)
    await one.start()
    try:
        await one.folded()
        yield one
    finally:
        await one.stop()


@asynccontextmanager
async def event_log(bootstrap: str) -> AsyncIterator[EventLog]:
    log = EventLog(bootstrap)
    await log.start()
    try:
        yield log
    finally:
        await log.stop()


async def end_offsets(bootstrap: str, topics: tuple[Topic, ...] = INPUTS) -> dict[tuple[str, int], int]:
    wanted = [(topic.name, number) for topic in topics for number in range(PARTITIONS)]
    return {key: extent.end for key, extent in (await LogReader(bootstrap).extents(APP, wanted)).items()}


async def committed(bootstrap: str, topic: Topic, partition: int) -> int | None:
    """The group's committed offset."""
    extents = await LogReader(bootstrap).extents(APP, [(topic.name, partition)])
    return extents[topic.name, partition].committed


async def commit(bootstrap: str, offset: int, *topics: Topic) -> None:
    """Set the group's committed offsets of all inputs, or of some, once nobody is in the group: who was killed
    is in it until the session has timed out.
    """
    async with admin(bootstrap) as client:
        await _nobody_at_work(client, 30)
    partitions = [TopicPartition(topic.name, number) for topic in topics or INPUTS for number in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=APP, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(partitions)
        await consumer.commit({tp: OffsetAndMetadata(offset, "") for tp in partitions})
    finally:
        await consumer.stop()


async def values(bootstrap: str, topic: str) -> list[tuple[int, int, bytes | None, bytes | None]]:
    """(partition, offset, key, value) of all records of a topic, in the order of its partitions."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=2**23)
    await consumer.start()
    found = []
    try:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        async with asyncio.timeout(30):
            while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                for messages in (await consumer.getmany(timeout_ms=200)).values():
                    found += [(m.partition, m.offset, m.key, m.value) for m in messages]
    finally:
        await consumer.stop()
    return sorted(found)


async def records(bootstrap: str, topic: Topic) -> list[AnyRecord]:
    """What a topic holds, decoded."""
    return [decode(topic, value) for _, _, _, value in await values(bootstrap, topic.name)]
