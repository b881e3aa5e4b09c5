"""Webhooks come twice, late and out of order, and some are sent while Kafka is away."""

from __future__ import annotations

import asyncio
import random

from stream.sandbox.bamboohr import Disorder
from tests.chaos.faults.fault import Fault
from tests.chaos.world import World
from tests.e2e.waiting import until

AGAIN = (5, 20)
DISORDERED_S = (5.0, 15.0)
AWAY_S = (3.0, 10.0)
BACK_S = 60.0
BURST = 8


async def send_again(world: World, rng: random.Random) -> str | None:
    """Deliveries of any age, in any order, each with the signature it had."""
    seen = world.doorman.seen
    again = rng.sample(seen, min(len(seen), rng.randint(*AGAIN)))
    for delivery in again:
        await world.doorman.pass_on(delivery)
    return f"{len(again)} deliveries" if again else None


async def disorder(world: World, rng: random.Random) -> str:
    sandbox, seconds = world.office.bamboohr, rng.uniform(*DISORDERED_S)
    sandbox.misbehave(
        Disorder(
            duplicated=rng.uniform(0.1, 0.5),
            overtaken=rng.uniform(0.1, 0.5),
            delay_s=(0.0, rng.uniform(0.1, 4.0)),
            seed=rng.randrange(1_000_000),
        )
    )
    try:
        await asyncio.sleep(seconds)
    finally:
        sandbox.misbehave(Disorder())
    return f"{seconds:.1f} s"


async def changes_without_kafka(world: World, rng: random.Random) -> str:
    """All brokers are away, and BambooHR has something to tell."""
    async with world.cluster.one_at_a_time:
        away = rng.uniform(*AWAY_S)
        brokers = world.cluster.brokers
        await asyncio.gather(*(broker.end() for broker in brokers))
        try:
            before = world.life.changes
            while world.life.changes < before + BURST:
                world.life.happen()
            changes = world.life.changes - before
            await asyncio.sleep(away)
        finally:
            for broker in brokers:
                await broker.start()
            for broker in brokers:
                await until("the broker answers again", broker.answers, BACK_S)
    return f"{changes} changes, {away:.1f} s"


FAULTS = (
    Fault("deliveries again", send_again),
    Fault("deliveries in disorder", disorder),
    Fault("changes without Kafka", changes_without_kafka),
)
