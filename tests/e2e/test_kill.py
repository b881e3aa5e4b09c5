"""`rosterbook up` killed in the middle of its work, and started again at once."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.life import Life
from tests.e2e.processes import processes_of
from tests.e2e.waiting import until
from tests.e2e.world import connected

PEOPLE = 80


@pytest.mark.timeout(360)
async def test_killed_amid_200_changes_and_started_again_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    async with connected(tmp_path / "data") as world:
        zoho = world.vendors.zoho
        world.hire(PEOPLE)
        await world.synced()
        life = Life(world)
        changes = list(life.changes())

        for change in changes[:120]:
            change()
            await asyncio.sleep(0)  # lets the deliveries begin
        before = zoho.calls.writes
        await until("the changes are on their way to Zoho", lambda: zoho.calls.writes >= before + 15)
        killed = processes_of(world.data)
        assert len(killed) >= 4
        world.up.send(signal.SIGKILL)
        second = await world.start_up()
        for change in changes[120:160]:
            change()
        await until("what was killed is gone", lambda: not killed.keys() & processes_of(world.data).keys(), 5)
        await second.ready()
        for change in changes[160:]:
            change()
        await world.synced()

        found = world.compare()
        assert (found.missing, found.duplicates, found.wrong) == (0, 0, 0)
        assert found.contacts == PEOPLE + life.hired, "one contact for everybody who was ever there"
        created = Counter(outcome.contact_key for outcome in await world.outcomes() if outcome.action == "created")
        assert len(created) == found.contacts
        assert set(created.values()) == {1}
        assert set(world.delivery_statuses()) <= {200, 503, None}, "BambooHR repeats nothing that met a 4xx"
