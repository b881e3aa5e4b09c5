"""A company whose people change once each while some of their webhooks never come: what the next poll finds, and what
the report says of it. A whole installation in processes of its own, both sandboxes in this one.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

import orjson

from stream.sandbox.bamboohr import Disorder
from tests.bench.company import company_of
from tests.bench.figures import Figure, Target
from tests.e2e.processes import rosterbook
from tests.e2e.waiting import until
from tests.e2e.world import World

SHARE = 0.05
PER_PERSON_S = 0.3
NONE = Target("<=", 0)


async def run(count: int) -> Sequence[Figure]:
    """count: people of the company."""
    async with company_of(count) as world:
        return await _figures(world, count)


async def _figures(world: World, count: int) -> list[Figure]:
    everybody = list(world.company.people)
    dropped = set(random.Random(1).sample(everybody, round(count * SHARE)))
    deadline = 60 + PER_PERSON_S * count
    world.vendors.bamboohr.misbehave(Disorder(lost=1.0))
    await _change(world, [employee for employee in everybody if employee in dropped], deadline)
    world.vendors.bamboohr.misbehave(Disorder())
    await _change(world, [employee for employee in everybody if employee not in dropped], deadline)
    contacts = world.organization.contacts
    # More than these where the poll that comes before BambooHR's log overflows has found some of the others already.
    await until("those who were told of have contacts", lambda: len(contacts) >= count - len(dropped), deadline)
    await until("nothing is owed", world.owes_nothing, 60)
    poll, poll_s = await _told(world, deadline)
    differ = 0 if world.compare().equal else count - len(contacts) or 1
    report, report_s = await _told(world, deadline, "--report")
    named = {change["employee"] for change in report["missing_changes"]}
    fetched = {change["employee"] for change in report["missing_changes"] if change["fetched_at"]}
    note = f"{count} people, {len(dropped)} webhooks dropped; the poll at the end read {poll['read_again']} again"
    return [
        Figure("people who differ after the poll", differ, "people", target=NONE, note=note),
        Figure("dropped ones that the report does not name", len(dropped - named), "people", target=NONE),
        Figure("others that the report names", len(named - dropped), "people", target=NONE),
        Figure("named ones that were not fetched", len(named - fetched), "people", target=NONE),
        Figure(
            "a log that does not reach back says so",
            float(report["log"]["whole"] is False),
            "",
            target=Target(">=", 1) if count - len(dropped) > 200 else None,
            note=f"{report['log']['lines']} deliveries in BambooHR's log",
        ),
        Figure("the poll, until all were read and put right", poll_s, "s"),
        Figure("the report", report_s, "s", note=f"{report['looked_at']} changes"),
    ]


async def _change(world: World, employees: Sequence[str], deadline: float) -> None:
    """Each gets another title; returns once nothing of it is on its way."""
    for employee in employees:
        world.retitle(employee)
    await until("nothing is on its way", lambda: not world.vendors.bamboohr.unsent, deadline)


async def _told(world: World, deadline: float, *options: str) -> tuple[dict[str, Any], float]:
    began = time.perf_counter()
    ended = await rosterbook("reconcile", *options, "--json", deadline=deadline, **world.variables)
    assert ended.code == 0, ended.err
    told: dict[str, Any] = orjson.loads(ended.out)
    return told, time.perf_counter() - began
