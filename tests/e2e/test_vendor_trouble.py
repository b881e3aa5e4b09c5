"""A vendor is down, drops a connection after it did what was asked, or does not accept the credentials."""

from __future__ import annotations

import pytest

from stream.sandbox.faults import Fault
from tests.e2e.waiting import until
from tests.e2e.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTACTS = "/books/v3/contacts"


async def trouble(world: World, api: str) -> str:
    """Why the worker has suspended the lane of this API; empty while it has not."""
    reason = str((await world.connection()).get("reason", ""))
    return reason if f"{api}: " in reason else ""


async def test_zoho_is_down_for_a_while_and_everything_arrives_afterwards_once(world: World) -> None:
    contacts, faults = len(world.organization.contacts), world.vendors.zoho.faults
    faults.plant(Fault(path=CONTACTS, status=503, times=None))
    try:
        world.hire(10)
        await until("the worker says that Zoho is away", lambda: trouble(world, "zoho"), 30)
        assert len(world.organization.contacts) == contacts
    finally:
        faults.clear()
    await world.synced()
    assert len(world.organization.contacts) == contacts + 10
    assert (await world.connection())["reason"] == "live"


async def test_created_contact_whose_answer_was_lost_is_found_and_not_created_again(world: World) -> None:
    contacts = len(world.organization.contacts)
    world.vendors.zoho.faults.plant(Fault(method="POST", path=f"{CONTACTS}$", drop="after"))
    (employee,) = world.hire(1)
    await world.synced()
    assert len(world.organization.contacts) == contacts + 1
    outcomes = [outcome for outcome in await world.outcomes() if outcome.employee == employee]
    assert [outcome.action for outcome in outcomes] == ["attempting", "created"]
    assert outcomes[-1].contact_id in world.organization.contacts

    writes = world.vendors.zoho.calls.writes
    world.retitle(employee)
    await world.synced()
    assert world.vendors.zoho.calls.writes == writes + 1, "the contact that was found is the one that is kept"


async def test_updated_contact_whose_answer_was_lost_is_read_back_before_it_counts(world: World) -> None:
    (employee,) = world.hire(1)
    await world.synced()
    writes = world.vendors.zoho.calls.writes
    world.vendors.zoho.faults.plant(Fault(method="PUT", path=f"{CONTACTS}/", drop="after"))
    world.retitle(employee)
    await world.synced()
    assert world.vendors.zoho.calls.writes == writes + 1
    actions = [outcome.action for outcome in await world.outcomes() if outcome.employee == employee]
    assert actions[-2:] == ["attempting", "unchanged"]


@pytest.mark.parametrize(
    ("variable", "api"),
    [("DEMO_BAMBOO_KEY", "bamboohr"), ("DEMO_REFRESH_TOKEN", "zoho"), ("DEMO_CLIENT_SECRET", "zoho")],
)
async def test_refused_credentials_suspend_the_lane_with_the_reason_until_they_are_right_again(
    world: World, variable: str, api: str
) -> None:
    contacts = len(world.organization.contacts)
    assert (await world.add(**{variable: "not-the-right-one"})).code == 0
    world.hire(3)  # the access token that is kept would do for an hour yet
    reason = await until("the worker says which credentials are refused", lambda: trouble(world, api), 30)
    assert "not-the-right-one" not in reason
    assert len(world.organization.contacts) == contacts
    assert (await world.add()).code == 0
    await world.synced()
    assert len(world.organization.contacts) == contacts + 3
    assert (await world.connection())["reason"] == "live"
