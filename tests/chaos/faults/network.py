"""The network between one process and Kafka, or between a worker and the vendors, is cut or slow for a while."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

from tests.chaos.faults.fault import Fault, Strike, a_gateway, a_worker
from tests.chaos.member import Member
from tests.chaos.proxy import Proxy
from tests.chaos.world import World

CUT_S = (1.0, 15.0)
SLOW_S = (3.0, 12.0)
DELAY_S = (0.1, 2.5)
OF_GATEWAY = 0.25

Between = Callable[[World, random.Random], Awaitable[tuple[Member, Sequence[Proxy]]]]
"""Whose paths, and which of them."""
Harm = Callable[[Sequence[Proxy], random.Random], tuple[float, str]]
"""Does it; for how many seconds it shall last, and what exactly it is."""


async def _kafka(world: World, rng: random.Random) -> tuple[Member, Sequence[Proxy]]:
    member = a_gateway(world, rng) if rng.random() < OF_GATEWAY else await a_worker(world, rng)
    return member, member.kafka


async def _vendors(world: World, rng: random.Random) -> tuple[Member, Sequence[Proxy]]:
    member = await a_worker(world, rng)
    return member, rng.choice([member.vendors[:1], member.vendors[1:], member.vendors])


def _cut(paths: Sequence[Proxy], rng: random.Random) -> tuple[float, str]:
    for path in paths:
        path.cut()
    return rng.uniform(*CUT_S), "nothing passes"


def _slow(paths: Sequence[Proxy], rng: random.Random) -> tuple[float, str]:
    seconds, delay = rng.uniform(*SLOW_S), rng.uniform(*DELAY_S)
    for path in paths:
        path.delay = delay
    return seconds, f"each chunk {delay:.1f} s late"


def _on(between: Between, harm: Harm) -> Strike:
    async def strike(world: World, rng: random.Random) -> str:
        member, paths = await between(world, rng)
        seconds, what = harm(paths, rng)
        try:
            await asyncio.sleep(seconds)
        finally:
            for path in paths:
                path.heal()
        return f"{member.name}, {seconds:.1f} s, {what}"

    return strike


FAULTS = (
    Fault("cut from Kafka", _on(_kafka, _cut)),
    Fault("slow to Kafka", _on(_kafka, _slow)),
    Fault("cut from vendors", _on(_vendors, _cut)),
    Fault("slow to vendors", _on(_vendors, _slow)),
)
