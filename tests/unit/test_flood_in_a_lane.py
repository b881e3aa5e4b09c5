"""A whole Zoho lane while Zoho Books refuses every contact, and after that was mended. In virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from stream.core import folds, set_aside
from stream.core.rows import Company
from stream.fence import Fence
from stream.flood import FloodPolicy
from stream.lane import Lane
from stream.pace import Pace
from stream.quota import Quota, QuotaLedger
from stream.records import LaneOutcome, LogPosition, SyncOutcome
from stream.trouble import RetryPolicy
from tests.memory_zoho import Fault
from tests.small_world import ACME, OUTCOMES, SmallWorld, at, keep_contacts, person
from tests.virtual_time import VirtualTime, run

PEOPLE = 60


class Company60:
    """60 people whose contacts are owed, a lane that pays them, and its log, folded at once."""

    def __init__(self, loop: VirtualTime, fault: Callable[[], Fault | None]) -> None:
        self.loop = loop
        self.world = SmallWorld(clock=cast(Any, loop), fault=fault)
        self.offset = -1
        self.failed: list[SyncOutcome] = []
        self.company = Company()
        self.letters = 0
        self.lane = self.owner()
        for number in range(PEOPLE):
            self.world.hire(str(number + 1), person(f"p{number}@acme.test"))

    def owner(self) -> Lane:
        """A lane as a worker opens it that has just got the partition."""
        lane = Lane(
            ACME,
            "zoho",
            ledger=QuotaLedger(Quota(per_minute=6000, in_flight=5), self.loop),
            fence=Fence(self.loop, session_timeout=8.0, call_deadline=5.0),
            token_pace=Pace(self.loop, 0.2),
            clock=self.loop,
            append=self.append,
            crashed=self.crashed,
            suspended=self.company.suspended.get("zoho"),
        )
        lane.attach(
            keep_contacts(self.world.zoho, self.world.tables.contacts.get, self.append, self.loop, guard=lane.guard)
        )
        return lane

    def crashed(self, error: BaseException) -> None:
        raise AssertionError from error

    async def append(self, outcome: SyncOutcome | LaneOutcome) -> LogPosition:
        await asyncio.sleep(0.01)
        self.offset += 1
        position = at(OUTCOMES, self.offset)
        self.loop.call_soon(self.fold, outcome, position)
        return position

    def fold(self, outcome: SyncOutcome | LaneOutcome, position: LogPosition) -> None:
        match outcome:
            case SyncOutcome():
                self.world.tables.learn(outcome, position)
                self.failed += [outcome] if outcome.action == "failed" else []
                self.letters += len(set_aside.of_outcome(outcome, position))
                self.lane.notice(outcome.contact_key)
            case LaneOutcome():
                self.company = folds.note(self.company, outcome, position)

    def open(self) -> None:
        for key in self.world.tables.contacts:
            self.lane.notice(key)
        self.lane.open()

    @property
    def owed(self) -> int:
        return sum(state.debt.owed for state in self.world.tables.contacts.values())


def test_a_flood_keeps_the_backlog_over_a_change_of_owner_and_all_of_it_is_paid_once_the_cause_is_mended() -> None:
    loop = VirtualTime()
    mended = False

    async def story() -> None:
        nonlocal mended
        one = Company60(loop, lambda: None if mended else "refused")
        one.open()
        await asyncio.sleep(600.0)
        given_up = FloodPolicy().run
        assert (len(one.failed), one.letters, one.owed) == (given_up, given_up, PEOPLE - given_up)
        reason = one.company.suspended["zoho"]
        assert reason.flood
        assert reason.reason == one.lane.suspended
        assert "10 records in a row failed for good" in reason.reason
        probes = one.world.zoho.count("create") - given_up
        assert 600 / RetryPolicy().probe_every - 3 <= probes <= 600 / RetryPolicy().probe_every + 5

        await one.lane.close()
        one.lane = one.owner()
        one.open()
        await asyncio.sleep(200.0)
        assert (len(one.failed), one.owed) == (given_up, PEOPLE - given_up), "a new owner gives up nothing more"

        mended = True
        async with asyncio.timeout(2000.0):
            while not one.lane.idle:
                await asyncio.sleep(1.0)
        assert (len(one.failed), one.letters, one.owed) == (given_up, given_up, 0)
        assert len(one.world.zoho.contacts) == PEOPLE - given_up
        assert one.company.suspended == {}
        assert one.lane.suspended is None
        await one.lane.close()

    run(story(), loop)


def test_one_contact_in_six_that_is_refused_is_set_aside_and_the_rest_goes_on() -> None:
    loop = VirtualTime()
    writes = 0

    def fault() -> Fault | None:
        nonlocal writes
        writes += 1
        return "refused" if writes % 6 == 0 else None

    async def story() -> None:
        one = Company60(loop, fault)
        one.open()
        async with asyncio.timeout(600.0):
            while not one.lane.idle:
                await asyncio.sleep(1.0)
        assert len(one.failed) == one.letters == PEOPLE // 6
        assert len(one.world.zoho.contacts) == PEOPLE - PEOPLE // 6
        assert one.company.suspended == {}
        await one.lane.close()

    run(story(), loop)
