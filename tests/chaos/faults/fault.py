"""What a fault is: a kind, and what it does to a world, which is healed again when it returns."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.chaos.member import Member
from tests.chaos.world import World

Strike = Callable[[World, random.Random], Awaitable[str | None]]
"""Does it, and returns what exactly was done, once it is over; None when there was nothing to do it to."""


FROZEN_S = 20.0
"""For so long a process that is frozen stays so."""
OF_OWNER = 0.7
UNDER_WAY_S = (0.5, 2.5)
"""Less than a write is late."""


@dataclass(frozen=True)
class Fault:
    """brokers: the fewest that it needs."""

    kind: str
    strike: Strike
    brokers: int = 1


async def a_worker(world: World, rng: random.Random) -> Member:
    """Any but a spare that is not there: more often than not the one that serves the company."""
    owner = await world.owner() if rng.random() < OF_OWNER else None
    return owner or rng.choice([member for member in world.workers if member.wanted or member is not world.spare])


def a_gateway(world: World, rng: random.Random) -> Member:
    return rng.choice(world.gateways)


async def begin_writing(member: Member, amid: int | None, rng: random.Random) -> None:
    """Return when a write of that sort is under way, if there is any. amid: a signal of `tests/chaos/process.py`."""
    if amid is not None:
        member.send(amid)
        await asyncio.sleep(rng.uniform(*UNDER_WAY_S))
