"""A person decides who holds an address that several active people state."""

from __future__ import annotations

import pytest

from stream.core.roster import VOID
from stream.records import Email, EmployeeId
from tests.small_world import SmallWorld, person
from tests.unit.test_keep_contacts import key_of

SHARED = Email("desk@acme.test")


def shared(*, both_before: bool = True) -> SmallWorld:
    """17 and 23 state one address; each has a contact with another one, unless told otherwise."""
    world = SmallWorld()
    for employee in ("17", "23"):
        if both_before:
            world.hire(employee, person(f"p{employee}@acme.test", firstName=f"P{employee}"))
        world.hire(employee, person(SHARED, firstName=f"P{employee}"))
        world.settle()
    assert world.tables.addresses[SHARED].held
    return world


def give(world: SmallWorld, employee: str, among: tuple[str, ...] = ("17", "23")) -> None:
    world.notice(employee, kind="operator", among=among)
    world.settle()


def names(world: SmallWorld) -> dict[str, str]:
    """First name of each active contact -> its address."""
    persons = [next(iter(c.persons.values())) for c in world.zoho.contacts.values() if c.active]
    return {fields["first_name"]: fields.get("email", "") for fields in persons}


def test_who_is_given_the_address_shows_it_and_the_other_contact_stays_active_without_one() -> None:
    world = shared()
    give(world, "17")
    assert names(world) == {"P17": SHARED, "P23": ""}
    assert world.replayed() == world.tables


def test_the_first_of_two_already_shows_it_and_it_is_given_to_the_other() -> None:
    world = shared(both_before=False)
    assert names(world) == {"P17": SHARED}
    give(world, "23")
    assert names(world) == {"P17": "", "P23": SHARED}
    give(world, "17")
    assert names(world) == {"P17": SHARED, "P23": ""}


def test_both_go_on_being_kept() -> None:
    world = shared()
    give(world, "17")
    for employee in ("17", "23"):
        world.hire(employee, person(SHARED, firstName=f"P{employee}", jobTitle="Lead"))
    world.settle()
    titles = [next(iter(c.persons.values()))["designation"] for c in world.zoho.contacts.values()]
    assert titles == ["Lead", "Lead"]
    assert names(world) == {"P17": SHARED, "P23": ""}


@pytest.mark.parametrize("among", [("17",), ("17", "31"), ("31",)])
def test_a_decision_about_other_people_than_state_it_now_is_void_and_that_is_said(among: tuple[str, ...]) -> None:
    world = shared()
    before = names(world)
    give(world, "17", among)
    assert world.tables.addresses[SHARED].held
    assert world.tables.people[EmployeeId("17")].problem == VOID
    assert names(world) == before


def test_a_decision_is_void_once_its_person_has_moved_on_or_left() -> None:
    for fields in (person("new@acme.test"), person(SHARED, status="Terminated"), None):
        world = shared()
        world.truth[EmployeeId("17")] = fields
        give(world, "17")
        assert world.tables.people[EmployeeId("17")].problem == VOID
        assert world.tables.addresses[SHARED].holder == "23"
        assert names(world)["P23"] == SHARED


def test_somebody_else_on_the_address_makes_it_held_again_and_leaves_the_holder_alone() -> None:
    world = shared()
    give(world, "17")
    world.hire("31", person(SHARED, firstName="P31"))
    world.settle()
    assert world.tables.addresses[SHARED].held
    assert names(world) == {"P17": SHARED, "P23": ""}
    give(world, "31", ("17", "23", "31"))
    assert names(world) == {"P17": "", "P23": "", "P31": SHARED}


def test_a_decision_waits_for_the_reading_whatever_else_is_heard_meanwhile() -> None:
    world = shared()
    world.notice("17", kind="operator", among=("17", "23"))
    world.notice("17", insists=True)
    world.settle()
    assert names(world)["P17"] == SHARED


def test_a_decision_is_carried_out_once() -> None:
    world = shared()
    give(world, "17")
    world.hire("17", person(SHARED, status="Terminated"))
    world.hire("17", person(SHARED, firstName="P17"))
    world.settle()
    assert world.tables.addresses[SHARED].held
    assert world.tables.people[EmployeeId("17")].undone is None
    assert key_of(world, "17") != key_of(world, "23")
