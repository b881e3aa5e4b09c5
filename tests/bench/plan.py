"""A plan of everybody: how long it takes beyond the calls that read people and contacts, and how many those are.

Everybody was loaded before, and one in ten has changed since, of whom no webhook came. Sandboxes' limits are raised
until they play no part; the connection is in preview, so that nothing of it is written meanwhile.
"""

from __future__ import annotations

import time
from typing import Any

import orjson

from stream.sandbox.bamboohr import Disorder
from tests.bench.company import company_of
from tests.bench.figures import Figure, Target
from tests.bench.loading import PER_PERSON_S
from tests.e2e.processes import rosterbook
from tests.e2e.world import World

ONE_IN = 10


async def run(count: int) -> list[Figure]:
    """count: people of the company."""
    async with company_of(count) as world:
        loaded = await rosterbook("backfill", "--json", deadline=60 + PER_PERSON_S * count, **world.variables)
        assert loaded.code == 0, loaded.err
        world.vendors.bamboohr.misbehave(Disorder(lost=1.0))
        assert (await world.add(world.file_with("preview", mode='"preview"'))).code == 0
        changed = list(world.company.people)[::ONE_IN]
        for employee in changed:
            world.retitle(employee)
        return await _planned(world, count, len(changed))


async def _planned(world: World, count: int, changed: int) -> list[Figure]:
    vendors = world.vendors
    vendors.zoho.calls.reset()
    pages = vendors.bamboohr.calls.total("/employees", method="GET")
    began = time.perf_counter()
    ended = await rosterbook("plan", "--json", deadline=120, **world.variables)
    seconds = time.perf_counter() - began
    assert ended.code == 0, ended.err
    told: dict[str, Any] = orjson.loads(ended.out)
    assert told["people"] == count, told["counts"]
    assert told["counts"]["change"] == changed, told["counts"]
    assert vendors.zoho.calls.writes == 0
    pages = vendors.bamboohr.calls.total("/employees", method="GET") - pages
    note = f"{count} people, {changed} changed; {pages} calls of BambooHR"
    return [
        Figure("plan of everybody, from the command to its answer", seconds, "s", target=Target("<=", 10), note=note),
        Figure("calls of Zoho Books for it", vendors.zoho_calls, "calls", target=Target("<=", count / 200 * 1.1 + 2)),
    ]
