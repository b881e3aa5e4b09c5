"""Real lanes against the sandboxes: what Zoho Books refuses, a flood that is kept, and what ends both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stream.records import LaneOutcome
from stream.sandbox.faults import Fault
from stream.topics import OUTCOMES
from tests.e2e.waiting import until
from tests.integration.connected import Vendors, tell
from tests.integration.harness import Desk, event_log, records
from tests.integration.inputs import ACME
from tests.integration.test_dead_letters import letters, rosterbook

PEOPLE = 16
CREATES = "/books/v3/contacts$"


@pytest.fixture
async def vendors() -> AsyncIterator[Vendors]:
    found = Vendors(PEOPLE)
    await found.start()
    try:
        yield found
    finally:
        await found.stop()


async def test_a_refused_contact_is_set_aside_and_is_made_once_it_is_redriven(
    bootstrap: str, vendors: Vendors, tmp_path: Path
) -> None:
    vendors.zoho.faults.plant(Fault(method="POST", path=CREATES, status=400, code=4))
    async with event_log(bootstrap) as log:
        await vendors.connect(log, ACME)
        one = Desk(bootstrap, tmp_path, **vendors.settings())
        await one.start()
        try:
            await tell(log, ACME, ["1", "2", "3"])
            await until("two contacts are made", lambda: len(vendors.organization.contacts) == 2, 30)

            async def set_aside() -> bool:
                return len(await letters(bootstrap)) == 1

            await until("the third one is a dead letter", set_aside, 30)
            (letter,) = await letters(bootstrap)
            assert (letter.content.stage, letter.content.error) == ("zoho", "InvalidValue")
            assert await rosterbook(bootstrap, tmp_path, "redrive", letter.id) == (0, "1 redriven.\n", "")
            await until("it is made", lambda: len(vendors.organization.contacts) == 3, 30)
            await until("nothing is owed", lambda: one.lanes is not None and not one.lanes.debts, 30)
            await one.folded()
            assert all(row["error"] is None for row in one.rows("contacts").values())
        finally:
            await one.stop()
    assert [letter.state for letter in await letters(bootstrap)] == ["redriven"]


async def test_a_flood_is_kept_over_a_restart_and_told_and_paid_once_the_cause_is_mended(
    bootstrap: str, vendors: Vendors, tmp_path: Path
) -> None:
    fault = Fault(method="POST", path=CREATES, status=400, code=4, times=None)
    vendors.zoho.faults.plant(fault)

    async def said() -> list[tuple[str, bool]]:
        found = [one for one in await records(bootstrap, OUTCOMES) if isinstance(one, LaneOutcome)]
        return [(one.state, one.flood) for one in found]

    async with event_log(bootstrap) as log:
        await vendors.connect(log, ACME)
        one = Desk(bootstrap, tmp_path, **vendors.settings())
        await one.start()
        try:
            await tell(log, ACME, [str(number) for number in range(1, PEOPLE + 1)])

            async def stopped() -> bool:
                return await said() == [("suspended", True)]

            await until("the lane is stopped", stopped, 30)
            serving = one.lanes.serving(ACME) if one.lanes is not None else None
            assert serving is not None
            assert "10 records in a row failed for good" in serving.reason
            await one.folded()
        finally:
            await one.stop()
        assert len(await letters(bootstrap)) == 10

        again = Desk(bootstrap, tmp_path, **vendors.settings())
        tried = len(vendors.writes())
        await again.start()
        try:
            await until("the new owner probes", lambda: len(vendors.writes()) > tried, 30)
            assert len(await letters(bootstrap)) == 10
            assert "10 records in a row" in again.rows("companies")["acme/company"]["suspended"]["zoho"]["reason"]
            vendors.zoho.faults.clear()
        finally:
            await again.stop()

        last = Desk(bootstrap, tmp_path, **vendors.settings(), settle_time=0.5)
        await last.start()
        try:
            await until("the backlog is paid", lambda: len(vendors.organization.contacts) == PEOPLE - 10, 60)
            await last.folded()
            assert last.rows("companies")["acme/company"]["suspended"] == {}
        finally:
            await last.stop()
    assert await said() == [("suspended", True), ("resumed", False)]
    assert len(await letters(bootstrap)) == 10
