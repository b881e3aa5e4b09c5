"""A worker or gateway is killed, told to end, or frozen. What starts it again is the member's keeper."""

from __future__ import annotations

import asyncio
import random
import signal

from tests.chaos.faults.fault import FROZEN_S, Fault, Strike, a_gateway, a_worker
from tests.chaos.member import Kind, Member
from tests.chaos.world import World


async def _victim(kind: Kind, world: World, rng: random.Random) -> Member:
    return await a_worker(world, rng) if kind == "worker" else a_gateway(world, rng)


def _signalled(kind: Kind, number: signal.Signals) -> Strike:
    async def strike(world: World, rng: random.Random) -> str:
        member = await _victim(kind, world, rng)
        member.send(number)
        return member.name

    return strike


def _frozen(kind: Kind) -> Strike:
    async def strike(world: World, rng: random.Random) -> str:
        member = await _victim(kind, world, rng)
        member.send(signal.SIGSTOP)
        try:
            await asyncio.sleep(FROZEN_S)
        finally:
            member.send(signal.SIGCONT)
        return member.name

    return strike


FAULTS = (
    Fault("kill worker", _signalled("worker", signal.SIGKILL)),
    Fault("kill gateway", _signalled("gateway", signal.SIGKILL)),
    Fault("end worker", _signalled("worker", signal.SIGTERM)),
    Fault("end gateway", _signalled("gateway", signal.SIGTERM)),
    Fault("freeze worker", _frozen("worker")),
    Fault("freeze gateway", _frozen("gateway")),
)
