"""A broker is killed and started again on the same folder; in a cluster, the one that leads the company's partition."""

from __future__ import annotations

import asyncio
import random

from stream.topics import HR_EVENTS
from tests.chaos.cluster import Broker
from tests.chaos.faults.fault import Fault
from tests.chaos.world import World
from tests.e2e.waiting import until

AWAY_S = (0.0, 8.0)
BACK_S = 60.0


async def _restart(world: World, rng: random.Random, broker: Broker) -> str:
    away = rng.uniform(*AWAY_S)
    await broker.kill()
    try:
        await asyncio.sleep(away)
    finally:
        await broker.start()
        await until("the broker answers again", broker.answers, BACK_S)
    return f"broker {broker.config.node_id}, {away:.1f} s away"


async def restart_broker(world: World, rng: random.Random) -> str:
    async with world.cluster.one_at_a_time:
        return await _restart(world, rng, rng.choice(world.cluster.brokers))


async def kill_leader(world: World, rng: random.Random) -> str:
    async with world.cluster.one_at_a_time:
        leader = await world.sight.leader(HR_EVENTS)
        return await _restart(world, rng, next(b for b in world.cluster.brokers if b.config.node_id == leader))


FAULTS = (
    Fault("restart broker", restart_broker),
    Fault("kill leader", kill_leader, brokers=3),
)
