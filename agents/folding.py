"""What must be right about Faust, once: decode, fold, append and await, write and await, ack last and in order.

`steps` gives an agent one record after the other of a partition. All agents of a partition fold one at a time, from the
first read to the last write. What comes of a fold goes through `Step.commit`: outputs are in the log before rows are
written, rows are in their changelogs before the record is acked, and a fold that touches several rows is written as one
intent first, which the partition's next owner carries out before it folds anything.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import faust
import orjson
from faust.types import TP, StreamT

from agents.echo import Echo
from agents.tables import Rows
from stream.clock import Clock
from stream.codec import decode
from stream.core.rows import Row
from stream.errors import Fatal, RecordRefused, UndecodableRecord
from stream.kafka.event_log import EventLog
from stream.kafka.reader import Extent, LogReader
from stream.records import AnyRecord, ConnectionId, ContactUpsert, DeadLetter, LogPosition, Model
from stream.telemetry import DEAD_LETTERED, FOLDED, log
from stream.topics import APP, CONTACT_UPSERTS, DEAD_LETTERS, EMPLOYEES, HR_EVENTS, OUTCOMES, TOPIC_OF, TOPICS, Topic

logger = log("folding")

INPUTS = (HR_EVENTS, EMPLOYEES, CONTACT_UPSERTS, OUTCOMES)
INTENT = "\x00intent"
"""Key of a partition's intent row in the roster table; no connection id begins with it."""
LOOK_AGAIN_S = 0.02
TAIL = 50
"""Newest records of an output topic that are searched for the greatest cause."""
ROOM_BYTES = 64 * 1024
"""Of a dead letter, for all but its payload."""

R = TypeVar("R", bound=Row)


class Intent(Model):
    """The whole result of a fold: the input it follows from, outputs (topic, JSON) and rows (table, key, JSON)."""

    position: LogPosition
    appends: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, str, str], ...]


class Partition:
    """What one partition of all topics has come to on this worker, from its assignment to its revocation."""

    def __init__(self, number: int, generation: int) -> None:
        """generation: of the consumer group, in which it was assigned."""
        self.number = number
        self.generation = generation
        self.folding = asyncio.Lock()
        self.closed = False
        self.caught_up = asyncio.Event()
        self.next: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        self.appended: dict[tuple[str, str], int] = {}

    def folded(self, topic: str, offset: int) -> None:
        self.next[topic] = max(self.next[topic], offset + 1)
        self.look()

    def look(self) -> None:
        """Open the gate when all that was in the topics at assignment is folded."""
        if all(self.next[topic] >= end for topic, end in self.ends.items()):
            self.caught_up.set()


class Step:
    """One record, and what may be done about it."""

    def __init__(self, folding: Folding, partition: Partition, record: AnyRecord, position: LogPosition) -> None:
        self.record = record
        self.position = position
        self._folding = folding
        self._partition = partition

    def get(self, table: Rows[R], key: str) -> R | None:
        """A row of this partition. The key is within the record's connection."""
        return table.get(self._partition.number, f"{self.record.connection}/{key}")

    def reader(self, table: Rows[R], empty: Callable[[], R]) -> Callable[[str], R]:
        """`get` as a function, with an empty row where there is none: for folds that choose what to read."""
        return lambda key: self.get(table, key) or empty()

    async def write(self, table: Rows[R], rows: Mapping[Any, R]) -> None:
        """Write rows that do not depend on each other: each is a fold of its own. Equal rows are written too."""
        encoded = {f"{self.record.connection}/{key}": table.encode(row) for key, row in rows.items()}
        await self._folding.write(self._partition, table, encoded)

    async def commit(self, appends: Sequence[AnyRecord], rows: Iterable[tuple[Rows[Any], Mapping[Any, Row]]]) -> None:
        """Append what follows, then write the rows; as one intent first, since they belong together."""
        intent = Intent(
            position=self.position,
            appends=tuple((TOPIC_OF[type(r)].name, r.model_dump_json(by_alias=True)) for r in appends),
            rows=tuple(
                (table.name, f"{self.record.connection}/{key}", table.encode(row).decode())
                for table, entries in rows
                for key, row in entries.items()
            ),
        )
        if len(intent.rows) > 1:
            await self._folding.keep(self._partition, intent)
        await self._folding.carry_out(self._partition, intent)


class Folding:
    """The partitions of this worker. One an application."""

    def __init__(
        self, app: faust.App, log: EventLog, bootstrap: str, clock: Clock, failed: Callable[[BaseException], None]
    ) -> None:
        """failed: told of what a worker must not survive outside its agents."""
        self._app = app
        self._log = log
        self._reader = LogReader(bootstrap)
        self._echo = Echo(bootstrap, self._heard)
        self._failed = failed
        self._clock = clock
        self._tables: dict[str, Rows[Any]] = {}
        self._partitions: dict[int, Partition] = {}
        self._assigned = asyncio.Event()
        self.row_written: Callable[[int, str, str], None] = lambda partition, table, key: None
        """Told of each row that was written: partition, table, key."""

    def table(self, name: str, model: type[R]) -> Rows[R]:
        rows = self._tables[name] = Rows(self._app, self._log, name, model)
        return rows

    # -- partitions come and go ---------------------------------------------------------------------------------------

    async def open(self, numbers: Iterable[int]) -> list[Partition]:
        """These partitions are ours and their tables recovered: learn where they stand, then let the agents fold."""
        opened = [Partition(number, self._app.consumer_generation_id) for number in numbers]
        extents = await self._reader.extents(APP, [(t.name, p.number) for t in TOPICS for p in opened])
        tails = await self._reader.newest(
            {(t.name, p.number): extents[t.name, p.number] for t in (CONTACT_UPSERTS, DEAD_LETTERS) for p in opened},
            TAIL,
        )
        positions = {(t.changelog, p.number): t.opened(p.number) for t in self._tables.values() for p in opened}
        for partition in opened:
            self._learn(partition, extents, tails)
            await self._finish(partition)
            partition.look()
        await self._seek(opened)
        for partition in opened:
            self._partitions[partition.number] = partition
        self._assigned.set()
        self._assigned = asyncio.Event()
        await self._echo.listen(positions, self._failed)
        return opened

    async def _seek(self, opened: Iterable[Partition]) -> None:
        """Read on from where each partition stands.

        Faust sees to that only where something has been committed, and only after it has let the records flow: what it
        fetches in between is dropped. So whatever was handed out before this comes again.
        """
        while self._app.rebalancing:  # the flow is resumed when that ends
            await asyncio.sleep(LOOK_AGAIN_S)
        await self._app.consumer.seek_wait(
            {TP(topic, partition.number): offset for partition in opened for topic, offset in partition.next.items()}
        )

    async def _finish(self, partition: Partition) -> None:
        """Carry out what a former owner may have left half done, before anybody folds into the rows it speaks of.

        Rows that hold the intent's input already may hold later ones of other topics too: they are written as they are.
        """
        if (kept := self._tables["roster"].raw(partition.number, INTENT)) is None:
            return
        intent = Intent.model_validate_json(kept)
        position = intent.position
        same_life = position.topic_id == self._log.topic_id(position.topic)
        if not same_life or position.offset < partition.next[position.topic]:
            return
        logger.info("folding.intent_found", **position.model_dump())
        rows = []
        for table, key, row in intent.rows:
            present = self._tables[table].raw(partition.number, key)
            done = present is not None and orjson.loads(present)["folded"].get(position.topic, -1) >= position.offset
            rows.append((table, key, present.decode() if present is not None and done else row))
        await self.carry_out(partition, intent.model_copy(update={"rows": tuple(rows)}))
        partition.folded(position.topic, position.offset)

    async def _heard(self, changelog: str, number: int, offset: int, key: bytes) -> None:
        """A row landed in one of our changelogs. If it is not ours, ours is written again, behind it."""
        table = next(t for t in self._tables.values() if t.changelog == changelog)
        partition = self._partitions.get(number)
        if partition is None or table.is_own(number, offset):
            return
        async with partition.folding:  # what is being written now is known to be ours when the fold is over
            if partition.closed or table.is_own(number, offset):
                return
            logger.warning("folding.foreign_row", changelog=changelog, partition=number, offset=offset)
            await table.write_again(number, key.decode())

    def _learn(
        self,
        partition: Partition,
        extents: Mapping[tuple[str, int], Extent],
        tails: Mapping[tuple[str, int], list[bytes]],
    ) -> None:
        number = partition.number
        partition.next = {topic.name: extents[topic.name, number].next_read for topic in INPUTS}
        partition.ends = {topic.name: extents[topic.name, number].end for topic in INPUTS}
        for topic in (CONTACT_UPSERTS, DEAD_LETTERS):
            for value in tails[topic.name, number]:
                try:
                    record = decode(topic, value)
                except RecordRefused:
                    continue
                cause = record.cause if isinstance(record, ContactUpsert) else getattr(record, "origin", None)
                if cause is not None and cause.topic_id == self._log.topic_id(cause.topic):
                    key = (topic.name, cause.topic)
                    partition.appended[key] = max(partition.appended.get(key, -1), cause.offset)

    async def close(self, numbers: Iterable[int]) -> None:
        """These partitions go: wait for the folds under way and begin no other."""
        await self._echo.stop()
        for number in numbers:
            if (partition := self._partitions.pop(number, None)) is not None:
                async with partition.folding:
                    partition.closed = True

    @asynccontextmanager
    async def _hold(self, number: int) -> AsyncIterator[Partition]:
        """The partition while nobody else folds in it, once it is ours. It may have gone and come while we waited."""
        while True:
            while (partition := self._partitions.get(number)) is None:
                await self._assigned.wait()
            await partition.folding.acquire()
            if not partition.closed:
                break
            partition.folding.release()
        try:
            yield partition
        finally:
            partition.folding.release()

    # -- folding ------------------------------------------------------------------------------------------------------

    async def steps(self, stream: StreamT[bytes], topic: Topic) -> AsyncIterator[Step]:
        """The records of one topic, decoded, in order; each is acked when the loop asks for the next.

        What cannot be decoded is kept as a dead letter. What was folded before is passed over.
        """
        async for event in stream.noack().events():  # type: ignore[attr-defined]  # missing in Faust's own type
            message = event.message
            async with self._hold(message.partition) as partition:
                position = LogPosition(
                    topic=topic.name,
                    topic_id=self._log.topic_id(topic.name),
                    partition=message.partition,
                    offset=message.offset,
                )
                if message.generation_id != partition.generation:
                    continue  # fetched before the partition went and came again: it comes again too, in its turn
                if message.offset > partition.next[topic.name]:
                    if partition.caught_up.is_set():
                        raise Fatal("Records are missing in between: the worker starts again from what is committed.")
                    continue  # handed out before we said where to read on
                step = await self._step(partition, topic, position, message.key, message.value)
                if step is not None:
                    yield step
                partition.folded(topic.name, message.offset)
            await stream.ack(event)
            FOLDED.labels(topic.name).inc()

    async def _step(
        self, partition: Partition, topic: Topic, position: LogPosition, key: bytes | None, value: bytes | None
    ) -> Step | None:
        if position.offset < partition.next[topic.name]:
            return None
        try:
            record = decode(topic, value)
        except UndecodableRecord as error:
            await self._set_aside(partition, position, key, value, error)
            return None
        return Step(self, partition, record, position)

    async def _set_aside(
        self,
        partition: Partition,
        position: LogPosition,
        key: bytes | None,
        value: bytes | None,
        error: UndecodableRecord,
    ) -> None:
        logger.error("folding.record_set_aside", reason=error.message, **position.model_dump())
        DEAD_LETTERED.labels(position.topic).inc()
        if position.offset < partition.appended.get((DEAD_LETTERS.name, position.topic), -1):
            return
        payload = base64.b64encode(value or b"").decode()
        fits = len(payload) <= DEAD_LETTERS.max_record_bytes - ROOM_BYTES
        letter = DeadLetter(
            connection=ConnectionId((key or b"").decode(errors="replace")),
            stage=position.topic,
            error=type(error).__name__,
            message=error.message if fits else f"{error.message} It is too large to be copied: read it at its origin.",
            origin=position,
            payload=payload if fits else "",
            at=self._clock.now(),
        )
        await self._log.append(letter, partition=partition.number)

    async def keep(self, partition: Partition, intent: Intent) -> None:
        """Make the intent durable: from here on it is carried out, by us or by the next owner."""
        await self._tables["roster"].write(partition.number, {INTENT: orjson.dumps(intent.model_dump(mode="json"))})

    async def carry_out(self, partition: Partition, intent: Intent) -> None:
        """Append the outputs, unless the log has those of later inputs, and write the rows. Safe to repeat.

        A row alone waits until its outputs are in the log: a redelivery must not find it without them. Several rows
        have been kept as an intent, which repeats whatever is missing, so that nothing needs to wait for anything.
        """
        cause = intent.position
        records = [
            decode(next(t for t in TOPICS if t.name == topic), record.encode())
            for topic, record in intent.appends
            if cause.offset >= partition.appended.get((topic, cause.topic), -1)
        ]
        append = self._log.append_all(records)
        if len(intent.rows) == 1:
            await append
        by_table: dict[str, dict[str, bytes]] = {}
        for table, key, row in intent.rows:
            by_table.setdefault(table, {})[key] = row.encode()
        writes = [self.write(partition, self._tables[table], values) for table, values in by_table.items()]
        await asyncio.gather(*writes if len(intent.rows) == 1 else (append, *writes))

    async def write(self, partition: Partition, table: Rows[Any], values: Mapping[str, bytes]) -> None:
        await table.write(partition.number, values)
        for key in values:
            self.row_written(partition.number, table.name, key)
