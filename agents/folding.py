"""What must be right about Faust, once: decode, fold, append and await, write and await, ack last and in order.

`steps` gives an agent one record after the other of a partition. All agents of a partition fold one at a time, from the
first read to the last write. What comes of a fold goes through `Step`: outputs are in the log before rows are written,
rows are in their changelogs before the record is acked, and a fold that touches several rows is written as one intent
first (`agents/results.py`), which the partition's next owner carries out before it folds anything.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from faust.types import StreamT

from agents.ownership import Group, Listener, Ownership, Reader
from agents.partition import Partition
from agents.results import Log, Results
from agents.tables import Rows, Store
from stream.clock import Clock
from stream.codec import decode
from stream.core.rows import Row
from stream.errors import Fatal, NewerRecord, UndecodableRecord
from stream.records import AnyRecord, ConnectionId, DeadLetter, LogPosition
from stream.telemetry import DEAD_LETTERED, FOLDED, log
from stream.topics import DEAD_LETTERS, Topic

logger = log("folding")

ROOM_BYTES = 64 * 1024
"""Of a dead letter, for all but its payload."""

R = TypeVar("R", bound=Row)


class Step:
    """One record, and what may be done about it."""

    def __init__(self, results: Results, partition: Partition, record: AnyRecord, position: LogPosition) -> None:
        self.record = record
        self.position = position
        self._results = results
        self._partition = partition

    def get(self, table: Rows[R], key: str) -> R | None:
        """A row of this partition. The key is within the record's connection."""
        return table.get(self._partition.number, f"{self.record.connection}/{key}")

    def reader(self, table: Rows[R], empty: Callable[[], R]) -> Callable[[str], R]:
        """`get` as a function, with an empty row where there is none: for folds that choose what to read."""
        return lambda key: self.get(table, key) or empty()

    def is_of_this_life(self, cause: LogPosition) -> bool:
        """Whether it is a position in the present life of an input: one of another life is not comparable with any."""
        return self._results.lives.get(cause.topic) == cause.topic_id

    async def write(self, table: Rows[R], rows: Mapping[Any, R]) -> None:
        """Write rows that do not depend on each other: each is a fold of its own. Equal rows are written too."""
        await self._results.write(self._partition, table, self._encoded(table, rows))

    async def commit(self, appends: Sequence[AnyRecord], rows: Iterable[tuple[Rows[Any], Mapping[Any, Row]]]) -> None:
        """Append what follows, then write the rows; as one intent first, since they belong together."""
        encoded = {table.name: self._encoded(table, entries) for table, entries in rows}
        await self._results.commit(self._partition, self.position, appends, encoded)

    def _encoded(self, table: Rows[Any], rows: Mapping[Any, Row]) -> dict[str, bytes]:
        return {f"{self.record.connection}/{key}": table.encode(row) for key, row in rows.items()}


class Folding:
    """The tables and partitions of this worker. One a worker."""

    def __init__(
        self,
        log: Log,
        group: Group,
        reader: Reader,
        echo: Listener,
        clock: Clock,
        failed: Callable[[BaseException], None],
    ) -> None:
        """failed: told of what a worker must not survive outside its agents."""
        self._log = log
        self._clock = clock
        self.results = Results(log, reader.headers)
        self.owned = Ownership(self.results, group, reader, echo, failed)

    def table(self, name: str, model: type[R], store: Store) -> Rows[R]:
        return self.results.table(name, model, store)

    async def open(self, numbers: Iterable[int]) -> list[Partition]:
        """These partitions are ours and their tables recovered: let the agents fold."""
        return await self.owned.open(numbers)

    async def close(self, numbers: Iterable[int]) -> None:
        """These partitions go: wait for the folds under way and begin no other."""
        await self.owned.close(numbers)

    async def steps(self, stream: StreamT[bytes], topic: Topic) -> AsyncIterator[Step]:
        """The records of one topic, decoded, in order; each is acked when the loop asks for the next.

        What cannot be decoded is kept as a dead letter. What was folded before is passed over. At a record of a newer
        version of the product the partition stops.
        """
        folded = FOLDED.labels(topic.name)
        async for event in stream.noack().events():  # type: ignore[attr-defined]  # missing in Faust's own type
            message = event.message
            async with self.owned.hold(message.partition) as partition:
                position = LogPosition(
                    topic=topic.name,
                    topic_id=self._log.topic_id(topic.name),
                    partition=message.partition,
                    offset=message.offset,
                )
                if message.generation_id != partition.generation:
                    continue  # fetched before the partition went and came again: it comes again too, in its turn
                if partition.stopped is not None:
                    continue  # not acked: the next owner begins with the record at which we stopped
                if message.offset > partition.next[topic.name]:
                    if partition.caught_up.is_set():
                        raise Fatal("Records are missing in between: the worker starts again from what is committed.")
                    continue  # handed out before we said where to read on
                try:
                    step = await self._step(partition, topic, position, message.key, message.value)
                except NewerRecord:
                    self.owned.stop(partition, f"record {position.offset} of {topic.name}")
                    continue
                if step is not None:
                    yield step
                partition.folded(topic.name, message.offset)
            await stream.ack(event)
            folded.inc()

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
        return Step(self.results, partition, record, position)

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
        if partition.is_said(DEAD_LETTERS.name, position.topic, position.offset):
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
