"""One seed from beginning to end: start, change and harm, heal, wait until nothing is owed, compare."""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stream.records import DeadLetter, HrEvent, SyncOutcome
from stream.topics import DEAD_LETTERS, HR_EVENTS, OUTCOMES
from tests.chaos.judge import Verdict, judge
from tests.chaos.plan import Planned, planned
from tests.chaos.sight import folded_again
from tests.chaos.stall import Stall
from tests.chaos.witness import order_violations
from tests.chaos.world import Shape, World

CHANGE_EVERY_S = 0.2
SHORTEST_S = 20.0
FAULT_EVERY_S = 4.0
HEALED_S = 180.0
"""Within these nothing may be owed any more, once the last fault is over."""
CALM_LOOKS = 3
"""So often in a row nothing must be owed: a record may be under way between two looks."""
LOOK_AGAIN_S = 0.5


@dataclass
class Result:
    """What one seed came to. troubles: each violation in words."""

    seed: int
    changes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    verdict: Verdict = field(default_factory=Verdict)
    order: list[str] = field(default_factory=list)
    longest_stall_s: float = 0.0
    redeliveries: int = 0

    @property
    def troubles(self) -> list[str]:
        verdict = self.verdict
        named = {"lost": verdict.lost, "duplicate": verdict.duplicates, "wrong": verdict.wrong, "order": self.order}
        return [f"{kind}: {text}" for kind, texts in named.items() for text in texts]


class Run:
    """kinds: of the faults that strike; all that there are, in random order, when none are named."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        shape: Shape,
        changes: int,
        kinds: Sequence[str] = (),
        shortest: float = SHORTEST_S,
    ) -> None:
        """shortest: seconds that the changes take at least."""
        self.world = World(folder, seed, shape)
        self.result = Result(seed)
        self._changes = changes
        self._seconds = max(shortest, changes * CHANGE_EVERY_S)
        count = round(self._seconds / FAULT_EVERY_S)
        self._plan = planned(seed, shape, self._seconds, count, kinds)

    def say(self, text: str) -> None:
        print(f"[seed {self.result.seed} {self.world.seconds():6.1f} s] {text}", file=sys.stderr, flush=True)

    async def go(self) -> Result:
        """What came of it. A run that breaks off has not shown that nothing is lost, and says so."""
        try:
            await self._go()
        except Exception as error:
            traceback.print_exception(error)
            self.result.verdict.lost.append(f"the run broke off: {type(error).__name__}")
        return self.result

    async def _go(self) -> None:
        world, result = self.world, self.result
        stall = Stall(world)
        self.say(f"{world.shape}, {self._changes} changes, {len(self._plan)} faults in {world.folder}")
        try:
            await world.start()
            self.say("every process is ready")
            stall.start()
            await self._under_fire()
            world.life.end_sharing()
            self.say(f"{world.life.changes} changes are made and every fault is over")
            owed = await self._calm()
            await stall.stop()
            result.changes, result.longest_stall_s = world.life.changes, round(stall.longest, 1)
            await self._judge(owed)
        finally:
            await stall.stop()
            await world.stop()

    async def _under_fire(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._live())
            for one in self._plan:
                tasks.create_task(self._strike(one))

    async def _live(self) -> None:
        life = self.world.life
        while life.changes < self._changes:
            life.happen()
            await asyncio.sleep(max(0.0, self._seconds * life.changes / self._changes - self.world.seconds()))

    async def _strike(self, one: Planned) -> None:
        kind = one.fault.kind
        await asyncio.sleep(max(0.0, one.at - self.world.seconds()))
        self.say(f"fault: {kind}")
        done = await one.fault.strike(self.world, one.rng)
        self.result.faults[kind] += done is not None
        self.say(f"over: {kind} ({done or 'there was nothing to do it to'})")

    async def _calm(self) -> list[str]:
        """Wait until nothing is owed; what still is when that takes too long."""
        end, calm, said = time.monotonic() + HEALED_S, 0, ""
        while True:
            owed = await self.world.owed()
            calm = 0 if owed else calm + 1
            if calm >= CALM_LOOKS or time.monotonic() > end:
                self.say(f"still owed: {'; '.join(owed)}" if owed else "nothing is owed")
                return owed
            if (now := "; ".join(owed)) != said:
                self.say(f"owed: {now}")
                said = now
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _judge(self, owed: list[str]) -> None:
        world, result, office = self.world, self.result, self.world.office
        outcomes = [r for r in await world.sight.records(OUTCOMES) if isinstance(r, SyncOutcome)]
        events = [r for r in await world.sight.records(HR_EVENTS) if isinstance(r, HrEvent)]
        contacts = office.zoho.organization.contacts
        result.verdict = judge(office.bamboohr.company, contacts.values(), outcomes, world.life.whose)
        result.verdict.lost += [f"{owed} after {HEALED_S:g} s of peace" for owed in owed]
        result.verdict.lost += await self._not_on_the_log(events)
        result.order = order_violations(office.book.writes, world.life.whose)
        again = sum(attempt.number > 1 for attempt in office.bamboohr.deliveries)
        result.redeliveries = again + folded_again([event.digest for event in events if event.digest])
        self.say(f"answers to deliveries: {dict(world.doorman.answers)}")
        for member in (*world.workers, *world.gateways):
            if member.ends:
                self.say(f"{member.name} ended by itself: {dict(member.ends)}, {dict(member.last_words())}")
        for trouble in result.troubles:
            self.say(trouble)

    async def _not_on_the_log(self, events: Sequence[HrEvent]) -> list[str]:
        """What a gateway or an agent took and did not keep, and what no gateway took while BambooHR repeated it."""
        world = self.world
        letters = [r for r in await world.sight.records(DEAD_LETTERS) if isinstance(r, DeadLetter)]
        kept = {(letter.origin.topic, letter.origin.offset) for letter in letters if letter.origin is not None}
        unheard = world.doorman.taken - {event.digest for event in events}
        found = [f"bytes at {at} are in no dead letter" for at in sorted(world.undecodable - kept)]
        found += [f"delivery {digest[:12]} was taken and is not on the log" for digest in sorted(unheard)]
        if given_up := world.office.given_up:
            found.append(f"{given_up} deliveries will not be repeated")
        return found
