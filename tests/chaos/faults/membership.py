"""A worker joins, and leaves again; another loses its local tables while it is down."""

from __future__ import annotations

import asyncio
import random
import signal

from tests.chaos.faults.fault import Fault, Strike, a_worker, begin_writing
from tests.chaos.process import LATE_ROWS
from tests.chaos.world import World
from tests.e2e.waiting import until

STAYS_S = (6.0, 15.0)
DOWN_S = (0.0, 10.0)
EMPTY_S = 60.0


async def join_and_leave(world: World, rng: random.Random) -> str:
    async with world.membership:
        spare, seconds = world.spare, rng.uniform(*STAYS_S)
        await spare.start()
        try:
            await asyncio.sleep(seconds)
        finally:
            await spare.down(rng.choice((signal.SIGTERM, signal.SIGKILL)))
        return f"{spare.name}, {seconds:.1f} s"


def _state_lost(amid: int | None = None) -> Strike:
    """amid: makes writes of that sort late first, so that one is under way when the machine and its disk are lost."""

    async def strike(world: World, rng: random.Random) -> str:
        async with world.membership:
            member, seconds = await a_worker(world, rng), rng.uniform(*DOWN_S)
            await begin_writing(member, amid, rng)
            await member.down(signal.SIGKILL if amid else rng.choice((signal.SIGTERM, signal.SIGKILL)))
            try:
                member.forget_state()
                await asyncio.sleep(seconds)
            finally:
                await member.start()
            return f"{member.name}, {seconds:.1f} s down"

    return strike


async def rebuild(world: World, rng: random.Random) -> str:
    """Every table is made anew from the log: what was done once must not be done again."""
    async with world.membership, world.cluster.one_at_a_time:  # so that no broker is away meanwhile
        members = world.workers[:-1]
        await asyncio.gather(*(member.down(signal.SIGTERM) for member in members))
        try:
            await until("the group is empty", world.sight.group_is_empty, EMPTY_S)
            await world.sight.rewind()
            for member in members:
                member.forget_state()
        finally:
            for member in members:
                await member.start()
        return f"{len(members)} workers"


FAULTS = (
    Fault("join and leave", join_and_leave),
    Fault("state deleted", _state_lost()),
    Fault("state deleted amid a row", _state_lost(LATE_ROWS)),
    Fault("tables rebuilt", rebuild),
)
