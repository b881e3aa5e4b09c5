"""What one company's trouble costs its neighbour: the same partition, the same worker, the same lane code.

The neighbour's webhooks are timed as in the latency bench, first while all is well, then while the other company's Zoho
is silent for a minute with a backlog that grows, then while its token is refused. Floor: the same events while all is
well. A run in which the other company was not in trouble, or did not change, is no result and ends with an error.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path

import aiohttp

from agents.demo.story import arrival
from stream.sandbox.faults import Fault
from tests.bench.figures import Figure, Target, percentile
from tests.bench.latency import Event, measure
from tests.bench.place import NotedVendors, Place
from tests.bench.wire import Caller
from tests.neighbours import neighbours

PEOPLE = 50
WARM_UP = 30
TROUBLE_S = 60.0
EVERY_S = 0.2
"""The other company's changes: five a second, which nobody can pay while its Zoho is away."""


async def run() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="rosterbook-bench-") as folder:
        async with (
            neighbours(Path(folder), NotedVendors) as (installation, troubled, well),
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http,
        ):
            at, there = Place(installation, well, http), Place(installation, troubled, http)
            for vendors in (troubled, well):
                arrival(vendors.bamboohr.company, PEOPLE).happen()
            for one in (there, at):
                await one.rest()
            caller = await at.caller()
            await measure(at, caller, WARM_UP, [])
            figures = []
            async with _changing(there):
                quiet = await _timed(at, caller)
                for name, begin, end in (
                    ("the other's Zoho is silent", lambda: _silence(troubled), troubled.zoho.faults.clear),
                    ("the other's Zoho refuses its token", lambda: _lock_out(troubled), lambda: None),
                ):
                    begin()
                    found = await _timed(at, caller)
                    await _must_be_in_trouble(there, name)
                    figures += _figures(name, found, quiet)
                    end()
            caller.close()
            return figures


async def _timed(at: Place, caller: Caller) -> list[float]:
    """Milliseconds of the events that fit into the time."""
    events: list[Event] = []
    try:
        async with asyncio.timeout(TROUBLE_S):
            while True:
                await measure(at, caller, 1, events)
    except TimeoutError:
        return [event.ms for event in events]


async def _must_be_in_trouble(at: Place, name: str) -> None:
    """Raises RuntimeError when the company's Zoho lane owes nothing: then nobody was in anybody's way."""
    named = f'connection="{at.vendors.connection}"'
    debts = [
        value
        for (metric, labels), value in (await at.metrics("worker")).items()
        if metric == "rosterbook_debts" and named in labels and 'api="zoho"' in labels
    ]
    if not sum(debts):
        raise RuntimeError(f"Nothing is owed although {name}.")


def _silence(vendors: NotedVendors) -> None:
    vendors.zoho.faults.plant(Fault(path="/books/v3", delay_s=120, times=None))


def _lock_out(vendors: NotedVendors) -> None:
    vendors.zoho.tokens.revoke(vendors.zoho.credentials.refresh_token)


@asynccontextmanager
async def _changing(at: Place) -> AsyncIterator[None]:
    """The company's webhooks go on while this is open. Raises what ended them, if anything did."""

    async def change() -> None:
        company = at.vendors.bamboohr.company
        for number, employee in enumerate(cycle(sorted(company.people, key=int))):
            company.change(employee, {"lastName": f"Renamed {number}"})
            await asyncio.sleep(EVERY_S)

    task = asyncio.create_task(change())
    try:
        yield
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _figures(name: str, found: list[float], quiet: list[float]) -> list[Figure]:
    note = f"{len(found)} events beside {len(quiet)} while all was well"
    return [
        Figure(
            f"p99 of its neighbour while {name}",
            percentile(found, 99),
            "ms",
            percentile(quiet, 99),
            Target("<=", 1.5, of="ratio"),
            note,
        ),
        Figure(f"p50 of its neighbour while {name}", percentile(found, 50), "ms", percentile(quiet, 50)),
    ]
