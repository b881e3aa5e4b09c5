"""A company's life: hires, edits, moves of address, leavers, rehires and deletions, the same for the same seed.

Who was hired in here neither leaves nor is deleted, so that everybody who was ever there has a contact in the end.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from tests.e2e.world import World

SHARES = {"edit": 85, "move": 30, "hire": 25, "leave": 25, "rehire": 15, "delete": 15, "hand over": 5}
"""Of 200 changes; a hand-over of an address to somebody else is two changes of the company but counts as one here."""


class Life:
    """hired: how many so far."""

    def __init__(self, world: World, seed: int = 7) -> None:
        self._world = world
        self._rng = random.Random(seed)
        self._present = list(world.company.people)
        self._away: list[str] = []
        self._moves = 0
        self.hired = 0

    def changes(self) -> Iterator[Callable[[], None]]:
        """200 changes, in an order of their own; each is decided when it happens."""
        kinds = [kind for kind, count in SHARES.items() for _ in range(count)]
        self._rng.shuffle(kinds)
        happen = {
            "edit": self._edit,
            "move": self._move,
            "hire": self._hire,
            "leave": self._leave,
            "rehire": self._rehire,
            "delete": self._delete,
            "hand over": self._hand_over,
        }
        return (happen[kind] for kind in kinds)

    def _edit(self) -> None:
        employee = self._rng.choice(list(self._world.company.people))
        if self._rng.random() < 0.7:
            self._world.retitle(employee)
        else:
            self._world.company.change(employee, {"lastName": f"Newlywed {self._rng.randrange(10_000)}"})

    def _move(self) -> None:
        self._moves += 1
        self._world.company.change(self._rng.choice(self._present), {"workEmail": self._address()})

    def _hire(self) -> None:
        self.hired += len(self._world.hire(1))

    def _leave(self) -> None:
        self._away.append(self._take(self._present))
        self._world.company.terminate(self._away[-1])

    def _rehire(self) -> None:
        if not self._away:
            return self._edit()
        self._present.append(self._take(self._away))
        return self._world.company.rehire(self._present[-1])

    def _delete(self) -> None:
        self._world.company.delete(self._take(self._present))

    def _hand_over(self) -> None:
        """One moves on, another gets the address."""
        first, second = self._rng.sample(self._present, 2)
        self._moves += 1
        address = self._world.company.people[first].values["workEmail"]
        self._world.company.change(first, {"workEmail": self._address()})
        self._world.company.change(second, {"workEmail": address})

    def _take(self, people: list[str]) -> str:
        return people.pop(self._rng.randrange(len(people)))

    def _address(self) -> str:
        return f"moved.{self._moves}@{self._world.company.subdomain}.example"
