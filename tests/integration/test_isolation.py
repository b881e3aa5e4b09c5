"""One company's trouble is its own: what its neighbour in the same partition notices of it.

Times are compared within one run: with those of the same changes while all is well, before and after, and with the time
that the troubled company's own calls hang. The long form, with its figures, is `tests/bench/isolation.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import pytest

from agents.demo.story import arrival
from agents.demo.vendors import Vendors
from stream.kafka.event_log import EventLog
from stream.records import ConnectionId
from stream.sandbox.faults import Fault
from stream.vault.vault import Vault, new_keyset
from tests.e2e.waiting import until
from tests.integration.connected import saved, tell
from tests.integration.harness import Desk, desk, event_log
from tests.neighbours import ONE, OTHER, Switchboard

PEOPLE = 8
CALLS_PER_MINUTE = 60_000
HANGS_S = 5.0
"""A call's deadline: so long a silent vendor holds whatever it holds."""
FEW = 12


class Company:
    """One of the two: its sandboxes, and a worker to which they are connected."""

    def __init__(self, connection: ConnectionId) -> None:
        self.connection = connection
        self.vendors = Vendors(calls_per_minute=CALLS_PER_MINUTE, connection=connection)
        self.people: list[str] = []
        self._numbers = count()

    async def change(self, log: EventLog) -> None:
        """Somebody gets another name."""
        number = next(self._numbers)
        employee = self.people[number % len(self.people)]
        self.vendors.bamboohr.company.change(employee, {"lastName": f"Renamed {number}"})
        await tell(log, self.connection, [employee])

    async def is_through(self, log: EventLog) -> float:
        """Seconds from a change to its write."""
        writes = self.vendors.zoho.calls.writes
        began = time.monotonic()
        await self.change(log)
        while self.vendors.zoho.calls.writes == writes:
            assert time.monotonic() - began < 6 * HANGS_S, "the change does not come through"
            await asyncio.sleep(0.002)
        return time.monotonic() - began


@asynccontextmanager
async def two_companies(bootstrap: str, data: Path) -> AsyncIterator[tuple[Desk, EventLog, Company, Company]]:
    """A worker that has both companies' people in Zoho."""
    companies = Company(ONE), Company(OTHER)
    keys = new_keyset()
    switchboard = Switchboard([company.vendors for company in companies])
    async with AsyncExitStack() as stack:
        for started in (*(company.vendors for company in companies), switchboard):
            stack.push_async_callback(started.stop)
            await started.start()
        settings = {
            name.removeprefix("ROSTERBOOK_").lower(): value for name, value in switchboard.environment().items()
        }
        log = await stack.enter_async_context(event_log(bootstrap))
        one = await stack.enter_async_context(desk(bootstrap, data, vault_keys=keys, **settings))
        for company in companies:
            vendors = company.vendors
            arrival(vendors.bamboohr.company, PEOPLE).happen()
            company.people = sorted(vendors.bamboohr.company.people, key=int)
            vault = Vault(keys, source="the test")
            await log.append(saved(vault, company.connection, vendors.bamboohr, vendors.zoho, CALLS_PER_MINUTE))
            await tell(log, company.connection, company.people)
            await until("all have contacts", lambda z=vendors.zoho: len(z.organization.contacts) == PEOPLE, 60)
        await until("nothing is owed", lambda: one.lanes is not None and not one.lanes.debts, 20)
        yield one, log, *companies


def _owes(one: Desk, company: Company) -> int:
    assert one.lanes is not None
    made = one.lanes._served[company.connection].made
    return 0 if made is None else made.contacts.debts


async def _beside(log: EventLog, troubled: Company, well: Company, least_s: float) -> list[float]:
    """Seconds that changes of the one take, beside as many of the other; for so long, and at least a few."""
    took: list[float] = []
    end = time.monotonic() + least_s
    while time.monotonic() < end or len(took) < FEW:
        await troubled.change(log)
        took.append(await well.is_through(log))
    return took


async def test_neither_a_silent_zoho_nor_a_dead_token_of_one_company_delays_its_neighbour(
    bootstrap: str, tmp_path: Path
) -> None:
    async with two_companies(bootstrap, tmp_path) as (one, log, troubled, well):
        zoho = troubled.vendors.zoho
        before = await _beside(log, troubled, well, 1)

        zoho.faults.plant(Fault(path="/books/v3", delay_s=120, times=None))
        silent = await _beside(log, troubled, well, HANGS_S + 1)
        assert _owes(one, troubled)
        zoho.faults.clear()
        await until("the silence is over", lambda: not _owes(one, troubled), 60)
        after = await _beside(log, troubled, well, 1)

        zoho.tokens.revoke(zoho.credentials.refresh_token)
        zoho.tokens.expire_access_tokens()
        refused = await _beside(log, troubled, well, 1)
        assert _owes(one, troubled)

    usual, worst = max(median(before), median(after)), max(*before, *after)
    for found in (silent, refused):
        assert median(found) <= max(1.5 * usual, HANGS_S / 20), (found, before, after)
        assert max(found) < max(HANGS_S / 2, 3 * worst), (found, before, after)


@pytest.mark.thorough
async def test_a_neighbour_is_delayed_where_all_companies_share_a_few_connections(
    bootstrap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it is known to be seen, were it so."""
    connector = aiohttp.TCPConnector

    def few(**how: Any) -> aiohttp.TCPConnector:
        return connector(**{**how, "limit": 5})

    with monkeypatch.context() as patched:
        patched.setattr("agents.wiring.aiohttp.TCPConnector", few)
        async with two_companies(bootstrap, tmp_path) as (one, log, troubled, well):
            troubled.vendors.zoho.faults.plant(Fault(path="/books/v3", delay_s=120, times=None))
            for _ in range(FEW):
                await troubled.change(log)
            await until("its calls hang", lambda: _owes(one, troubled) >= 5, 20)
            assert await well.is_through(log) > HANGS_S / 2
