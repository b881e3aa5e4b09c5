"""A shop: one connection with OAuth on both sides, both its lanes as a worker makes them, and both sandboxes by HTTP.
The log is a list, and what is appended is folded at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Literal, cast

import aiohttp

from agents.lane_making import LaneMaker
from stream.clock import SystemClock
from stream.core.rows import ContactState, Person
from stream.fence import Fence
from stream.lane import Lane
from stream.records import (
    BambooHrSettings,
    Connection,
    ContactUpsert,
    EmployeeId,
    EmployeeSnapshot,
    HrEvent,
    LaneOutcome,
    LogPosition,
    Mapping,
    OAuthClient,
    SyncOutcome,
    Tokens,
    ZohoSettings,
)
from stream.sandbox.bamboohr import BambooHrQuirks, BambooHrSandbox, Company, RateLimit
from stream.sandbox.zoho import Limits, ZohoSandbox
from stream.sandbox.zoho.app import SCOPES
from stream.settings import Settings
from stream.telemetry import Masked
from stream.topics import TOPIC_OF
from stream.vault import Vault
from stream.vault.key_ring import new_ring
from stream.vault.vault import Purpose
from tests.small_world import ACME, Tables

DEADLINE_S = 30.0
Refresh = Literal["kept", "repeated", "rotated"]


class LeapingClock(SystemClock):
    """Runs as time does, and leaps ahead when told to."""

    def __init__(self) -> None:
        self._leapt = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._leapt)

    def monotonic(self) -> float:
        return super().monotonic() + self._leapt

    def leap(self, seconds: float) -> None:
        self._leapt += seconds


class Table:
    """One of `Tables`, asked as the lanes ask."""

    def __init__(self, rows: dict[Any, Any]) -> None:
        self._rows = rows

    def get(self, _: int, key: str) -> Any:
        return self._rows.get(key.partition("/")[2])


class Shop:
    """One connection with OAuth on both sides, its worker and its vendors."""

    def __init__(self, employees: int, refresh: Refresh, http: aiohttp.ClientSession) -> None:
        self.clock = LeapingClock()
        self.company = Company.seeded(str(ACME), employees=employees, clock=self.clock)
        limit = RateLimit(per_window=10**6)
        quirks = BambooHrQuirks(refresh_token=refresh)
        self.bamboohr = BambooHrSandbox(self.company, quirks=quirks, clock=self.clock, rate_limit=limit)
        self.zoho = ZohoSandbox(
            clock=self.clock, limits=Limits(per_minute=10**6, per_day=10**6, in_flight=100, burst=10**6)
        )
        self.refresh_tokens = {
            "bamboohr": self.bamboohr.credentials.refresh_token,
            "zoho": self.zoho.credentials.refresh_token,
        }
        self.tables = Tables()
        self.said: list[Any] = []
        self.lanes: dict[str, Lane] = {}
        self.crashes: list[BaseException] = []
        self._http = http
        self._offsets: dict[str, int] = {}

    async def start(self) -> None:
        await self.bamboohr.start()
        await self.zoho.start()
        self.fence = Fence(self.clock, session_timeout=8.0, call_deadline=5.0)
        self._vault = Vault(new_ring(), source="the test's keys")
        self.maker = LaneMaker(
            Settings(
                bamboohr_url=self.bamboohr.root_url,
                zoho_accounts_url=self.zoho.accounts_url,
                zoho_api_url=self.zoho.api_url,
            ),
            cast(Any, self),  # the log
            cast(Any, Table(cast(Any, self.tables.people))),
            cast(Any, Table(cast(Any, self.tables.addresses))),
            cast(Any, Table(cast(Any, self.tables.contacts))),
            cast(Any, Table({})),
            cast(Any, SimpleNamespace(records={})),  # a view of `tokens` that lags behind for ever
            self._vault,
            self._http,
            self.fence,
            self.clock,
            self.crashes.append,
        )

    async def consent_again(self, side: Literal["bamboohr", "zoho"]) -> None:
        """Somebody consents, and the connection is added again with what that brings."""
        accounts = self.bamboohr.accounts
        (back,) = accounts.app.redirect_uris
        if side == "bamboohr":
            brought = accounts.exchange(accounts.consent(accounts.app.scopes, back), back)
            self.refresh_tokens[side] = str(brought["refresh_token"])
        else:
            self.refresh_tokens[side] = self.zoho.tokens.grant(SCOPES)
        await self.close()
        self.open()

    def connection(self) -> Connection:
        """Its settings, sealed anew each time, as `rosterbook connection add` seals them."""

        def seal(secret: str, purpose: Purpose) -> Any:
            return self._vault.seal(Masked(secret), connection=ACME, purpose=purpose)

        bamboohr, zoho = self.bamboohr.credentials, self.zoho.credentials
        return Connection(
            connection=ACME,
            mode="live",
            bamboohr=BambooHrSettings(
                subdomain=str(ACME),
                oauth=OAuthClient(
                    client_id=seal(bamboohr.client_id, "bamboohr.client_id"),
                    client_secret=seal(bamboohr.client_secret, "bamboohr.client_secret"),
                    refresh_token=seal(self.refresh_tokens["bamboohr"], "bamboohr.refresh_token"),
                ),
            ),
            webhook_key=seal("unused", "bamboohr.webhook_key"),
            zoho=ZohoSettings(
                region="us",
                organization_id=self.zoho.organization_id,
                calls_per_minute=10**6,
                client_id=seal(zoho.client_id, "zoho.client_id"),
                client_secret=seal(zoho.client_secret, "zoho.client_secret"),
                refresh_token=seal(self.refresh_tokens["zoho"], "zoho.refresh_token"),
            ),
            saved_at=datetime.now(UTC),
        )

    def open(self) -> None:
        made = self.maker.make(self.connection(), 0, None)
        self.lanes = {"bamboohr": made.people, "zoho": made.contacts}
        for employee in self.tables.people:
            self.lanes["bamboohr"].notice(employee)
        for key in self.tables.contacts:
            self.lanes["zoho"].notice(key)
        for lane in self.lanes.values():
            lane.open()

    async def close(self) -> None:
        for lane in self.lanes.values():
            await lane.close()

    def pass_time(self, seconds: float) -> None:
        """The group goes on hearing from the worker meanwhile: else calls under way would be held back by the fence."""
        self.clock.leap(seconds)
        self.fence.accepted(self.clock.monotonic())

    async def beat(self) -> None:
        while True:
            self.fence.accepted(self.clock.monotonic())
            await asyncio.sleep(0.1)

    def hear(self, *, first: int = 0, last: int | None = None) -> None:
        """A webhook for each of these people."""
        for employee in list(self.company.people)[first:last]:
            ids = (EmployeeId(employee),)
            event = HrEvent(connection=ACME, employees=ids, kind="webhook", received_at=self.clock.now())
            self.tables.hear(event, self._position("rosterbook.hr-events"))
            self.lanes["bamboohr"].notice(employee)

    # -- as the log ---------------------------------------------------------------------------------------------------

    def topic_id(self, topic: str) -> str:
        return f"life-of-{topic}"

    async def append(self, record: Any) -> LogPosition:
        self.said.append(record)
        position = self._position(TOPIC_OF[type(record)].name)
        asyncio.get_running_loop().call_soon(self._fold, record, position)
        return position

    def _position(self, topic: str) -> LogPosition:
        offset = self._offsets[topic] = self._offsets.get(topic, -1) + 1
        return LogPosition(topic=topic, topic_id=self.topic_id(topic), partition=0, offset=offset)

    def _fold(self, record: Any, position: LogPosition) -> None:
        match record:
            case EmployeeSnapshot():
                fold = self.tables.keep_roster(record, position, Mapping())
                self.lanes["bamboohr"].notice(record.employee)
                for upsert in fold.upserts:
                    self._wish(upsert)
            case SyncOutcome():
                self.tables.learn(record, position)
                self.lanes["zoho"].notice(record.contact_key)

    def _wish(self, upsert: ContactUpsert) -> None:
        self.tables.wish(upsert, self._position("rosterbook.contact-upserts"))
        self.lanes["zoho"].notice(upsert.contact_key)

    # -- what is to be seen -------------------------------------------------------------------------------------------

    async def until(self, reached: Any) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not reached():
                assert not self.crashes
                await asyncio.sleep(0.005)

    @property
    def synced(self) -> int:
        return len([one for one in self.said if isinstance(one, SyncOutcome) and one.action == "created"])

    @property
    def token_requests(self) -> tuple[int, int]:
        """At BambooHR and at Zoho so far."""
        asked = [one for one in self.said if isinstance(one, Tokens) and one.api == "bamboohr" and one.asking]
        return len(asked), self.zoho.calls.count("oauth.token")

    def failures(self) -> list[Any]:
        """Whatever did not go as it should: lanes that waited, payments that failed, rows that are not settled."""
        rows: list[Person | ContactState] = [*self.tables.people.values(), *self.tables.contacts.values()]
        bad = [one for one in self.said if isinstance(one, LaneOutcome)]
        bad += [
            one for one in self.said if isinstance(one, SyncOutcome) and one.action not in ("attempting", "created")
        ]
        return [*bad, *(row for row in rows if row.debt.owed)]


@asynccontextmanager
async def shop(employees: int, refresh: Refresh) -> AsyncIterator[Shop]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        found = Shop(employees, refresh, http)
        await found.start()
        beating = asyncio.create_task(found.beat())
        found.open()
        try:
            yield found
        finally:
            beating.cancel()
            await found.close()
            await found.bamboohr.stop()
            await found.zoho.stop()
