"""How `rosterbook up` ends when it is told to, what a second one is told meanwhile, and what is still owed then."""

from __future__ import annotations

import signal
import time

import pytest

from tests.e2e.processes import Up, none_left
from tests.e2e.waiting import until
from tests.e2e.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENDS_S = 5.0
PEOPLE = 30


async def test_second_up_on_the_same_folder_is_refused_and_the_first_goes_on(world: World) -> None:
    second = Up(**world.variables)
    await second.start()
    try:
        assert await second.ended(30) == 1
    finally:
        await second.end()
    assert second.errors.count("\n") == 1
    assert f"is in use by process {world.up.process.pid}" in second.errors
    assert world.up.process.returncode is None
    world.hire(1)
    await world.synced()
    assert not world.up.told("ended")


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.thorough)])
async def test_told_to_end_with_work_in_flight_it_ends_in_time_and_the_next_one_pays_what_is_owed(
    world: World, number: signal.Signals
) -> None:
    contacts, writes = len(world.organization.contacts), world.vendors.zoho.calls.writes
    world.hire(PEOPLE)
    await until("some of them are in Zoho", lambda: world.vendors.zoho.calls.writes >= writes + 5)
    told_at = time.monotonic()
    world.up.send(number)
    assert await world.up.ended(ENDS_S) == 0
    print(f"ended {time.monotonic() - told_at:.2f} s after {number.name}")
    await none_left(world.data, 1)
    assert world.up.errors == ""
    assert len(world.organization.contacts) < contacts + PEOPLE, "there was work in flight"

    await (await world.start_up()).ready()
    await world.synced()
    assert len(world.organization.contacts) == contacts + PEOPLE
