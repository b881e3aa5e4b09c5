"""Which faults strike when: drawn from the seed before anything starts, so that a seed means the same each time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.faults import FAULTS, KINDS
from tests.chaos.faults.fault import Fault
from tests.chaos.world import Shape

FIRST_S = 1.0


@dataclass(frozen=True)
class Planned:
    """at: seconds after the changes began. rng: what is left to chance in it."""

    at: float
    fault: Fault
    rng: random.Random


def planned(seed: int, shape: Shape, seconds: float, count: int, kinds: Sequence[str] = ()) -> list[Planned]:
    """`count` faults within `seconds`, in order of time. kinds: these and no others, in this order.

    Without them every kind comes up once before any comes up again.
    """
    rng = random.Random(f"plan {seed}")
    possible = [fault for fault in FAULTS if fault.brokers <= shape.brokers]
    drawn: list[Fault] = [KINDS[kind] for kind in kinds]
    while len(drawn) < count and not kinds:
        drawn += rng.sample(possible, len(possible))
    drawn = drawn if kinds else drawn[:count]
    times = sorted(rng.uniform(FIRST_S, max(FIRST_S, seconds)) for _ in drawn)
    return [
        Planned(at, fault, random.Random(f"{seed} {n}")) for n, (at, fault) in enumerate(zip(times, drawn, strict=True))
    ]
