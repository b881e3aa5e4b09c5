"""Faust's recovery of the tables, which here is over only when all of it is done. Read for Faust 0.15.3.

It reads the changelogs by itself, in bulk: Faust's way, a record at a time through its streams, takes ten times longer.
As shipped it takes a step whose answer comes too late for done, waits for ever for a last record that a changelog no
longer holds (compaction takes tombstones away, and the marker of a transaction is no record), and says that a recovery
is complete which a rebalance has broken off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import faust
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from faust.types import TP
from mode.utils.times import want_seconds

from stream.errors import LogUnavailable

SEEK_S = 10.0
"""What is left for the step after the reading."""


class Changelogs(Protocol):
    """A look at the log."""

    async def last_records(self, ends: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        """(topic, partition) -> offset of the last record before its end, less than its beginning where none is."""
        ...

    async def read(
        self,
        starts: Mapping[tuple[str, int], int],
        ends: Mapping[tuple[str, int], int],
        take: Callable[[Sequence[Any]], None],
    ) -> None:
        """Hand out what lies from the starts on and before the ends, in order, in parts."""
        ...


@dataclass(frozen=True)
class Read:
    """A record of a changelog in the form in which Faust hands it to a store."""

    message: Any


class CompleteRecovery(Recovery):
    """Stands in for Faust's own in `app.tables`."""

    def __init__(self, app: faust.App, reader: Changelogs) -> None:
        self._reader = reader
        self._limit = asyncio.timeout(None)
        super().__init__(app, app.tables, beacon=app.tables.beacon, loop=app.tables.loop)

    async def _wait(self, coro: Any, timeout: Any = None) -> None:
        """Raises LogUnavailable after `timeout` seconds. Faust would go on, and recover nothing."""
        limit = want_seconds(timeout) if timeout is not None else None
        try:
            async with asyncio.timeout(limit) as self._limit:
                await super()._wait(coro)
        except TimeoutError as error:
            raise LogUnavailable(
                f"Kafka did not answer within {limit:g} s while tables were recovered: check that it runs."
            ) from error

    async def _build_offsets(self, consumer: Any, tps: set[TP], destination: Any, title: str) -> None:
        """Called when the ends are known: put each end behind the last record that there really is."""
        await super()._build_offsets(consumer, tps, destination, title)
        if title != "active":
            return
        ends = self.active_highwaters
        unread = {(tp.topic, tp.partition): ends[tp] + 1 for tp in tps if destination[tp] < ends[tp]}
        for place, offset in (await self._reader.last_records(unread) if unread else {}).items():
            ends[TP(*place)] = max(offset, destination[TP(*place)])

    async def _seek_offsets(self, consumer: Any, tps: set[TP], offsets: Any, title: str) -> None:
        """Called when it is known what is missing: read it, so that Faust finds nothing left to be read."""
        if title == "active":
            await self._read(tps, offsets)
        await super()._seek_offsets(consumer, tps, offsets, title)

    async def _read(self, tps: set[TP], offsets: Any) -> None:
        ends = {tp: end for tp in tps if (end := self.active_highwaters[tp]) > offsets[tp]}
        if not ends:
            return
        until = self._limit.when()
        self._limit.reschedule(None)  # the reader has one of its own, for each answer
        starts = {(tp.topic, tp.partition): offsets[tp] + 1 for tp in ends}
        await self._reader.read(starts, {(tp.topic, tp.partition): end + 1 for tp, end in ends.items()}, self._take)
        self._limit.reschedule(None if until is None else max(until, asyncio.get_running_loop().time() + SEEK_S))
        for tp, end in ends.items():
            offsets[tp] = end

    def _take(self, records: Sequence[Any]) -> None:
        """records: of one partition."""
        table: Any = self.tp_to_table[TP(records[0].topic, records[0].partition)]
        table.apply_changelog_batch([Read(one) for one in records])

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Faust also comes here when another rebalance, or the end, has broken the recovery off."""
        if self.should_stop:
            raise ServiceStopped
        if self.signal_recovery_start.is_set() or self.app.consumer_generation_id != generation_id:
            raise RebalanceAgain
        await super().on_recovery_completed(generation_id)
