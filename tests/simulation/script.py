"""What happens in one run: changes in the companies and faults, each an entry with its time, drawn from a seed.

Every entry stands for itself, so that any of them can be left out and the rest still makes sense: that is what
shrinking does. An entry prints as the Python expression that makes it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from tests.simulation.vendors import TROUBLES, Trouble

ChangeKind = Literal["edit", "move", "swap", "share", "leave", "rehire", "delete", "unstate"]
FaultKind = Literal["kill", "wipe", "freeze", "hold", "stop", "log", "write", "vendor", "outage", "token", "garbage"]

CHANGES: dict[ChangeKind, int] = {
    "edit": 50,
    "move": 12,
    "swap": 6,
    "share": 5,
    "leave": 10,
    "rehire": 8,
    "delete": 4,
    "unstate": 2,
}
FAULTS: dict[FaultKind, int] = {
    "kill": 5,
    "wipe": 3,
    "freeze": 6,
    "hold": 2,
    "stop": 2,
    "log": 3,
    "vendor": 12,
    "outage": 1,
    "token": 1,
    "garbage": 1,
}
K = TypeVar("K")
LOG_TROUBLES = ("lost", "unconfirmed", "slow")


@dataclass(frozen=True)
class Change:
    """Something that somebody does in BambooHR. slot, other: whom it concerns.

    notice: seconds until the webhook arrives; again: until it arrives once more, None if it does not.
    """

    at: float
    office: int
    kind: ChangeKind
    slot: int
    other: int
    notice: float
    again: float | None


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong. whom: worker or office.

    steps: of the worker, or for "write" writes to the log, until it happens, or calls that it hits.
    seconds: for which the worker is frozen or away.
    """

    at: float
    kind: FaultKind
    whom: int
    steps: int
    seconds: float
    detail: str


@dataclass(frozen=True)
class Script:
    """A run. seed: of everything that the entries leave open, such as how long a message travels."""

    seed: int
    offices: int
    workers: int
    quota: int
    calm: bool
    """Whether nobody shares an address any more at the end."""
    replayed: bool
    """Whether the log is read once more in the end, which takes a third of the time of a run."""
    entries: tuple[Change | Fault, ...]

    @property
    def changes(self) -> int:
        return sum(isinstance(entry, Change) for entry in self.entries)


def drawn(
    seed: int, changes: int, faults: Mapping[FaultKind, int] = FAULTS, troubles: Sequence[Trouble] = TROUBLES
) -> Script:
    """The script of a seed. faults: kind -> weight; without any nothing goes wrong. troubles: of single calls."""
    chance = random.Random(seed)
    offices, workers = chance.choice((1, 2, 2, 3)), chance.choice((1, 2, 2, 3))
    pace = chance.choice((0.03, 0.15, 0.6)) / offices
    slots = chance.choice((5, 12, 30))
    share = chance.choice((0.05, 0.15, 0.3)) if faults else 0.0
    entries: list[Change | Fault] = []
    now, made = 1.0, 0
    while made < changes:
        now += chance.expovariate(1.0) * pace
        office, slot, other = chance.randrange(offices), chance.randrange(slots), chance.randrange(slots)
        kind = _picked(chance, CHANGES)
        for _ in range(chance.choice((1, 1, 1, 4, 12)) if kind == "edit" else 1):
            if made < changes:
                entries.append(_change(chance, now, office, kind, slot, other))
                made += 1
        if chance.random() < share:
            entries.append(_fault(chance, _picked(chance, faults), now, workers, offices, troubles))
    quota, calm, replayed = chance.choice((30, 100, 100, 300)), chance.random() < 0.7, chance.random() < 0.3
    return Script(seed, offices, workers, quota, calm, replayed, tuple(entries))


def _change(chance: random.Random, now: float, office: int, kind: ChangeKind, slot: int, other: int) -> Change:
    notice = chance.choices((0.3, 15.0, 200.0), (85, 12, 3))[0] * chance.random()
    again = notice + 30.0 * chance.random() if chance.random() < 0.1 else None
    return Change(round(now, 3), office, kind, slot, other, round(notice, 3), again and round(again, 3))


def _fault(
    chance: random.Random, kind: FaultKind, now: float, workers: int, offices: int, troubles: Sequence[Trouble]
) -> Fault:
    whom, steps, seconds = chance.randrange(workers), chance.randrange(60), 0.2 + 5 * chance.random() ** 2
    detail = ""
    match kind:
        case "freeze" | "hold":
            seconds = chance.choice((2.0, 9.0, 14.0, 30.0, 90.0)) * (0.7 + 0.6 * chance.random())
        case "log" | "write":
            detail = chance.choice(LOG_TROUBLES)
        case "vendor" | "outage":
            whom = chance.randrange(offices)
            api = chance.choice(("zoho", "zoho", "zoho", "bamboohr", "token"))
            trouble = chance.choice(troubles) if kind == "vendor" else chance.choice(("429", "503", "unreachable"))
            steps = chance.choice((1, 1, 2, 4)) if kind == "vendor" else chance.randrange(5, 15)
            detail = f"{api}: {trouble}"
        case "token":
            whom = chance.randrange(offices)
        case "garbage":
            whom = chance.randrange(offices)
            detail = chance.choice(("hr-events", "employees", "contact-upserts", "outcomes"))
    return Fault(round(now, 3), kind, whom, steps, round(seconds, 2), detail)


def _picked(chance: random.Random, weights: Mapping[K, int]) -> K:
    return chance.choices(list(weights), list(weights.values()))[0]
