"""A broker is killed, told to end or frozen, and there again later; in a cluster also the one that leads the company's
partition.
"""

from __future__ import annotations

import asyncio
import random
import signal

from stream.topics import HR_EVENTS
from tests.chaos.cluster import Broker
from tests.chaos.faults.fault import FROZEN_S, Fault, Strike
from tests.chaos.world import World
from tests.e2e.waiting import until

AWAY_S = (0.0, 8.0)
BACK_S = 60.0


async def _restart(rng: random.Random, broker: Broker, number: signal.Signals) -> str:
    away = rng.uniform(*AWAY_S)
    await broker.end(number)
    try:
        await asyncio.sleep(away)
    finally:
        await broker.start()
        await until("the broker answers again", broker.answers, BACK_S)
    return f"broker {broker.config.node_id}, {away:.1f} s away"


def _restarted(number: signal.Signals) -> Strike:
    async def strike(world: World, rng: random.Random) -> str:
        async with world.cluster.one_at_a_time:
            return await _restart(rng, rng.choice(world.cluster.brokers), number)

    return strike


async def freeze_broker(world: World, rng: random.Random) -> str:
    async with world.cluster.one_at_a_time:
        broker = rng.choice(world.cluster.brokers)
        broker.send(signal.SIGSTOP)
        try:
            await asyncio.sleep(FROZEN_S)
        finally:
            broker.send(signal.SIGCONT)
            await until("the broker answers again", broker.answers, BACK_S)
        return f"broker {broker.config.node_id}"


async def kill_leader(world: World, rng: random.Random) -> str:
    async with world.cluster.one_at_a_time:
        leader = await world.sight.leader(HR_EVENTS)
        brokers = world.cluster.brokers
        broker = next((b for b in brokers if b.config.node_id == leader), rng.choice(brokers))
        return await _restart(rng, broker, signal.SIGKILL)


FAULTS = (
    Fault("kill broker", _restarted(signal.SIGKILL)),
    Fault("end broker", _restarted(signal.SIGTERM)),
    Fault("freeze broker", freeze_broker),
    Fault("kill leader", kill_leader, brokers=3),
)
