"""From a signed webhook to the finished Zoho call, one event at a time, beside a floor of bare parts.

Each event: somebody's job title is changed in the sandbox's store (no notice goes out), the webhook is posted on a kept
connection, and the clock stops when the Zoho sandbox has finished the PUT. What both sandboxes spent in their handlers
is subtracted. The next event begins a pause after the last one was over, so that nothing waits for anything else.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable
from dataclasses import dataclass

import psutil

from agents.demo.story import arrival
from tests.bench.figures import Figure, Target, percentile
from tests.bench.floor_chain import CHAIN, Chain
from tests.bench.place import Call, Place, place
from tests.bench.steps import read_steps
from tests.bench.wire import Caller, delivery

PEOPLE = 50
WARM_UP = 50
PAUSE_S = 0.12
"""Longer than the pace of BambooHR's quota in the worker, so that no call waits for its turn."""
DEADLINE_S = 20.0
IDLE_S = 5.0


@dataclass(frozen=True)
class Event:
    """Moments in seconds since the epoch; sandbox_s: of the time between, spent in the sandboxes' handlers."""

    employee: str
    sent: float
    answered: float
    done: float
    sandbox_s: float

    @property
    def ms(self) -> float:
        return (self.done - self.sent - self.sandbox_s) * 1000


async def run(count: int) -> list[Figure]:
    async with place() as at:
        arrival(at.vendors.bamboohr.company, PEOPLE).happen()
        await at.rest()
        caller = await at.caller()
        async with Chain.of(at) as chain:
            await measure(at, caller, WARM_UP, [])
            await _floor(chain, WARM_UP)
            idle, idle_s = await _cpu(at, asyncio.sleep(IDLE_S))
            events: list[Event] = []
            floor: list[float] = []
            busy: dict[str, float] = defaultdict(float)
            for part in _parts(count, 5):  # in turn, so that whatever else the machine does meets both
                used, took = await _cpu(at, measure(at, caller, part, events))
                for name, cpu_s in used.items():
                    busy[name] += cpu_s - idle[name] / idle_s * took
                floor += await _floor(chain, part)
        caller.close()
        await at.rest()
        costs = [
            Figure(f"CPU per event, {name}", cpu_s / count * 1000, "ms", note="what it uses when idle is subtracted")
            for name, cpu_s in busy.items()
        ]
        return [*_figures(events, floor, chain), *costs] + [
            Figure(f"step: {name}", median, "ms", note=f"p99 {worst:.1f} ms")
            for name, median, worst in await read_steps(at, events)
        ]


async def measure(at: Place, caller: Caller, count: int, events: list[Event]) -> None:
    """So many events, one after the other, added to `events`."""
    company, vendors = at.vendors.bamboohr.company, at.vendors
    titles = [str(option.id) for option in company.lists["jobTitle"].options.values()]
    people = sorted(company.people, key=int)
    finished: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def note(call: Call) -> None:
        if call.method == "PUT" and not finished.done():
            finished.set_result(call.answered)

    vendors.finished = note
    for number in range(count):
        employee = people[number % len(people)]
        values = company.people[employee].values
        values["jobTitle"] = titles[(titles.index(values["jobTitle"]) + 1) % len(titles)]
        request = at.request(delivery(employee))
        finished = asyncio.get_running_loop().create_future()
        before, sent = vendors.handler_s, time.time()
        status = await caller.ask(request)
        answered = time.time()
        assert status == 200, f"the gateway answered {status}"
        async with asyncio.timeout(DEADLINE_S):
            done = await finished
        events.append(Event(employee, sent, answered, done, vendors.handler_s - before))
        await asyncio.sleep(PAUSE_S)
    vendors.finished = lambda call: None


async def _cpu(at: Place, work: Awaitable[object]) -> tuple[dict[str, float], float]:
    """Part of the installation -> seconds of CPU that it used during `work`; and how long that took."""
    parts = {name: psutil.Process(pid) for name, pid in at.installation.processes().items()}
    before, began = {name: sum(part.cpu_times()[:2]) for name, part in parts.items()}, time.perf_counter()
    await work
    took = time.perf_counter() - began
    return {name: sum(part.cpu_times()[:2]) - before[name] for name, part in parts.items()}, took


async def _floor(chain: Chain, count: int) -> list[float]:
    """Milliseconds of so many rounds."""
    return [await chain.round() for _ in range(count)]


def _figures(events: list[Event], floor: list[float], chain: Chain) -> list[Figure]:
    ours = [event.ms for event in events]
    answers = [(event.answered - event.sent) * 1000 for event in events]
    sandbox = [event.sandbox_s * 1000 for event in events]
    return [
        Figure(
            "webhook to finished Zoho call, p50",
            percentile(ours, 50),
            "ms",
            percentile(floor, 50),
            Target("<=", 25),
            f"{len(events)} events; floor: {CHAIN}",
        ),
        Figure("webhook to finished Zoho call, p90", percentile(ours, 90), "ms", percentile(floor, 90)),
        Figure(
            "webhook to finished Zoho call, p99", percentile(ours, 99), "ms", percentile(floor, 99), Target("<=", 60)
        ),
        Figure("webhook to its answer, p50", percentile(answers, 50), "ms"),
        Figure("webhook to its answer, p99", percentile(answers, 99), "ms"),
        Figure("subtracted: the sandboxes' handlers, p50", percentile(sandbox, 50), "ms"),
        Figure("floor: one append until it is durable, p50", percentile(chain.appends, 50), "ms"),
        Figure("floor: one append until a consumer has it, p50", percentile(chain.hops, 50), "ms"),
    ]


def _parts(count: int, of: int) -> list[int]:
    """`count` in at most `of` parts of about the same size."""
    return [part for number in range(of) if (part := count * (number + 1) // of - count * number // of)]
