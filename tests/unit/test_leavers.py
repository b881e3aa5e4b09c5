"""The leaver guard in the contacts lane: who is let go, who is held, and what becomes of those."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from agents.telling import progress
from stream.core import folds
from stream.core.folds import APPROVE, PAGES, REJECT, SWEEP
from stream.core.guard import is_waiting
from stream.records import Command, EmployeeId, GuardOutcome, LeaverGuard, Mapping, SyncOutcome
from stream.topics import COMMANDS, OUTCOMES
from tests.small_world import ACME, SmallWorld, at, keep_contacts, person
from tests.unit.test_keep_contacts import actions, key_of

HOUR = 3600.0
DAY = 24 * HOUR


def address(employee: str) -> str:
    return f"p{employee}@acme.test"


def company(size: int = 20, **world: object) -> SmallWorld:
    """Employees "1" to str(size), all with a contact."""
    made = SmallWorld(**world)  # type: ignore[arg-type]
    for employee in map(str, range(1, size + 1)):
        made.hire(employee, person(address(employee)))
    made.settle()
    return made


def leave(world: SmallWorld, employees: Iterable[int | str]) -> None:
    """All at once."""
    for employee in map(str, employees):
        world.hire(employee, person(address(employee), status="Terminated"))


def inactive(world: SmallWorld) -> int:
    return sum(not contact.active for contact in world.zoho.contacts.values())


def said(world: SmallWorld) -> list[tuple[str, int, int]]:
    """What the guard put on record."""
    return [(one.state, one.people, one.leaving) for one in world.outcomes if isinstance(one, GuardOutcome)]


def waiting(world: SmallWorld) -> set[str]:
    return {state.employee for state in world.tables.contacts.values() if is_waiting(state)}


# -- who is let go -----------------------------------------------------------------------------------------------------


def test_as_many_as_are_let_go_leave_without_a_word() -> None:
    world = company()
    leave(world, range(1, 11))
    world.settle()
    assert inactive(world) == 10
    assert said(world) == [("opened", 20, 10)]


def test_when_one_more_leaves_at_once_nobody_is_touched_nothing_is_asked_and_it_is_said_once() -> None:
    world = company()
    before = list(world.zoho.calls)
    leave(world, range(1, 12))
    world.settle()
    assert world.zoho.calls == before
    assert said(world) == [("closed", 20, 11)]
    assert waiting(world) == {str(number) for number in range(1, 12)}
    held = [one for one in world.outcomes if isinstance(one, SyncOutcome) and one.action == "held"]
    assert {(one.error, one.by_guard, one.calls) for one in held} == {("LeaverHeld", True, 0)}


def test_leavers_whose_contacts_the_mapping_leaves_as_they_are_wait_for_nobody() -> None:
    world = company(mapping=Mapping(leavers="leave"))
    leave(world, range(1, 16))
    world.settle()
    assert inactive(world) == 0
    assert said(world) == []
    assert waiting(world) == set()


def test_one_after_the_other_those_who_are_too_many_are_held_and_all_who_follow() -> None:
    world = company()
    for employee in range(1, 14):
        leave(world, [employee])
        world.settle()
    assert inactive(world) == 10
    assert waiting(world) == {"11", "12", "13"}
    assert said(world) == [("opened", 20, 1), ("closed", 20, 11)]


def test_leavers_whom_a_list_tells_of_wait_until_it_was_read_and_are_counted_among_all() -> None:
    world = SmallWorld()
    begun = Command(connection=ACME, command=SWEEP, work=True, asked_by="ada", at=world.clock.now())
    world.tables.company = folds.ask(world.tables.company, begun, at(COMMANDS.name, 0))
    for employee in map(str, range(1, 101)):
        has_left = int(employee) <= 12
        if has_left:
            world.zoho.add(address(employee))
        world.truth[EmployeeId(employee)] = person(address(employee), status="Terminated" if has_left else "Active")
        world.notice(employee, kind="sweep")
        world.read(employee)
        work(world)
    assert inactive(world) == 0
    world.hire("100", person(address("100"), status="Terminated"))  # a webhook tells of this one
    work(world)
    assert inactive(world) == 1
    read = progress(ACME, SWEEP, world.tables.company, "", world.clock.now(), result={PAGES: {"ended": True}})
    world.tables.company = folds.answer(world.tables.company, read, at(OUTCOMES.name, 0))
    world.settle()
    assert inactive(world) == 13
    assert waiting(world) == set()


def work(world: SmallWorld) -> None:
    """All that is due now; nobody waits for anything."""
    while (due := world.due()) or world.paying:
        for key in due:
            world.begin(key)
        for key in list(world.paying):
            world.go_on(key)
        world.learn()


def test_a_fifth_of_a_large_company_may_leave() -> None:
    world = company(100)
    leave(world, range(1, 21))
    world.settle()
    assert inactive(world) == 20
    leave(world, [21])
    world.settle()
    assert waiting(world) == {"21"}


def test_people_who_have_no_contact_yet_count_among_those_who_should_have_one() -> None:
    world = company(20)
    for employee in map(str, range(21, 101)):
        world.hire(employee, person(address(employee)))
    leave(world, range(1, 16))
    for key in [key_of(world, str(number)) for number in range(1, 16)]:
        world.begin(key)
    world.settle()
    assert inactive(world) == 15
    assert said(world)[0][:2] == ("opened", 100)


def test_people_who_are_gone_count_as_well() -> None:
    world = company()
    for employee in map(str, range(1, 12)):
        world.hire(employee, None)
    world.settle()
    assert inactive(world) == 0
    assert len(waiting(world)) == 11


def test_in_a_tiny_company_all_may_leave_unless_it_is_told_otherwise() -> None:
    world = company(3)
    leave(world, range(1, 4))
    world.settle()
    assert inactive(world) == 3
    world = company(3, policy=LeaverGuard(people=1))
    leave(world, range(1, 4))
    world.settle()
    assert len(waiting(world)) == 3


def test_contacts_that_are_inactive_already_do_not_count() -> None:
    world = company(30)
    leave(world, range(1, 11))
    world.settle()
    world.clock.passed += 2 * DAY
    for employee in map(str, range(1, 11)):
        world.hire(employee, person(address(employee), status="Terminated", jobTitle="Lead"))
    leave(world, [11])
    world.settle()
    assert inactive(world) == 11
    assert not waiting(world)


def test_contacts_that_were_there_before_us_are_counted_when_they_are_found() -> None:
    world = SmallWorld(policy=LeaverGuard(people=2, percent=0))
    for employee in ("1", "2", "3", "4"):
        world.zoho.add(address(employee))
        world.hire(employee, person(address(employee), status="Terminated"))
    world.settle()
    assert (inactive(world), len(waiting(world))) == (2, 2)


def test_a_deactivation_whose_answer_was_lost_counts_once() -> None:
    world = company(5, policy=LeaverGuard(people=2, percent=0))
    faults = iter(["applied and lost"])
    world.zoho.fault = lambda: next(faults, None)  # type: ignore[return-value,assignment]
    leave(world, [1])
    world.settle()
    leave(world, [2])
    world.settle()
    leave(world, [3])
    world.settle()
    assert (inactive(world), waiting(world)) == (2, {"3"})


# -- windows -----------------------------------------------------------------------------------------------------------


def test_the_end_of_a_window_is_no_way_to_let_twice_as_many_go() -> None:
    world = company()
    leave(world, [1])
    world.settle()
    world.clock.passed += 23 * HOUR
    leave(world, range(2, 11))
    world.settle()
    world.clock.passed += 2 * HOUR
    leave(world, [11])
    world.settle()
    assert inactive(world) == 11
    leave(world, [12])
    world.settle()
    assert waiting(world) == {"12"}


def test_when_the_hours_are_over_others_may_leave_and_who_waits_goes_on_waiting() -> None:
    world = company()
    leave(world, range(1, 12))
    world.settle()
    world.clock.passed += 25 * HOUR
    leave(world, [12])
    world.settle()
    assert inactive(world) == 1
    assert len(waiting(world)) == 11


def test_a_new_owner_goes_on_with_the_window_and_the_count() -> None:
    world = company()
    for employee in range(1, 10):
        leave(world, [employee])
        world.settle()
    world.new_owner()
    leave(world, [10])
    world.settle()
    world.new_owner()
    leave(world, [11])
    world.settle()
    world.new_owner()
    leave(world, [12])
    world.settle()
    assert inactive(world) == 10
    assert waiting(world) == {"11", "12"}
    assert [state for state, _, _ in said(world)] == ["opened", "closed"]
    assert world.replayed() == world.tables


# -- the others --------------------------------------------------------------------------------------------------------


def test_who_joins_or_changes_is_not_held_up() -> None:
    world = company()
    leave(world, range(1, 12))
    world.hire("21", person(address("21")))
    world.hire("20", person(address("20"), jobTitle="Lead"))
    world.settle()
    assert len(world.zoho.showing(address("21"))) == 1
    assert actions(world).count("updated") == 1


# -- what a person decides ---------------------------------------------------------------------------------------------


def test_who_takes_over_the_address_of_a_leaver_who_is_held_has_a_contact_at_once() -> None:
    world = company(14)
    leave(world, range(1, 11))
    world.settle()
    world.hire("11", person("new@acme.test", status="Terminated"))
    world.hire("15", person(address("11")))
    world.settle()
    assert waiting(world) == {"11"}
    assert [one.state for one in world.outcomes if isinstance(one, GuardOutcome)] == ["opened", "closed"]
    shown = {
        state.employee: world.zoho.contacts[state.contact_id]
        for state in world.tables.contacts.values()
        if state.contact_id is not None
    }
    assert shown["11"].active
    assert shown["11"].email == "new@acme.test"
    assert shown["15"].active
    assert shown["15"].email == address("11")


def test_an_approval_is_for_those_that_the_person_saw() -> None:
    world = company()
    leave(world, range(1, 12))
    world.settle()
    seen = world.held()
    leave(world, [12])
    world.settle()
    world.decide(APPROVE, seen)
    world.settle()
    assert inactive(world) == 11
    assert waiting(world) == {"12"}
    world.new_owner()
    assert world.replayed() == world.tables


def test_what_was_approved_does_not_count() -> None:
    world = company()
    leave(world, [20])
    world.settle()
    world.clock.passed += 23 * HOUR
    leave(world, range(1, 12))
    world.settle()
    world.decide(APPROVE, world.held())
    world.settle()
    world.clock.passed += 2 * HOUR
    leave(world, range(12, 20))
    world.settle()
    assert inactive(world) == 20


def test_an_approval_of_an_older_wish_lets_nobody_go() -> None:
    world = company()
    leave(world, range(1, 12))
    world.settle()
    seen = world.held("1")
    world.hire("1", person(address("1"), status="Terminated", jobTitle="Lead"))
    world.settle()
    world.decide(APPROVE, seen)
    world.settle()
    assert inactive(world) == 0
    assert "1" in waiting(world)


def test_who_is_rejected_stays_active_until_something_newer_is_wanted() -> None:
    world = company()
    leave(world, range(1, 12))
    world.settle()
    world.decide(REJECT, world.held())
    world.settle()
    assert (inactive(world), waiting(world)) == (0, set())
    world.clock.passed += 2 * DAY
    world.hire("1", person(address("1"), status="Terminated", jobTitle="Lead"))
    world.settle()
    assert inactive(world) == 1


def test_an_approval_outweighs_a_rejection_in_whatever_order_they_are_folded() -> None:
    for order in ((REJECT, APPROVE), (APPROVE, REJECT)):
        world = company(3, policy=LeaverGuard(people=0, percent=0))
        leave(world, [1])
        world.settle()
        held = world.held()
        for command in order:
            world.decide(command, held)
        world.settle()
        assert inactive(world) == 1


def test_a_refusal_after_an_approval_is_not_tried_for_ever() -> None:
    world = company(3, policy=LeaverGuard(people=0, percent=0))
    leave(world, [1])
    world.settle()
    world.zoho.fault = lambda: "refused"
    world.decide(APPROVE, world.held())
    world.settle()
    assert actions(world)[-1] == "failed"


# -- what happens to those who are held --------------------------------------------------------------------------------


def test_a_rehire_ends_the_hold() -> None:
    world = company()
    leave(world, range(1, 12))
    world.settle()
    world.hire("1", person(address("1"), jobTitle="Lead"))
    world.settle()
    assert "1" not in waiting(world)
    (contact,) = world.zoho.showing(address("1"))
    assert contact.active
    assert next(iter(contact.persons.values()))["designation"] == "Lead"


def test_a_newer_reading_of_the_same_leaver_waits_as_well_in_whatever_window() -> None:
    world = company()
    leave(world, range(1, 12))
    world.settle()
    world.clock.passed += 2 * DAY
    world.hire("1", person(address("1"), status="Terminated", jobTitle="Lead"))
    world.notice("2", insists=True)
    world.settle()
    assert inactive(world) == 0
    assert len(waiting(world)) == 11
    world.decide(APPROVE, world.held("1", "2"))
    world.settle()
    assert inactive(world) == 2


def test_those_who_wait_do_not_count_among_those_who_leave_later() -> None:
    world = company()
    leave(world, range(1, 12))
    world.settle()
    world.decide(APPROVE, world.held("1", "2"))
    world.clock.passed += 2 * DAY
    for employee in map(str, range(3, 12)):
        world.hire(employee, person(address(employee), status="Terminated", jobTitle="Lead"))
    leave(world, range(12, 20))
    world.settle()
    assert (inactive(world), len(waiting(world))) == (10, 9)


def test_who_comes_back_under_a_new_record_takes_the_held_contact_over() -> None:
    world = company()
    leave(world, range(1, 12))
    world.settle()
    held = world.zoho.showing(address("1"))
    world.hire("31", person(address("1")))
    world.settle()
    assert world.zoho.showing(address("1")) == held
    assert held[0].active
    assert "1" not in waiting(world)


@pytest.mark.parametrize("held_before", [True, False])
def test_a_held_contact_gives_up_an_address_that_is_somebody_elses_by_now_and_stays_active(held_before: bool) -> None:
    world = company()
    leave(world, range(1, 12))
    if held_before:
        world.settle()
    world.hire("20", person(address("1")))
    world.settle()
    (newcomer,) = world.zoho.showing(address("1"))
    assert newcomer.contact_id == world.tables.contacts[key_of(world, "20")].contact_id
    assert inactive(world) == 0
    assert "1" in waiting(world)
    world.decide(APPROVE, world.held("1"))
    world.settle()
    assert inactive(world) == 1
    assert newcomer.active


def test_in_preview_nobody_is_held_and_the_guard_decides_once_the_connection_is_live() -> None:
    world = company()
    leave(world, range(1, 12))
    live, world.work = (
        world.work,
        keep_contacts(world.zoho, world.tables.contacts.get, world.append, world.clock, preview=True),
    )
    for key in world.due():
        world.begin(key)
    while world.paying:
        for key in list(world.paying):
            world.go_on(key)
    world.learn()
    assert actions(world)[-11:] == ["previewed"] * 11
    assert not waiting(world)
    world.work = live
    world.settle()
    assert len(waiting(world)) == 11


def test_where_leavers_are_left_as_they_are_there_is_nothing_to_hold_and_a_hold_from_before_ends() -> None:
    world = company()
    leave(world, range(1, 12))
    world.settle()
    world.mapping = Mapping(leavers="leave")
    leave(world, range(12, 20))
    world.hire("1", person(address("1"), status="Terminated", jobTitle="Lead"))
    world.settle()
    assert waiting(world) == {str(number) for number in range(2, 12)}
    assert inactive(world) == 0
    assert not any(state.debt.owed for state in world.tables.contacts.values())
    assert next(iter(world.zoho.showing(address("1"))[0].persons.values()))["designation"] == "Lead"
