"""A part of a running installation is killed: it is started again, `up` says so, and nobody's contact is missed."""

from __future__ import annotations

import os
import signal

import pytest

from tests.e2e.waiting import until
from tests.e2e.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

PEOPLE = 20


@pytest.mark.parametrize("part", [pytest.param("gateway", marks=pytest.mark.thorough), "worker"])
async def test_killed_part_is_started_again_and_work_goes_on(world: World, part: str) -> None:
    contacts, writes = len(world.organization.contacts), world.vendors.zoho.calls.writes
    world.hire(PEOPLE)
    await until("some of them are in Zoho", lambda: world.vendors.zoho.calls.writes >= writes + 3)
    os.kill(world.pid_of(part), signal.SIGKILL)
    world.hire(PEOPLE)
    await until("up says why", lambda: world.up.told(f"{part} ended", "SIGKILL"), 10)
    await until("up says that it runs again", lambda: world.up.told(f"{part} runs again"), 20)
    await world.synced()
    assert len(world.organization.contacts) == contacts + 2 * PEOPLE
    assert set(world.delivery_statuses()) <= {200, 503, None}


async def test_killed_kafka_comes_back_on_its_port_and_deliveries_of_the_meantime_are_repeated(world: World) -> None:
    contacts, address = len(world.organization.contacts), (world.data / "kafka" / "address").read_text()
    world.hire(PEOPLE)
    heard = len(world.vendors.bamboohr.deliveries)
    world.up.send(signal.SIGSTOP)  # so that the outage lasts until the gateway has answered
    try:
        os.kill(world.pid_of("kafka"), signal.SIGKILL)
        world.hire(1)
        await until(
            "the gateway answers 503", lambda: 503 in [a.status for a in world.vendors.bamboohr.deliveries[heard:]], 15
        )
    finally:
        world.up.send(signal.SIGCONT)
    await until("up says why", lambda: world.up.told("kafka ended"), 10)
    await until("up says that it runs again", lambda: world.up.told("kafka runs again"), 30)
    assert (world.data / "kafka" / "address").read_text() == address
    await world.synced()
    assert len(world.organization.contacts) == contacts + PEOPLE + 1
    assert set(world.delivery_statuses()) <= {200, 503, None}
    assert world.compare().duplicates == 0
