"""The vendors answer badly, late, by half or not at all: the sandboxes' own faults, planted for the next calls."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any, Literal

from stream.sandbox.faults import Fault as Planted
from stream.sandbox.faults import Faults
from tests.chaos.faults.fault import Fault, Strike
from tests.chaos.world import World

Api = Literal["bamboohr", "zoho"]
PATHS: Mapping[Api, str] = {"bamboohr": ".*/employees/", "zoho": "/books/v3/contacts"}
CALLS = (1, 6)
"""How many calls it hits."""
WITHIN_S = 40.0
"""What has not been hit by then is spared: nothing may be called for a while, as when Kafka is away."""
ALL = 1_000_000
SILENT_S = 60.0
HELD_S = 15.0
"""So long each call is held: longer than its caller waits, and than a lost write takes to settle."""
LATE_S = (1.0, 7.0)
"""Seconds after which it is handled, though the caller gives up after 5: before a lost write is taken for settled."""
TOO_LATE_S = (5.2, 8.0)
"""After the caller has given up, before it looks whether the write was done."""
LOOK_AGAIN_S = 0.1


def _answers(api: Api, *, calls: tuple[int, int] = CALLS, **words: Any) -> Strike:
    async def strike(world: World, rng: random.Random) -> str | None:
        return await _plant(world, api, Planted(path=PATHS[api], times=rng.randint(*calls), **words))

    return strike


def _late(api: Api) -> Strike:
    async def strike(world: World, rng: random.Random) -> str | None:
        words: dict[str, Any] = {"delay_s": rng.uniform(*LATE_S), "drop": rng.choice((None, "after"))}
        return await _plant(world, api, Planted(path=PATHS[api], times=rng.randint(*CALLS), **words))

    return strike


async def _done_too_late(world: World, rng: random.Random) -> str | None:
    return await _plant(
        world,
        "zoho",
        Planted(method="POST", path=PATHS["zoho"], times=rng.randint(*CALLS), delay_s=rng.uniform(*TOO_LATE_S)),
    )


def _silent(api: Api) -> Strike:
    """What comes meanwhile is handled, and nobody hears of it."""

    async def strike(world: World, rng: random.Random) -> str | None:
        planted = Planted(path=PATHS[api], times=ALL, hold_s=HELD_S)
        return await _plant(world, api, planted, within=SILENT_S)

    return strike


def _applied_and_dropped(method: str) -> Strike:
    async def strike(world: World, rng: random.Random) -> str | None:
        planted = Planted(method=method, path=PATHS["zoho"], times=rng.randint(*CALLS), drop="after")
        return await _plant(world, "zoho", planted)

    return strike


async def _plant(world: World, api: Api, planted: Planted, *, within: float = WITHIN_S) -> str | None:
    """Until it has hit as often as it should, or the time is over. within: seconds."""
    office = world.office
    faults: Faults = office.zoho.faults if api == "zoho" else office.bamboohr.faults
    faults.plant(planted)
    until = asyncio.get_running_loop().time() + within
    while (left := faults.left(planted)) and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(LOOK_AGAIN_S)
    faults.lift(planted)
    hits = (planted.times or 0) - left
    return f"{hits} calls" if hits else None


FAULTS = (
    *(
        Fault(f"{api} answers {status}", _answers(api, status=status, retry_after=retry_after))
        for api in PATHS
        for status, retry_after in ((429, 2), (500, None), (503, 1))
    ),
    *(Fault(f"{api} answers 401", _answers(api, calls=(1, 1), status=401)) for api in PATHS),
    *(Fault(f"{api} answers by half", _answers(api, body="half")) for api in PATHS),
    *(Fault(f"{api} resets", _answers(api, drop="before")) for api in PATHS),
    *(Fault(f"{api} is late", _late(api)) for api in PATHS),
    *(Fault(f"{api} is silent for a minute", _silent(api)) for api in PATHS),
    Fault("applied too late POST", _done_too_late),
    *(Fault(f"applied and dropped {method}", _applied_and_dropped(method)) for method in ("POST", "PUT")),
)
