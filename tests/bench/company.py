"""A company of so many people on sandboxes whose limits play no part, and an installation beside it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agents.demo.vendors import Vendors
from stream.sandbox.bamboohr import people
from tests.e2e.world import NOT_ASKED, World

CALLS_PER_MINUTE = 60_000


@asynccontextmanager
async def company_of(count: int) -> AsyncIterator[World]:
    """Connected, and nobody loaded yet."""
    with tempfile.TemporaryDirectory(prefix="rosterbook-bench-") as folder:
        world = World(Path(folder))
        world.vendors = Vendors(calls_per_minute=CALLS_PER_MINUTE)
        await world.vendors.start()
        try:
            for one in people.invent(count, seed=1):
                world.company.hire({name: value for name, value in one.items() if value and name not in NOT_ASKED})
            await (await world.start_up()).ready()
            await world.connect()
            yield world
        finally:
            await world.close()
