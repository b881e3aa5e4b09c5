"""A first load at the calls that Zoho Books really allows, in virtual time: how many it takes, and how long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from stream.fence import Fence
from stream.lane import Lane
from stream.pace import Pace
from stream.patience import Patience
from stream.quota import Quota, QuotaLedger
from stream.records import LaneOutcome, LogPosition, SyncOutcome
from stream.zoho.index import PER_PAGE, ContactIndex
from tests.small_world import ACME, OUTCOMES, SmallWorld, at, keep_contacts, person
from tests.virtual_time import VirtualTime, run

PEOPLE = 1000
QUOTA = Quota(per_minute=100, in_flight=5)
CALL_S = 0.3


class Load:
    """People whose contacts are owed, Zoho Books behind the lane's admission, and the lane's log, folded at once."""

    def __init__(self, loop: VirtualTime) -> None:
        self.loop = loop
        self.world = SmallWorld(clock=cast(Any, loop))
        self.zoho = self.world.zoho
        self.zoho.pause = self.admitted
        self.offset = -1
        fence = Fence(loop, session_timeout=8.0, call_deadline=5.0)
        fence.accepted(float("inf"))
        self.lane = Lane(
            ACME,
            "zoho",
            ledger=QuotaLedger(QUOTA, loop),
            fence=fence,
            token_pace=Pace(loop, 0.2),
            clock=loop,
            append=self.append,
            crashed=self.crashed,
        )
        self.index = ContactIndex(self.zoho, loop)
        contacts = self.world.tables.contacts
        self.lane.attach(
            keep_contacts(self.zoho, contacts.get, self.append, loop, guard=self.lane.guard, index=self.index)
        )

    async def admitted(self) -> None:
        async with self.lane.admit("any", False):
            await asyncio.sleep(CALL_S)

    def crashed(self, error: BaseException) -> None:
        raise AssertionError from error

    async def append(self, outcome: SyncOutcome | LaneOutcome) -> LogPosition:
        await asyncio.sleep(0.01)
        self.offset += 1
        self.loop.call_soon(self.fold, outcome, at(OUTCOMES, self.offset))
        return at(OUTCOMES, self.offset)

    def fold(self, outcome: SyncOutcome | LaneOutcome, position: LogPosition) -> None:
        assert isinstance(outcome, SyncOutcome)
        self.world.tables.learn(outcome, position)
        self.lane.notice(outcome.contact_key)

    async def carry_out(self) -> None:
        self.lane.open()
        with self.lane.in_bulk():
            await self.index.fill(Patience())
        for number in range(PEOPLE):
            self.world.hire(str(number + 1), person(f"p{number}@acme.test"))
        for key in self.world.tables.contacts:
            self.lane.notice(key)
        while not self.lane.idle:
            await asyncio.sleep(0.5)
        await self.lane.close()


def newcomers(load: Load) -> None:
    """Nobody has a contact."""


def equal(load: Load) -> None:
    """Everybody has one already, which nobody of us has read."""
    shown = person()
    fields = {"first_name": "firstName", "last_name": "lastName", "designation": "jobTitle", "department": "department"}
    for number in range(PEOPLE):
        load.zoho.add(f"p{number}@acme.test", **{name: shown[source] for name, source in fields.items()})


@pytest.mark.parametrize(("before", "writes"), [(newcomers, PEOPLE), (equal, 0)])
def test_a_person_costs_hardly_more_than_one_call_and_all_of_the_quota_is_used(
    before: Callable[[Load], None], writes: int
) -> None:
    loop = VirtualTime()
    load = Load(loop)
    before(load)
    run(load.carry_out(), loop)
    calls = len(load.zoho.calls)
    assert load.zoho.writes == writes
    assert len(load.zoho.contacts) == PEOPLE
    assert calls <= 1.02 * PEOPLE
    assert 1 + PEOPLE / 200 <= load.zoho.count("listed", "modified") <= 20
    permitted = calls * 60.0 / QUOTA.per_minute
    assert permitted * 0.99 <= loop.monotonic() <= permitted * 1.02 + 5.0
    assert QUOTA.per_minute * 1.5 < PER_PAGE, "what changes between two looks is on one page"
