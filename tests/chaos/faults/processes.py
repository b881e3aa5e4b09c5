"""A worker or gateway is killed, told to end, or frozen. What starts it again is the member's keeper."""

from __future__ import annotations

import asyncio
import random
import signal

from tests.chaos.faults.fault import FROZEN_S, Fault, Strike, a_gateway, a_worker, begin_writing
from tests.chaos.member import Kind, Member
from tests.chaos.process import LATE_APPENDS, LATE_OUTCOMES, LATE_ROWS
from tests.chaos.world import World


async def _victim(kind: Kind, world: World, rng: random.Random) -> Member:
    return await a_worker(world, rng) if kind == "worker" else a_gateway(world, rng)


def _signalled(kind: Kind, number: signal.Signals, *, amid: int | None = None) -> Strike:
    """amid: makes writes of that sort late first, so that one is under way when it strikes."""

    async def strike(world: World, rng: random.Random) -> str:
        member = await _victim(kind, world, rng)
        await begin_writing(member, amid, rng)
        member.send(number)
        return member.name

    return strike


def _frozen(kind: Kind, *, amid: int | None = None) -> Strike:
    async def strike(world: World, rng: random.Random) -> str:
        member = await _victim(kind, world, rng)
        await begin_writing(member, amid, rng)
        member.send(signal.SIGSTOP)
        try:
            await asyncio.sleep(FROZEN_S)
        finally:
            member.send(signal.SIGCONT)
        return member.name

    return strike


FAULTS = (
    Fault("kill worker", _signalled("worker", signal.SIGKILL)),
    Fault("kill worker amid an append", _signalled("worker", signal.SIGKILL, amid=LATE_APPENDS)),
    Fault("kill worker amid an outcome", _signalled("worker", signal.SIGKILL, amid=LATE_OUTCOMES)),
    Fault("kill worker amid a row", _signalled("worker", signal.SIGKILL, amid=LATE_ROWS)),
    Fault("kill gateway", _signalled("gateway", signal.SIGKILL)),
    Fault("kill gateway amid an append", _signalled("gateway", signal.SIGKILL, amid=LATE_APPENDS)),
    Fault("end worker", _signalled("worker", signal.SIGTERM)),
    Fault("end gateway", _signalled("gateway", signal.SIGTERM)),
    Fault("freeze worker", _frozen("worker")),
    Fault("freeze worker amid an append", _frozen("worker", amid=LATE_APPENDS)),
    Fault("freeze worker amid an outcome", _frozen("worker", amid=LATE_OUTCOMES)),
    Fault("freeze gateway", _frozen("gateway")),
)
