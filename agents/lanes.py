"""The lanes of this worker: two for each connection whose partition is ours and has caught up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import aiohttp

from agents.health import Serving
from agents.partition import Partition
from agents.tables import Rows
from stream.bamboohr.client import BambooHr
from stream.bamboohr.hosts import base_url
from stream.bamboohr.lane import ReadPeople
from stream.clock import Clock
from stream.codec import fingerprint
from stream.core.rows import Company, ContactState, Person
from stream.errors import RosterbookError
from stream.fence import Fence
from stream.kafka.event_log import EventLog
from stream.kafka.view import CompactedView
from stream.lane import Lane
from stream.quota import Quota, QuotaLedger
from stream.records import AnyRecord, Connection, ConnectionId, LogPosition, Tokens
from stream.settings import Settings
from stream.telemetry import log
from stream.topics import HR_EVENTS
from stream.vault.vault import Vault
from stream.zoho.client import ZohoBooks
from stream.zoho.lane import KeepContacts
from stream.zoho.oauth import AccessTokens, NewToken
from stream.zoho.regions import accounts_url, api_url

logger = log("lanes")

BAMBOOHR = Quota(per_minute=6000, in_flight=4, burst=20)
"""BambooHR publishes no numbers: what it answers (429, Retry-After) is what holds. Four at once keep us polite."""
SCAN_PAUSE = 500
"""Rows that are looked at before the loop gets a turn."""


@dataclass
class _Served:
    """A connection of an open partition. lanes: empty while it is paused or cannot be opened; reason: why."""

    partition: Partition
    record: Connection
    people: Lane | None = None
    contacts: Lane | None = None
    reason: str | None = None

    @property
    def lanes(self) -> list[Lane]:
        return [lane for lane in (self.people, self.contacts) if lane is not None]


@dataclass
class Lanes:
    """Opens lanes when a partition has caught up, closes them before it is given away, and follows the settings."""

    settings: Settings
    log: EventLog
    people: Rows[Person]
    contacts: Rows[ContactState]
    companies: Rows[Company]
    connections: CompactedView
    tokens: CompactedView
    vault: Vault
    http: aiohttp.ClientSession
    fence: Fence
    clock: Clock
    crashed: Callable[[BaseException], None]
    _open: dict[int, Partition] = field(default_factory=dict)
    _served: dict[ConnectionId, _Served] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)
    _ledgers: dict[tuple[ConnectionId, str], QuotaLedger] = field(default_factory=dict)
    _left: dict[int, int] = field(default_factory=dict)
    """Partition -> the generation in which it was ours last."""

    async def open(self, partition: Partition) -> None:
        """Wait until the partition has caught up and the views are whole, then open its lanes."""
        await partition.caught_up.wait()
        await self.connections.read_to_end()
        await self.tokens.read_to_end()
        async with self._one:
            if partition.closed:
                return
            self._open[partition.number] = partition
            self._forget_calls(partition)
            for record in list(self.connections.records.values()):
                if isinstance(record, Connection) and self.log.partition_of(record.connection) == partition.number:
                    await self._serve(partition, record)

    async def close(self, numbers: Iterable[int]) -> None:
        """Close the lanes of these partitions: what is in flight gets its grace, the rest is cut off."""
        going = set(numbers)
        for number in going:
            self._open.pop(number, None)
        async with self._one:  # a change of settings under way opens lanes too
            served = [one for one in self._served.values() if one.partition.number in going]
            await asyncio.gather(*(lane.close() for one in served for lane in one.lanes))
            for one in served:
                self._served.pop(one.record.connection, None)

    def _forget_calls(self, partition: Partition) -> None:
        """Calls are counted on only if the partition was ours in the generation before: else others made some since."""
        if self._left.get(partition.number) != partition.generation - 1:
            gone = [key for key in self._ledgers if self.log.partition_of(key[0]) == partition.number]
            for key in gone:
                del self._ledgers[key]
        self._left[partition.number] = partition.generation

    def connection_changed(self, key: str, record: AnyRecord | None) -> None:
        """The settings of a connection were written, or are gone."""
        connection = ConnectionId(key.partition("|")[0])
        partition = self._open.get(self.log.partition_of(connection))
        if partition is not None and (record is None or isinstance(record, Connection)):
            task = asyncio.create_task(self._change(partition, connection, record))
            self._tasks.add(task)
            task.add_done_callback(self._changed)

    def _changed(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.crashed(error)

    async def _change(self, partition: Partition, connection: ConnectionId, record: Connection | None) -> None:
        async with self._one:
            if self._open.get(partition.number) is not partition:
                return
            if (before := self._served.pop(connection, None)) is not None:
                await asyncio.gather(*(lane.close() for lane in before.lanes))
            if record is not None:
                await self._serve(partition, record)

    def row_written(self, partition: int, table: str, key: str) -> None:
        """A fold wrote this row."""
        connection, _, rest = key.partition("/")
        served = self._served.get(ConnectionId(connection))
        if served is None:
            return
        if table == self.people.name and served.people is not None:
            served.people.notice(rest)
        elif table == self.contacts.name and served.contacts is not None:
            served.contacts.notice(rest)

    def serving(self, connection: ConnectionId) -> Serving:
        """Whether this worker does the connection's work, and why not, or how it stands."""
        served = self._served.get(connection)
        if served is None:
            return Serving(False, "this worker does not have the connection's partition, or has not caught up yet")
        saved_at = served.record.saved_at
        if served.reason is not None:
            return Serving(False, served.reason, saved_at)
        waits = [f"{lane.api}: {lane.suspended}" for lane in served.lanes if lane.suspended is not None]
        return Serving(True, "; ".join(waits) or served.record.mode, saved_at)

    @property
    def debts(self) -> int:
        return sum(lane.debts for served in self._served.values() for lane in served.lanes)

    def at_work(self) -> Iterator[tuple[str, int]]:
        """Each lane that has something to do and nothing to wait for: its name, and how far it has come."""
        for served in self._served.values():
            for lane in served.lanes:
                if lane.at_work:
                    yield f"The lane of {lane.connection} to {lane.api}", lane.moves

    async def _serve(self, partition: Partition, record: Connection) -> None:
        served = self._served[record.connection] = _Served(partition, record)
        if record.mode == "paused":
            return
        try:
            self._attach_people(served)
            self._attach_contacts(served)
        except RosterbookError as error:
            served.reason, served.people, served.contacts = error.message, None, None
            context = {**error.context, "connection": record.connection}
            logger.error("lanes.not_opened", reason=error.message, **context)
            return
        await self._scan(served)
        for lane in served.lanes:
            lane.open()

    async def _scan(self, served: _Served) -> None:
        """Tell the lanes of every row before they pay any: debts, and which contact is bound to which key."""
        prefix = f"{served.record.connection}/"
        for table, lane in ((self.people, served.people), (self.contacts, served.contacts)):
            assert lane is not None
            for count, key in enumerate(table.keys(served.partition.number, prefix), 1):
                lane.notice(key.removeprefix(prefix))
                if count % SCAN_PAUSE == 0:
                    await asyncio.sleep(0)

    def _lane(self, served: _Served, api: Literal["bamboohr", "zoho"], quota: Quota) -> Lane:
        connection = served.record.connection
        company = self.companies.get(served.partition.number, f"{connection}/company")
        return Lane(
            connection,
            api,
            ledger=self._ledger(connection, api, quota),
            fence=self.fence,
            clock=self.clock,
            append=self.log.append,
            crashed=self.crashed,
            suspended=None if company is None else company.suspended.get(api),
        )

    def _ledger(self, connection: ConnectionId, api: str, quota: Quota) -> QuotaLedger:
        """The calls of a connection count on when its settings change, or its partition comes back at once."""
        ledger = self._ledgers.get((connection, api))
        if ledger is None or ledger.quota != quota:
            ledger = self._ledgers[connection, api] = QuotaLedger(quota, self.clock)
        return ledger

    def _attach_people(self, served: _Served) -> None:
        record, number = served.record, served.partition.number
        connection = record.connection
        api_key = self.vault.open(record.bamboohr.api_key, connection=connection, purpose="bamboohr.api_key")
        lane = self._lane(served, "bamboohr", BAMBOOHR)
        client = BambooHr(
            self.http,
            base_url(self.settings, record.bamboohr.subdomain),
            api_key,
            admit=lane.admit,
            deadline=self.settings.call_deadline,
            clock=self.clock,
        )
        topic_id = self.log.topic_id(HR_EVENTS.name)
        lane.attach(
            ReadPeople(
                connection,
                client,
                mapping_version=fingerprint(record.mapping),
                person_of=lambda employee: self.people.get(number, f"{connection}/{employee}"),
                event_at=lambda offset: LogPosition(
                    topic=HR_EVENTS.name, topic_id=topic_id, partition=number, offset=offset
                ),
                append=self.log.append,
                guard=lane.guard,
                clock=self.clock,
            )
        )
        served.people = lane

    def _attach_contacts(self, served: _Served) -> None:
        record, number = served.record, served.partition.number
        connection, zoho = record.connection, record.zoho
        lane = self._lane(served, "zoho", Quota(per_minute=zoho.calls_per_minute, in_flight=zoho.calls_in_flight))
        client = ZohoBooks(
            self.http,
            api_url(self.settings, zoho.region),
            zoho.organization_id,
            self._access_tokens(record, lane),
            admit=lane.admit,
            deadline=self.settings.call_deadline,
            clock=self.clock,
        )
        lane.attach(
            KeepContacts(
                connection,
                client,
                preview=record.mode == "preview",
                state_of=lambda key: self.contacts.get(number, f"{connection}/{key}"),
                append=self.log.append,
                guard=lane.guard,
                clock=self.clock,
                settle_time=self.settings.settle_time,
            )
        )
        served.contacts = lane

    def _access_tokens(self, record: Connection, lane: Lane) -> AccessTokens:
        connection, zoho = record.connection, record.zoho

        async def save(token: NewToken) -> None:
            sealed = self.vault.seal(token.access_token, connection=connection, purpose="zoho.access_token")
            await self.log.append(
                Tokens(
                    connection=connection,
                    api="zoho",
                    access_token=sealed,
                    expires_at=token.expires_at,
                    requested_at=token.requested_at,
                )
            )

        return AccessTokens(
            self.http,
            accounts_url(self.settings, zoho.region),
            client_id=self.vault.open(zoho.client_id, connection=connection, purpose="zoho.client_id"),
            client_secret=self.vault.open(zoho.client_secret, connection=connection, purpose="zoho.client_secret"),
            refresh_token=self.vault.open(zoho.refresh_token, connection=connection, purpose="zoho.refresh_token"),
            held=self._held_token(connection),
            save=save,
            admit=lane.admit_token,
            deadline=self.settings.call_deadline,
            clock=self.clock,
        )

    def _held_token(self, connection: ConnectionId) -> NewToken | None:
        """The token that the last owner of the connection saved."""
        saved = self.tokens.records.get(f"{connection}|zoho")
        if not isinstance(saved, Tokens):
            return None
        token = self.vault.open(saved.access_token, connection=connection, purpose="zoho.access_token")
        return NewToken(token, saved.expires_at, saved.requested_at)
