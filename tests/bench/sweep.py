"""A sweep of a company whose contacts are all equal and known to us: what it asks of Zoho Books, and what it costs the
worker. `backfill` asks for it, as the schedule does each night. Sandboxes' limits are raised until they play no part.
"""

from __future__ import annotations

import time

import psutil

from tests.bench.company import company_of
from tests.bench.figures import Figure, Target
from tests.bench.loading import PER_PERSON_S
from tests.e2e.processes import rosterbook
from tests.e2e.world import World

MB = 1e6


async def run(count: int) -> list[Figure]:
    """count: people of the company."""
    async with company_of(count) as world:
        loaded = await rosterbook("backfill", "--json", deadline=60 + PER_PERSON_S * count, **world.variables)
        assert loaded.code == 0, loaded.err
        return await _swept(world, count)


async def _swept(world: World, count: int) -> list[Figure]:
    zoho, hr = world.vendors.zoho, world.vendors.bamboohr
    worker = psutil.Process(world.pid_of("worker"))
    zoho.calls.reset()
    pages = hr.calls.total("/employees", method="GET")
    began, cpu = time.perf_counter(), sum(worker.cpu_times()[:2])
    ended = await rosterbook("backfill", "--json", deadline=60 + PER_PERSON_S * count, **world.variables)
    seconds, cpu = time.perf_counter() - began, sum(worker.cpu_times()[:2]) - cpu
    assert ended.code == 0, ended.err
    found = world.compare()
    assert found.equal, f"both sides differ: {found}"
    note = f"{count} people, {hr.calls.total('/employees', method='GET') - pages} calls of BambooHR"
    return [
        Figure("writes of a sweep of equal people", zoho.calls.writes, "calls", target=Target("<=", 0), note=note),
        Figure(
            "reads of Zoho Books for it",
            world.vendors.zoho_calls,
            "calls",
            target=Target("<=", max(2, count * 300 / 50_000)),
        ),
        Figure("CPU of the worker for it", cpu, "s", target=Target("<=", 60)),
        Figure("a sweep of equal people, from the command to its answer", seconds, "s"),
        Figure("the worker after it, RSS", worker.memory_info().rss / MB, "MB"),
    ]
