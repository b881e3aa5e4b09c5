"""The lanes of this worker: two for each connection whose partition is ours and has caught up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from agents.connection_rows import unhurried
from agents.health import CallsToday, Serving
from agents.lane_making import LaneMaker, Made
from agents.partition import Partition
from agents.upkeep import Upkeep
from stream.codec import fingerprint
from stream.core.folds import is_outdated
from stream.core.forecast import Forecast, forecast
from stream.errors import RosterbookError
from stream.kafka.view import CompactedView
from stream.lane import Lane
from stream.records import (
    AnyRecord,
    Connection,
    ConnectionId,
    ContactKey,
    EmployeeId,
    RemovedConnection,
    WebhookRegistration,
)
from stream.rereading import reread
from stream.telemetry import log
from stream.vault.places import is_same_but_sealed_anew

logger = log("lanes")


@dataclass
class _Served:
    """A connection of an open partition. made: None when it cannot be served; reason: why."""

    partition: Partition
    record: Connection
    made: Made | None = None
    reason: str | None = None

    @property
    def lanes(self) -> list[Lane]:
        """Those that pay: none while the connection is paused."""
        return [] if self.made is None or self.record.mode == "paused" else [self.made.people, self.made.contacts]

    def goes_on_with(self, record: Connection | None) -> bool:
        """Whether the settings were only sealed anew: what was made of them has the secrets already."""
        if self.made is None or record is None or not is_same_but_sealed_anew(self.record, record):
            return False
        self.record = record
        return True

    @property
    def upkeep(self) -> Upkeep | None:
        return None if self.made is None else self.made.upkeep

    async def close(self) -> None:
        if self.made is not None:
            await self.made.close()


@dataclass
class Lanes:
    """Opens lanes when a partition has caught up, closes them before it is given away, and follows the settings."""

    maker: LaneMaker
    connections: CompactedView
    _open: dict[int, Partition] = field(default_factory=dict)
    _served: dict[ConnectionId, _Served] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def open(self, partition: Partition) -> None:
        """Wait until the partition has caught up and the views are whole, then open its lanes."""
        await partition.caught_up.wait()
        await self.connections.read_to_end()
        await self.maker.tokens.read_to_end()
        async with self._one:
            if partition.closed or partition.stopped is not None:
                return
            self._open[partition.number] = partition
            self.maker.taken(partition)
            for record in list(self.connections.records.values()):
                if isinstance(record, Connection) and self._number_of(record.connection) == partition.number:
                    await self._serve(partition, record)

    async def close(self, numbers: Iterable[int]) -> None:
        """Close the lanes of these partitions: what is in flight gets its grace, the rest is cut off."""
        going = set(numbers)
        for number in going:
            self._open.pop(number, None)
        async with self._one:  # a change of settings under way opens lanes too
            served = [one for one in self._served.values() if one.partition.number in going]
            await asyncio.gather(*(one.close() for one in served))
            for one in served:
                self._served.pop(one.record.connection, None)

    def stop(self, number: int) -> None:
        """Close the lanes of this partition, in a task: nothing is folded in it any more."""
        self._keep(self.close([number]))

    def connection_changed(self, key: str, record: AnyRecord | None) -> None:
        """The settings of a connection were written, or are gone; or its webhook's registration was written."""
        name, _, part = key.partition("|")
        connection = ConnectionId(name)
        partition = self._open.get(self._number_of(connection))
        if isinstance(record, WebhookRegistration):
            if (served := self._served.get(connection)) is not None and served.upkeep is not None:
                served.upkeep.heard(record)
        elif partition is not None and part == "settings":
            if record is None or isinstance(record, RemovedConnection):
                self._keep(self._change(partition, connection, None))
            elif isinstance(record, Connection):
                self._keep(self._change(partition, connection, record))

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.maker.crashed(error)

    async def _change(self, partition: Partition, connection: ConnectionId, record: Connection | None) -> None:
        async with self._one:
            if self._open.get(partition.number) is not partition:
                return
            if (before := self._served.get(connection)) is not None:
                if before.goes_on_with(record):
                    return
                del self._served[connection]
                await before.close()
            if record is not None:
                await self._serve(partition, record, before)

    def row_written(self, partition: int, table: str, key: str) -> None:
        """A fold wrote this row."""
        connection, _, rest = key.partition("/")
        served = self._served.get(ConnectionId(connection))
        if served is None or served.made is None:
            return
        if table == self.maker.people.name:
            served.made.people.notice(rest)
            served.made.reconciler.person_changed(EmployeeId(rest))
        elif table == self.maker.contacts.name:
            served.made.contacts.notice(rest)
            served.made.reconciler.contact_changed(ContactKey(rest))
        elif table == self.maker.companies.name:
            served.made.operations.notice()

    def serving(self, connection: ConnectionId) -> Serving:
        """Whether this worker does the connection's work, and why not, or how it stands."""
        served = self._served.get(connection)
        if served is None:
            return Serving(False, "this worker does not have the connection's partition, or has not caught up yet")
        saved_at = served.record.saved_at
        if served.reason is not None:
            return Serving(False, served.reason, saved_at)
        reasons = [(lane.api, lane.suspended or lane.ledger.closed) for lane in served.lanes]
        waits = [f"{api}: {reason}" for api, reason in reasons if reason is not None]
        if served.upkeep is not None and served.upkeep.reason is not None:
            waits.append(f"webhook: {served.upkeep.reason}")
        if served.made is not None and served.made.reconciler.reason is not None:
            waits.append(f"reconcile: {served.made.reconciler.reason}")
        held = 0 if served.made is None else served.made.leavers.waiting
        said = "; ".join(waits) or served.record.mode
        return Serving(True, said, saved_at, _calls(served), _forecast(served), held)

    @property
    def debts(self) -> int:
        return sum(lane.debts for served in self._served.values() for lane in served.lanes)

    def at_work(self) -> Iterator[tuple[str, int]]:
        """Each lane that has something to do and nothing to wait for: its name, and how far it has come."""
        for served in self._served.values():
            for lane in served.lanes:
                if lane.at_work:
                    yield f"The lane of {lane.connection} to {lane.api}", lane.moves

    def _number_of(self, connection: ConnectionId) -> int:
        return self.maker.log.partition_of(connection)

    async def _serve(self, partition: Partition, record: Connection, before: _Served | None = None) -> None:
        served = self._served[record.connection] = _Served(partition, record)
        try:
            made = self.maker.make(record, partition.number, self._registration(record.connection, before))
        except RosterbookError as error:
            served.reason = error.message
            context = {**error.context, "connection": record.connection}
            logger.error("lanes.not_opened", reason=error.message, **context)
            return
        served.made = made
        outdated = await self._scan(served, made, before)
        if outdated:
            await reread(record.connection, outdated, "sweep", self.maker.log.append, self.maker.clock.now())
            logger.info("lanes.people_read_anew", connection=record.connection, people=len(outdated))
        for lane in served.lanes:
            lane.open()
        made.operations.open()
        if made.upkeep is not None:
            made.upkeep.open()
        made.reconciler.open()
        made.nightly.open()
        if made.dates is not None:
            made.dates.open()

    def _registration(self, connection: ConnectionId, before: _Served | None) -> WebhookRegistration | None:
        """before: as it was served a moment ago, whose last word the view may not have yet."""
        if before is not None and before.upkeep is not None:
            return before.upkeep.kept
        kept = self.connections.records.get(f"{connection}|webhook")
        return kept if isinstance(kept, WebhookRegistration) else None

    async def _scan(self, served: _Served, made: Made, before: _Served | None) -> list[EmployeeId]:
        """Tell the lanes of every row before they pay any: debts, and which contact is bound to which key.

        Returns who was read under another mapping, and is to be read anew.
        """
        record = served.record
        rows = self.maker.rows_of(record.connection, served.partition.number)
        version = fingerprint(record.mapping)
        changed = before is not None and before.record.mapping != record.mapping
        outdated = []
        async for employee, person in rows.people():
            if person.debt.owed:  # of the others a new lane has nothing to forget
                made.people.notice(employee)
            if is_outdated(person, version, changed=changed):
                outdated.append(employee)
        async for key in unhurried(rows.keys()):
            made.contacts.notice(key)
        return outdated


def _calls(served: _Served) -> CallsToday | None:
    if served.made is None:
        return None
    ledger = served.made.contacts.ledger
    return CallsToday(ledger.day.calls, ledger.per_day, ledger.left_today, ledger.day.ends)


def _forecast(served: _Served) -> Forecast | None:
    """A person who is still to be read counts as one whose contact changes."""
    if served.made is None or not served.lanes:
        return None
    backfill = sum(lane.backfill for lane in served.lanes)
    live = sum(lane.debts for lane in served.lanes) - backfill
    return forecast(live, backfill, served.made.contacts.ledger.limits)
