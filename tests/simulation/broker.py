"""Kafka as the product sees it: topics as lists, what a group has committed, and the group's coordinator.

A record that is appended stays. The coordinator follows the eager protocol: whoever is silent for the session time-out
is out, a change of membership makes everybody give up everything and join again, and each generation deals the
partitions anew.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from agents.recovery import Entry, Headers
from stream.topics import TOPICS
from tests.simulation.loop import SimulatedTime

Place = tuple[str, int]
SESSION_S = 8.0
JOIN_S = 30.0
"""How long a rebalance waits for members that are alive and do not join."""
LOOK_S = 0.25


class Broker:
    """The topics. appended: told the place of each batch. moved: told topic, offset and records that are committed."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.logs: dict[Place, list[Entry]] = defaultdict(list)
        self.headers: dict[Place, dict[int, Headers]] = defaultdict(dict)
        """Offset -> headers of the records that have some."""
        self.committed: dict[Place, int] = {}
        self.appended: list[Callable[[Place], None]] = []
        self.moved: Callable[[str, int, Sequence[Entry]], None] = lambda topic, first, entries: None
        self.life = 1
        self.topic_ids = {topic.name: f"life-{number:02d}-of-it-{topic.name}" for number, topic in enumerate(TOPICS)}

    def append(self, place: Place, entries: Sequence[Entry], headers: Headers = ()) -> int:
        """Returns the offset of the first."""
        log = self.logs[place]
        first = len(log)
        log.extend(entries)
        if headers:
            self.headers[place].update(dict.fromkeys(range(first, len(log)), headers))
        for told in list(self.appended):
            told(place)
        return first

    def commit(self, positions: Mapping[Place, int]) -> None:
        """Records before these positions are not read again."""
        for place, offset in positions.items():
            before = self.committed.get(place, 0)
            if offset > before:
                self.committed[place] = offset
                self.moved(place[0], before, self.logs[place][before:offset])

    def end(self, place: Place) -> int:
        return len(self.logs[place])


class Membership:
    """What the coordinator knows of one member."""

    def __init__(self, heard: float) -> None:
        self.heard = heard
        self.joining: asyncio.Future[tuple[int, list[int]]] | None = None


class Coordinator:
    """Members are known by an id that is new in every life of a worker, and new again after it was put out."""

    def __init__(self, loop: SimulatedTime, partitions: int, chance: random.Random) -> None:
        self._loop = loop
        self._partitions = partitions
        self._chance = chance
        self._members: dict[str, Membership] = {}
        self._preparing_since: float | None = None
        self.generation = 0
        self.owners: dict[int, str] = {}
        """Partition -> member, of the present generation; empty while it is being prepared."""
        loop.outside(LOOK_S, self._look)

    def join(self, member: str) -> asyncio.Future[tuple[int, list[int]]]:
        """Done with generation and partitions when all have joined."""
        known = self._members.setdefault(member, Membership(self._loop.time()))
        known.heard = self._loop.time()
        joined = known.joining = self._loop.create_future()
        self._prepare()
        self._complete()
        return joined

    def leave(self, member: str) -> None:
        if self._members.pop(member, None) is not None:
            self._prepare()
            self._complete()

    def heartbeat(self, member: str, generation: int) -> Literal["accepted", "rebalancing", "unknown"]:
        known = self._members.get(member)
        if known is None:
            return "unknown"
        known.heard = self._loop.time()
        return "accepted" if self._preparing_since is None and generation == self.generation else "rebalancing"

    def may_commit(self, member: str, generation: int) -> bool:
        """A generation's members may commit until the next one begins."""
        return member in self._members and generation == self.generation

    def _prepare(self) -> None:
        if self._preparing_since is None:
            self._preparing_since = self._loop.time()
            self.owners = {}

    def _complete(self) -> None:
        joined = {name: known for name, known in self._members.items() if known.joining is not None}
        if self._preparing_since is None or not joined or len(joined) < len(self._members):
            return
        self.generation += 1
        self._preparing_since = None
        names = sorted(joined)
        self._chance.shuffle(names)
        dealt: dict[str, list[int]] = {name: [] for name in names}
        for number in range(self._partitions):
            name = names[number % len(names)]
            dealt[name].append(number)
            self.owners[number] = name
        for name, known in joined.items():
            assert known.joining is not None
            known.joining.set_result((self.generation, dealt[name]))
            known.joining, known.heard = None, self._loop.time()

    def _look(self) -> None:
        now = self._loop.time()
        for name, known in list(self._members.items()):
            late = self._preparing_since is not None and now - self._preparing_since > JOIN_S
            if known.joining is None and (now - known.heard > SESSION_S or late):
                self.leave(name)
        self._loop.outside(LOOK_S, self._look)
