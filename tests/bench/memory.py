"""What the worker weighs with a whole company in its tables: after the first load, and after a restart on warm tables.

Everybody comes the way people come: hired in the BambooHR sandbox, told by two webhooks each, read, folded, searched
for and created in Zoho. What the worker asks of BambooHR at most gives the floor of its time.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import dataclass

import psutil

from agents.demo.equal import compare
from agents.demo.story import arrival
from agents.ledgers import BAMBOOHR
from stream.records import Mapping
from tests.bench.figures import Figure, Target
from tests.bench.place import Place, place, until

MB = 1e6
IDLE_LOOK_S = 2.0
IDLE_SHARE = 0.10
"""Of one core: below it a worker does nothing but heartbeats and commits."""
PER_PERSON_S = 0.5
START_S = 120.0


@dataclass(frozen=True)
class Weight:
    """MB (10^6 bytes) of the worker. rss counts shared pages in full, pss by share."""

    rss: float
    pss: float


async def run(people: int) -> list[Figure]:
    async with place() as at:
        empty = await _idle_weight(at)
        folded = await at.folded()
        began = time.monotonic()
        arrival(at.vendors.bamboohr.company, people).happen()
        await at.rest(60 + PER_PERSON_S * people)
        seconds = time.monotonic() - began
        folded = await at.folded() - folded
        organization = at.vendors.zoho.organization
        found = compare(at.vendors.bamboohr.company, organization, Mapping())
        assert found.equal, f"both sides differ: {found}"
        assert found.contacts == people
        loaded = await _idle_weight(at)
        calls = len(at.vendors.calls)
        restarted_in = await _restart(at)
        warm = await _idle_weight(at)
        again = len(at.vendors.calls) - calls
    size = f"{people} people"
    return [
        Figure(f"worker after the load of {size}, RSS", loaded.rss, "MB", empty.rss, Target("<=", 300)),
        Figure(f"worker after the load of {size}, PSS", loaded.pss, "MB", empty.pss),
        Figure(f"worker with {size} after a restart, RSS", warm.rss, "MB", empty.rss, Target("<=", 300)),
        Figure(f"worker with {size} after a restart, PSS", warm.pss, "MB", empty.pss),
        Figure("restart of the worker on warm tables until ready", restarted_in, "s", note=f"{again} calls made by it"),
        Figure(
            f"first load of {size}",
            seconds,
            "s",
            people / BAMBOOHR.per_minute * 60,
            note=f"floor: {BAMBOOHR.per_minute} readings a minute",
        ),
        Figure("records folded during the load", folded / seconds, "/s", note=f"{folded:.0f} records"),
    ]


async def _idle_weight(at: Place) -> Weight:
    worker = psutil.Process(at.installation.processes()["worker"])

    async def idle() -> bool:
        before = sum(worker.cpu_times()[:2])
        await asyncio.sleep(IDLE_LOOK_S)
        return (sum(worker.cpu_times()[:2]) - before) / IDLE_LOOK_S < IDLE_SHARE

    await until(idle, START_S)
    memory = worker.memory_full_info()
    return Weight(memory.rss / MB, memory.pss / MB)


async def _restart(at: Place) -> float:
    """Seconds from the end of the old worker until the new one is ready; its supervisor waits half a second of them."""
    pid = at.installation.processes()["worker"]
    old = psutil.Process(pid)
    os.kill(pid, signal.SIGTERM)

    async def ended() -> bool:
        return not old.is_running() or at.installation.processes()["worker"] != pid

    await until(ended, START_S)
    began = time.monotonic()

    async def is_back() -> bool:
        return at.installation.processes()["worker"] != pid and await at.ready()

    await until(is_back, START_S)
    return time.monotonic() - began
