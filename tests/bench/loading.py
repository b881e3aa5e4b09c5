"""The first load of a company that is there already: calls for each person, the peak of the worker, how long it takes.

Three loads of the same people: none of them has a contact; all contacts are known to us; all contacts are equal, and
seen for the first time by another installation on a folder of its own. Sandboxes' limits are raised until they play no
part: what is counted is calls. In a bench of its own the limit is one that the machine can keep up with, so that a load
which takes a hundred minutes of a real organization takes a few. In another the worker is killed on the way.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from agents.demo.vendors import Vendors
from stream.sandbox.bamboohr import people
from tests.bench.figures import Figure, Target
from tests.bench.place import until
from tests.e2e.processes import processes_of, rosterbook
from tests.e2e.world import NOT_ASKED, World

CALLS_PER_MINUTE = 60_000
COMPRESSED_PER_MINUTE = 600
DEATHS = 5
PER_PERSON_S = 0.3
MB = 1e6


@dataclass(frozen=True)
class Load:
    """calls, writes: of Zoho Books. pages: of BambooHR. peak: MB (10^6 bytes) of the worker so far."""

    calls: int
    writes: int
    pages: int
    seconds: float
    peak: float


async def run(count: int) -> list[Figure]:
    """count: people of the company."""
    async with _installations(count, CALLS_PER_MINUTE) as (first, second):
        await _connect(first)
        new, known = await _load(first, count), await _load(first, count)
        await first.up.end()
        await _connect(second)
        seen_first = await _load(second, count)
    return [
        Figure("calls per new person", new.calls / count, "calls", 1, Target("<=", 1.02), _note(new, count)),
        Figure(
            "calls per equal contact seen first",
            seen_first.calls / count,
            "calls",
            1,
            Target("<=", 1.02),
            _note(seen_first, count),
        ),
        Figure("writes to equal contacts seen first", seen_first.writes, "calls", target=Target("<=", 0)),
        Figure(
            "calls per known contact", known.calls / count, "calls", target=Target("<=", 0.01), note=_note(known, count)
        ),
        Figure("writes to known contacts", known.writes, "calls", target=Target("<=", 0)),
        Figure(
            "peak of the worker", max(new.peak, seen_first.peak), "MB", target=Target("<=", 500), note=_note(new, count)
        ),
        Figure("load of new people", new.seconds, "s"),
        Figure("load of known people", known.seconds, "s"),
        Figure("load of equal contacts seen first", seen_first.seconds, "s"),
    ]


async def run_at_limit(count: int) -> list[Figure]:
    """count: people of the company."""
    async with _installations(count, COMPRESSED_PER_MINUTE) as (world, _):
        await _connect(world)
        load = await _load(world, count)
        by_status = world.vendors.zoho.calls.by_status
        refused = sum(count for (_, _, status), count in by_status.items() if status == 429)
    permitted = 60 * load.calls / COMPRESSED_PER_MINUTE
    note = f"{count} people, {load.calls} calls at {COMPRESSED_PER_MINUTE} a minute in {load.seconds:.1f} s"
    return [
        Figure("time of a load to what the limit permits", load.seconds / permitted, "", 1, Target("<=", 1.02), note),
        Figure("calls refused meanwhile", refused, "calls", target=Target("<=", 0)),
    ]


async def run_killed(count: int) -> list[Figure]:
    """count: people of the company. The worker is killed each time that another sixth of them has a contact."""
    async with _installations(count, CALLS_PER_MINUTE) as (world, _):
        await _connect(world)
        loading = asyncio.create_task(_load(world, count))
        for number in range(1, DEATHS + 1):
            due = partial(_has_contacts, world, number * count // (DEATHS + 1))
            await until(due, PER_PERSON_S * count)
            os.kill(_worker(world), signal.SIGKILL)
        load = await loading
        found = world.compare()
    note = f"{count} people, {DEATHS} deaths of the worker, {load.calls} calls, {load.seconds:.0f} s"
    return [
        Figure("addresses with more than one contact", found.duplicates, "", target=Target("<=", 0), note=note),
        Figure("people without a contact", found.missing, "people", target=Target("<=", 0)),
        Figure("calls per new person, the worker killed on the way", load.calls / count, "calls", 1),
    ]


async def _has_contacts(world: World, count: int) -> bool:
    return len(world.organization.contacts) >= count


def _worker(world: World) -> int:
    """The process that is the worker now."""
    (found,) = [process for process, words in processes_of(world.data).items() if words.endswith(" worker")]
    return found


@asynccontextmanager
async def _installations(count: int, calls_per_minute: int) -> AsyncIterator[tuple[World, World]]:
    """Two, each with a folder of its own, for the same company and organization; neither runs."""
    with tempfile.TemporaryDirectory(prefix="rosterbook-bench-") as folder:
        first, second = World(Path(folder) / "first"), World(Path(folder) / "second")
        vendors = first.vendors = second.vendors = Vendors(calls_per_minute=calls_per_minute)
        await vendors.start()
        try:
            for one in people.invent(count, seed=1):
                first.company.hire({name: value for name, value in one.items() if value and name not in NOT_ASKED})
            yield first, second
        finally:
            for world in (first, second):
                await world.close()


async def _connect(world: World) -> None:
    await (await world.start_up()).ready()
    await world.connect()


async def _load(world: World, count: int) -> Load:
    """Load everybody, and check that both sides are equal then."""
    vendors = world.vendors
    vendors.zoho.calls.reset()
    pages = vendors.bamboohr.calls.total("/employees", method="GET")
    began = time.perf_counter()
    ended = await rosterbook("backfill", "--json", deadline=60 + PER_PERSON_S * count, **world.variables)
    seconds = time.perf_counter() - began
    assert ended.code == 0, ended.err
    told: dict[str, Any] = orjson.loads(ended.out)
    assert told["people"] == count, told
    found = world.compare()
    assert found.equal, f"both sides differ: {found}"
    return Load(
        vendors.zoho_calls,
        vendors.zoho.calls.writes,
        vendors.bamboohr.calls.total("/employees", method="GET") - pages,
        seconds,
        _peak_of_worker(world),
    )


def _peak_of_worker(world: World) -> float:
    status = Path(f"/proc/{_worker(world)}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024 / MB


def _note(load: Load, count: int) -> str:
    return f"{count} people, {load.pages} pages of BambooHR's list"
