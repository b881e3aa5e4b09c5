"""What comes of a fold, made durable: outputs before rows, and a fold that touches several rows as one intent first.

The intent is a row of its own, in which the partition's next owner finds what was left half done; it carries that out
before anybody folds into the rows that it speaks of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import orjson

from agents.partition import Partition
from agents.tables import Changelog, Look, Rows, Store
from stream.codec import canonical, decode
from stream.core.rows import Row
from stream.records import AnyRecord, LogPosition
from stream.telemetry import log
from stream.topics import INPUTS, TOPIC_OF, TOPICS

logger = log("folding")

WITH_INTENTS = "roster"
"""The table that has a row for each partition's intent."""
INTENT = "\x00intent"
"""Key of that row; no connection id begins with it."""

R = TypeVar("R", bound=Row)
Encoded = Mapping[str, Mapping[str, bytes]]
"""Table -> key -> row."""


class Log(Changelog, Protocol):
    """Where outputs go."""

    def topic_id(self, topic: str) -> str: ...

    async def append(self, record: AnyRecord, *, partition: int | None = None) -> LogPosition: ...

    async def append_all(self, records: Sequence[AnyRecord]) -> list[LogPosition]: ...


class Intent(Row):
    """The whole result of a fold: the input it follows from, outputs (topic, JSON) and rows (table, key, JSON)."""

    position: LogPosition
    appends: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, str, str], ...]


class Results:
    """The tables of this worker, and the one way to write to them."""

    def __init__(self, log: Log, look: Look) -> None:
        """look: at what a changelog holds."""
        self._log = log
        self._look = look
        self.lives = {topic.name: log.topic_id(topic.name) for topic in INPUTS}
        """Input -> the id of its present life."""
        self.tables: dict[str, Rows[Any]] = {}
        self.row_written: Callable[[int, str, str], None] = lambda partition, table, key: None
        """Told of each row that was written: partition, table, key."""

    def table(self, name: str, model: type[R], store: Store) -> Rows[R]:
        rows = self.tables[name] = Rows(self._log, self._look, name, model, store)
        return rows

    @property
    def in_order_of_claims(self) -> list[Rows[Any]]:
        """The table with the intents last (`agents/claims.py`)."""
        return sorted(self.tables.values(), key=lambda table: table.name == WITH_INTENTS)

    async def write(self, partition: Partition, table: Rows[Any], values: Mapping[str, bytes]) -> None:
        await table.write(partition.number, values)
        for key in values:
            self.row_written(partition.number, table.name, key)

    async def commit(
        self,
        partition: Partition,
        cause: LogPosition,
        appends: Sequence[AnyRecord],
        rows: Encoded,
    ) -> None:
        """Make durable what follows from `cause`."""
        if _are_several(rows):
            await self._keep(partition, cause, appends, rows)
        await self._carry_out(partition, cause, appends, rows)

    async def finish(self, partition: Partition) -> None:
        """Carry out what a former owner may have left half done.

        Rows that hold the intent's input already may hold later ones of other topics too: they are written as they are.
        """
        if (kept := self.tables[WITH_INTENTS].raw(partition.number, INTENT)) is None:
            return
        intent = Intent.model_validate_json(kept)
        cause = intent.position
        if self.lives.get(cause.topic) != cause.topic_id or cause.offset < partition.next[cause.topic]:
            return
        logger.info("folding.intent_found", **cause.model_dump())
        rows: dict[str, dict[str, bytes]] = {}
        for table, key, row in intent.rows:
            present = self.tables[table].raw(partition.number, key)
            done = present is not None and orjson.loads(present)["folded"].get(cause.topic, -1) >= cause.offset
            rows.setdefault(table, {})[key] = present if present is not None and done else row.encode()
        appends = [decode(next(t for t in TOPICS if t.name == topic), text.encode()) for topic, text in intent.appends]
        await self._carry_out(partition, cause, appends, rows)
        partition.folded(cause.topic, cause.offset)

    async def _keep(
        self,
        partition: Partition,
        cause: LogPosition,
        appends: Sequence[AnyRecord],
        rows: Encoded,
    ) -> None:
        """Make the intent durable: from here on it is carried out, by us or by the next owner."""
        intent = Intent(
            folded={cause.topic: cause.offset},
            position=cause,
            appends=tuple((TOPIC_OF[type(record)].name, canonical(record).decode()) for record in appends),
            rows=tuple((table, key, row.decode()) for table, values in rows.items() for key, row in values.items()),
        )
        await self.tables[WITH_INTENTS].write(partition.number, {INTENT: orjson.dumps(intent.model_dump(mode="json"))})

    async def _carry_out(
        self,
        partition: Partition,
        cause: LogPosition,
        appends: Sequence[AnyRecord],
        rows: Encoded,
    ) -> None:
        """Append the outputs, unless the log has those of later inputs, and write the rows. Safe to repeat.

        A row alone waits until its outputs are in the log: a redelivery must not find it without them. Several rows
        have been kept as an intent, which repeats whatever is missing, so that nothing needs to wait for anything.
        """
        unsaid = [r for r in appends if not partition.is_said(TOPIC_OF[type(r)].name, cause.topic, cause.offset)]
        written = [(self.tables[table], values) for table, values in rows.items() if values]
        if _are_several(rows):
            writes = (self.write(partition, table, values) for table, values in written)
            await asyncio.gather(self._log.append_all(unsaid), *writes)
        else:
            await self._log.append_all(unsaid)
            for table, values in written:
                await self.write(partition, table, values)


def _are_several(rows: Encoded) -> bool:
    return sum(len(values) for values in rows.values()) > 1
