"""Makes all that works for a connection: for each vendor a lane, with its work and a client that has its credentials,
and what reads, plans and repairs with them.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import aiohttp

from agents.applying import ApplyCommand
from agents.backfill import Backfill
from agents.completeness import Completeness
from agents.connection_rows import ConnectionRows
from agents.credentials import Credentials
from agents.dates import Dates
from agents.drift import FindDrift, drifted
from agents.ledgers import Ledgers
from agents.nightly import Nightly
from agents.operations import Operations
from agents.orders import JOINED, WAITING, handlers
from agents.own_secrets import OwnSecrets
from agents.partition import Partition
from agents.plan_orders import PlanCommand
from agents.planning import Planner
from agents.reconciling import Reconciler
from agents.sweeping import Sweeping
from agents.tables import Rows
from agents.upkeep import Upkeep
from stream.bamboohr.client import BambooHr
from stream.bamboohr.delivery_log import ReadDeliveryLog
from stream.bamboohr.everybody import ReadEverybody
from stream.bamboohr.hosts import base_url
from stream.bamboohr.keep_webhook import KeepWebhook
from stream.bamboohr.lane import ReadPeople
from stream.bamboohr.webhooks import DELIVERIES, WebhooksApi
from stream.clock import Clock
from stream.codec import decode
from stream.core.completeness import Heard
from stream.core.mapping import fields_to_watch
from stream.core.registration import living
from stream.core.rows import Address, Company, ContactState, Person
from stream.core.sharing import Sharing
from stream.errors import RecordRefused
from stream.fence import Fence
from stream.kafka.event_log import EventLog
from stream.kafka.scan import LogScan
from stream.kafka.view import CompactedView
from stream.lane import Lane
from stream.pace import Pace
from stream.quota import QuotaLedger
from stream.records import (
    AnyRecord,
    Api,
    Connection,
    ConnectionId,
    ContactKey,
    EmployeeId,
    HrEvent,
    LogPosition,
    PollOutcome,
    WebhookRegistration,
)
from stream.settings import Settings
from stream.telemetry import CALLS_LEFT
from stream.topics import CONTACT_UPSERTS, HR_EVENTS, OUTCOMES, Topic
from stream.vault.places import keys_of, resealed
from stream.vault.vault import Vault
from stream.zoho.client import ZohoBooks
from stream.zoho.index import ContactIndex
from stream.zoho.lane import KeepContacts
from stream.zoho.leavers import Leavers
from stream.zoho.regions import api_url

POLLED = b'"kind":"poll"'
"""In the record of a poll, among many others."""
TOKENS_APART_S = 0.28
"""Between two token requests of a worker: no five a second, also where the loop stands still for a moment."""


@dataclass(frozen=True)
class Made:
    """Everything that works for one connection; nothing of it is opened yet."""

    people: Lane
    contacts: Lane
    leavers: Leavers
    operations: Operations
    upkeep: Upkeep | None
    reconciler: Reconciler
    nightly: Nightly
    dates: Dates | None

    async def close(self) -> None:
        others = [part.close() for part in (self.upkeep, self.dates) if part is not None]
        parts = (self.operations, self.people, self.contacts, self.reconciler, self.nightly)
        await asyncio.gather(*(part.close() for part in parts), *others)
        self.leavers.close()
        CALLS_LEFT.remove(self.contacts.connection)


@dataclass
class LaneMaker:
    """What all lanes of a worker share. crashed: told of what a worker must not survive."""

    settings: Settings
    log: EventLog
    people: Rows[Person]
    addresses: Rows[Address]
    contacts: Rows[ContactState]
    companies: Rows[Company]
    tokens: CompactedView
    vault: Vault
    http: aiohttp.ClientSession
    fence: Fence
    clock: Clock
    crashed: Callable[[BaseException], None]
    _partitions: dict[int, Partition] = field(default_factory=dict)
    """As they are ours now, or were last."""

    def __post_init__(self) -> None:
        self._token_pace = Pace(self.clock, TOKENS_APART_S)
        self._own = OwnSecrets(self.log, self.tokens, self.vault, self.fence)
        self._ledgers = Ledgers(self.log, self.tokens, self.clock)
        self._credentials = Credentials(self.settings, self._own, self.http, self.clock)

    def taken(self, partition: Partition) -> None:
        """The partition came, and `tokens` has been read to its end since."""
        self._partitions[partition.number] = partition
        self._credentials.forget(partition.number)
        self._ledgers.taken(partition)

    def make(self, record: Connection, number: int, kept: WebhookRegistration | None) -> Made:
        """number: the connection's partition. kept: the webhooks that were registered for it.

        Raises RosterbookError when the settings do not do.
        """
        rows = self.rows_of(record.connection, number)
        people, bamboohr = self._people(record, number, rows)
        leavers = Leavers(
            record.connection, record.guard, company=rows.company, append=self.log.append, clock=self.clock
        )
        sharing = Sharing(rows.company)
        contacts, zoho, index = self._contacts(record, rows, leavers, sharing)
        upkeep = self._upkeep(record, bamboohr, kept)
        reconciler = self._reconciler(record, bamboohr, rows, upkeep)
        completeness = Completeness(
            reconciler,
            partial(self._heard, record.connection),
            partial(self._polls, record.connection),
            drifted=partial(drifted, rows),
            clock=self.clock,
        )
        sweeping = Sweeping(
            record.connection,
            reconciler.carry_out,
            self._backfill(record, number, rows, people, contacts, sharing, bamboohr, zoho, index),
            company=rows.company,
            append=self.log.append,
            clock=self.clock,
        )
        plans = self._plans(record, number, rows, people, contacts, bamboohr, zoho)
        operations = Operations(
            record.connection,
            handlers(record, bamboohr, zoho, self._own, upkeep, completeness, sweeping, *plans),
            joined=JOINED,
            waiting=WAITING if record.mode == "paused" else (),
            company=rows.company,
            append=self.log.append,
            crashed=self.crashed,
            clock=self.clock,
        )
        nightly = Nightly(record, company=rows.company, append=self.log.append, crashed=self.crashed, clock=self.clock)
        return Made(people, contacts, leavers, operations, upkeep, reconciler, nightly, self._dates(record, rows))

    def rows_of(self, connection: ConnectionId, number: int) -> ConnectionRows:
        """number: the connection's partition."""
        prefix = f"{connection}/"
        return ConnectionRows(
            company=lambda: self.companies.get(number, f"{prefix}company"),
            person=lambda employee: self.people.get(number, f"{prefix}{employee}"),
            address=lambda email: self.addresses.get(number, f"{prefix}{email}"),
            contact=lambda key: self.contacts.get(number, f"{prefix}{key}"),
            employees=lambda: (EmployeeId(key.removeprefix(prefix)) for key in self.people.keys(number, prefix)),
            keys=lambda: (ContactKey(key.removeprefix(prefix)) for key in self.contacts.keys(number, prefix)),
        )

    def _reconciler(
        self, record: Connection, client: BambooHr, rows: ConnectionRows, upkeep: Upkeep | None
    ) -> Reconciler:
        connection = record.connection

        def registered() -> list[str]:
            return [] if upkeep is None else [webhook.id for webhook in living(upkeep.kept)]

        deliveries = ReadDeliveryLog(WebhooksApi(client), registered, f"{DELIVERIES}/{connection}")
        return Reconciler(
            record, client, deliveries, rows, append=self.log.append, clock=self.clock, crashed=self.crashed
        )

    async def _heard(self, connection: ConnectionId, since: datetime) -> list[Heard]:
        """The connection's events that were appended since then."""
        events = self._records(HR_EVENTS, connection, since)
        return [Heard.of(event) async for event in events if isinstance(event, HrEvent)]

    async def _polls(self, connection: ConnectionId, since: datetime) -> list[PollOutcome]:
        """The records of the connection's polls that were appended since then."""
        outcomes = self._records(OUTCOMES, connection, since, POLLED)
        return [outcome async for outcome in outcomes if isinstance(outcome, PollOutcome)]

    async def _records(
        self, topic: Topic, connection: ConnectionId, since: datetime, holding: bytes = b""
    ) -> AsyncIterator[AnyRecord]:
        """The connection's records that were appended since then, where they hold these bytes."""
        for_it = connection.encode()
        async for entry in LogScan(self.log.address).since(topic, connection, since):
            if entry.key == for_it and (not holding or holding in (entry.value or b"")):
                with suppress(RecordRefused):  # set aside by the agents, and told of there
                    yield decode(topic, entry.value)

    async def _wishes_folded(self, number: int) -> None:
        """Wait until the contacts' rows have every wish that follows from what is folded by now."""
        newest = self.log.newest(CONTACT_UPSERTS.name, number)
        await self._partitions[number].has_folded(CONTACT_UPSERTS.name, newest)

    def _backfill(
        self,
        record: Connection,
        number: int,
        rows: ConnectionRows,
        people: Lane,
        contacts: Lane,
        sharing: Sharing,
        client: BambooHr,
        books: ZohoBooks,
        index: ContactIndex,
    ) -> Backfill:
        """Loads everybody when it is asked to."""

        async def folded(topic: str, offset: int) -> None:
            await self._partitions[number].has_folded(topic, offset)

        everybody = ReadEverybody(
            record.connection,
            client,
            mapping=record.mapping,
            person_of=rows.person,
            address_of=rows.address,
            sharing=sharing,
            log=self.log,
            folded=folded,
            clock=self.clock,
            time_zone=record.reconcile.time_zone,
        )

        drift = FindDrift(
            record.connection,
            read=books.contact,
            index=index,
            rows=rows,
            append=self.log.append,
            clock=self.clock,
        )
        return Backfill(
            record,
            people=people,
            contacts=contacts,
            everybody=everybody,
            sharing=sharing,
            index=index,
            drift=drift,
            rows=rows,
            wishes_folded=partial(self._wishes_folded, number),
            append=self.log.append,
            clock=self.clock,
        )

    def _plans(
        self,
        record: Connection,
        number: int,
        rows: ConnectionRows,
        people: Lane,
        contacts: Lane,
        hr: BambooHr,
        books: ZohoBooks,
    ) -> tuple[PlanCommand, ApplyCommand]:
        """Make plans, and carry them out, when they are asked to."""
        planner = partial(Planner, record, hr, books, rows, people=people, contacts=contacts, clock=self.clock)
        plan = PlanCommand(
            record.connection, planner(), contacts, company=rows.company, append=self.log.append, clock=self.clock
        )
        return plan, ApplyCommand(
            record,
            planner(),
            rows,
            append=self.log.append,
            wishes_folded=partial(self._wishes_folded, number),
            clock=self.clock,
        )

    def _dates(self, record: Connection, rows: ConnectionRows) -> Dates | None:
        """None where no day decides anything."""
        if not (record.mapping.days_before_start or record.mapping.days_after_leaving):
            return None
        return Dates(
            record.connection,
            people=rows.people,
            append=self.log.append,
            crashed=self.crashed,
            clock=self.clock,
            time_zone=record.reconcile.time_zone,
        )

    def _upkeep(self, record: Connection, client: BambooHr, kept: WebhookRegistration | None) -> Upkeep | None:
        """Of the webhook; None where a person keeps it and there never was one of ours."""
        if record.webhook_key is not None and kept is None:
            return None
        connection, public, days = record.connection, self.settings.public_url, self.settings.webhook_key_age
        keeper = KeepWebhook(
            connection,
            WebhooksApi(client),
            by_us=record.webhook_key is None,
            url=None if public is None else f"{public}{DELIVERIES}/{connection}",
            fields=fields_to_watch(record.mapping),
            kept=kept,
            mark=secrets.token_hex(6),
            append=self.log.append,
            seal=lambda key: self.vault.seal(key, connection=connection, purpose="bamboohr.webhook_key"),
            clock=self.clock,
            settle_time=self.settings.settle_time,
            key_age=timedelta(days=days) if days else None,
            sealed_anew=lambda one: resealed(one, self.vault) if keys_of(one) - {self.vault.newest} else one,
        )
        return Upkeep(keeper, self.clock, record.saved_at, self.crashed)

    def _people(self, record: Connection, number: int, rows: ConnectionRows) -> tuple[Lane, BambooHr]:
        """Reads employees."""
        connection = record.connection
        lane = self._lane(connection, rows, "bamboohr", self._ledgers.of_bamboohr(record))
        client = BambooHr(
            self.http,
            base_url(self.settings, record.bamboohr.subdomain),
            self._credentials.of_bamboohr(record, lane.admit_token),
            admit=lane.admit,
            deadline=self.settings.call_deadline,
            clock=self.clock,
        )
        topic_id = self.log.topic_id(HR_EVENTS.name)
        lane.attach(
            ReadPeople(
                connection,
                client,
                mapping=record.mapping,
                person_of=rows.person,
                event_at=lambda offset: LogPosition(
                    topic=HR_EVENTS.name, topic_id=topic_id, partition=number, offset=offset
                ),
                append=self.log.append,
                guard=lane.guard,
                clock=self.clock,
                time_zone=record.reconcile.time_zone,
            )
        )
        return lane, client

    def _contacts(
        self, record: Connection, rows: ConnectionRows, leavers: Leavers, sharing: Sharing
    ) -> tuple[Lane, ZohoBooks, ContactIndex]:
        """Keeps contacts."""
        connection, zoho = record.connection, record.zoho
        ledger = self._ledgers.of_zoho(record)
        CALLS_LEFT.labels(connection).set_function(lambda: math.nan if ledger.left_today is None else ledger.left_today)
        lane = self._lane(connection, rows, "zoho", ledger)
        client = ZohoBooks(
            self.http,
            api_url(self.settings, zoho.region),
            zoho.organization_id,
            self._credentials.of_zoho(record, lane.admit_token),
            admit=lane.admit,
            told=ledger.told,
            deadline=self.settings.call_deadline,
            clock=self.clock,
        )
        index = ContactIndex(client, self.clock, field=record.mapping.match)
        lane.attach(
            KeepContacts(
                connection,
                client,
                preview=record.mode == "preview",
                mapping=record.mapping,
                state_of=rows.contact,
                append=self.log.append,
                guard=lane.guard,
                leavers=leavers,
                sharing=sharing,
                clock=self.clock,
                settle_time=self.settings.settle_time,
                index=index,
            )
        )
        return lane, client, index

    def _lane(self, connection: ConnectionId, rows: ConnectionRows, api: Api, ledger: QuotaLedger) -> Lane:
        company = rows.company()
        return Lane(
            connection,
            api,
            ledger=ledger,
            fence=self.fence,
            token_pace=self._token_pace,
            clock=self.clock,
            append=self.log.append,
            crashed=self.crashed,
            suspended=None if company is None else company.suspended.get(api),
        )
