"""The wall clock of one process is an hour off, until it is set right. What measures waits is not: it has no date."""

from __future__ import annotations

import asyncio
import random
import signal

from tests.chaos.faults.fault import Fault, a_gateway, a_worker
from tests.chaos.world import World

HOUR_S = 3600.0
OFF_S = (8.0, 15.0)
OF_GATEWAY = 0.3


async def step_clock(world: World, rng: random.Random) -> str:
    member = a_gateway(world, rng) if rng.random() < OF_GATEWAY else await a_worker(world, rng)
    # A gateway that is behind takes a delivery for one of the future and refuses it, as it must.
    skew = HOUR_S if member.kind == "gateway" else rng.choice((-HOUR_S, HOUR_S))
    member.skew, seconds = skew, rng.uniform(*OFF_S)
    member.send(signal.SIGKILL)
    try:
        await asyncio.sleep(seconds)
    finally:
        member.skew = 0.0
        member.send(signal.SIGKILL)
    return f"{member.name}, {skew:+.0f} s for {seconds:.1f} s"


FAULTS = (Fault("clock stepped", step_clock),)
