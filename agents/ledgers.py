"""The ledgers of the calls that a worker's connections make.

A company, or an organization, belongs to one connection for life (`stream/binding.py`): the connection's ledger is that
of all who call it.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

from agents.partition import Partition
from stream.clock import Clock
from stream.core.day import Day
from stream.kafka.view import CompactedView
from stream.quota import Quota, QuotaLedger
from stream.records import Api, CallsCounted, Connection, ConnectionId

BAMBOOHR = Quota(per_minute=6000, in_flight=4, burst=20)
"""BambooHR publishes no numbers: what it answers (429, Retry-After) is what holds. Four at once keep us polite."""


class Log(Protocol):
    """Where the calls of a day are put on record."""

    def partition_of(self, connection: ConnectionId) -> int: ...

    async def append(self, record: CallsCounted) -> object: ...


class Ledgers:
    """Calls count on when a connection's settings change, or its partition comes back at once."""

    def __init__(self, log: Log, tokens: CompactedView, clock: Clock) -> None:
        self._log = log
        self._tokens = tokens
        self._clock = clock
        self._ledgers: dict[tuple[ConnectionId, Api], QuotaLedger] = {}
        self._left: dict[int, int] = {}
        """Partition -> the generation in which it was ours last."""

    def taken(self, partition: Partition) -> None:
        """The partition came. Calls are counted on only if it was ours in the generation before: else others made some
        since.
        """
        if self._left.get(partition.number) != partition.generation - 1:
            gone = [key for key in self._ledgers if self._log.partition_of(key[0]) == partition.number]
            for key in gone:
                del self._ledgers[key]
        self._left[partition.number] = partition.generation

    def of_bamboohr(self, record: Connection) -> QuotaLedger:
        """Of its company; nothing is known of a limit a day."""
        before = self._ledgers.get((record.connection, "bamboohr"))
        if before is not None:
            return before
        return self._keep(record, "bamboohr", QuotaLedger(BAMBOOHR, self._clock))

    def of_zoho(self, record: Connection) -> QuotaLedger:
        """Of its organization."""
        zoho = record.zoho
        quota = Quota(per_minute=zoho.calls_per_minute, in_flight=zoho.calls_in_flight, per_day=zoho.calls_per_day)
        before = self._ledgers.get((record.connection, "zoho"))
        if before is not None and before.quota == quota:
            return before
        day = self._day_of(record) if before is None else before.day
        return self._keep(
            record, "zoho", QuotaLedger(quota, self._clock, day=day, keep=partial(self._keep_day, record))
        )

    def _keep(self, record: Connection, api: Api, ledger: QuotaLedger) -> QuotaLedger:
        self._ledgers[record.connection, api] = ledger
        return ledger

    def _day_of(self, record: Connection) -> Day:
        """How the organization's calls of the day stood when its last owner said so."""
        saved = self._tokens.records.get(f"{record.connection}|zoho|calls")
        if not isinstance(saved, CallsCounted) or saved.organization_id != record.zoho.organization_id:
            return Day()
        return Day(saved.calls, saved.limit, saved.ends, saved.closed_until)

    async def _keep_day(self, record: Connection, day: Day) -> None:
        await self._log.append(
            CallsCounted(
                connection=record.connection,
                api="zoho",
                organization_id=record.zoho.organization_id,
                calls=day.calls,
                limit=day.limit,
                ends=day.ends,
                closed_until=day.closed_until,
            )
        )
