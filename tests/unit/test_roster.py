"""Who claims an address, who holds it, and which contacts must change."""

from __future__ import annotations

import pytest

from stream.core import roster
from stream.core.rows import Address, Person
from stream.records import ContactUpsert, EmployeeId, EmployeeSnapshot, Mapping
from tests.small_world import ACME, EMPLOYEES, HR_EVENTS, SmallWorld, at, person


def key_of(world: SmallWorld, employee: str) -> str | None:
    return world.tables.people[EmployeeId(employee)].contact_key


def shown(world: SmallWorld, employee: str) -> tuple[str | None, bool] | None:
    contact = world.tables.people[EmployeeId(employee)].shown
    return None if contact is None else (contact.email, contact.active)


def last(world: SmallWorld) -> ContactUpsert:
    return world.upserts[-1]


def test_a_new_person_gets_a_contact_of_its_own() -> None:
    world = SmallWorld()
    world.hire("1", person("Ada@acme.test"))
    assert last(world).desired.email == "Ada@acme.test"
    assert last(world).desired.active
    assert last(world).contact_key == key_of(world, "1")
    assert last(world).chain == (at(HR_EVENTS, 0),)


def test_a_reading_that_shows_the_same_changes_nothing_unless_it_insists() -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.hire("1", person())
    assert len(world.upserts) == 1
    world.change("1", person(), insists=True)
    world.read("1")
    assert len(world.upserts) == 2
    assert last(world).insists
    assert last(world).desired == world.upserts[0].desired


def test_somebody_who_left_becomes_inactive_and_keeps_the_contact_for_a_return() -> None:
    world = SmallWorld()
    world.hire("1", person())
    key = key_of(world, "1")
    world.hire("1", person(status="Terminated"))
    assert (last(world).contact_key, last(world).desired.active) == (key, False)
    world.hire("1", person())
    assert (last(world).contact_key, last(world).desired.active) == (key, True)


def test_a_deleted_employee_becomes_inactive_with_what_was_last_known() -> None:
    world = SmallWorld()
    world.hire("1", person(jobTitle="Lead"))
    world.hire("1", None)
    assert not last(world).desired.active
    assert last(world).desired.designation == "Lead"


def test_somebody_deleted_who_was_never_known_changes_nothing() -> None:
    world = SmallWorld()
    world.hire("1", None)
    assert world.upserts == []


def test_an_unclear_status_changes_nothing_and_is_reported() -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.hire("1", person("new@acme.test", status="", jobTitle="Lead"))
    assert len(world.upserts) == 1
    row = world.tables.people[EmployeeId("1")]
    assert row.problem == "status is empty or withheld"
    assert not row.debt.owed


def test_without_an_address_nobody_new_gets_a_contact() -> None:
    world = SmallWorld()
    world.hire("1", person(""))
    world.hire("2", person(None))
    world.hire("3", person("x" * 101))
    assert world.upserts == []
    problems = [row.problem for row in world.tables.people.values()]
    assert problems == [
        "work email is empty, too long or no address",
        "work email is withheld",
        "work email is empty, too long or no address",
    ]


def test_a_withheld_address_is_still_theirs_and_the_rest_goes_on() -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.hire("1", person(None, jobTitle="Lead"))
    assert (last(world).desired.email, last(world).desired.designation) == ("ada@acme.test", "Lead")
    world.hire("2", person())
    assert world.tables.addresses["ada@acme.test"].held


def test_an_address_that_was_emptied_is_free_for_somebody_else() -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.hire("1", person(""))
    assert len(world.upserts) == 1
    world.hire("2", person())
    assert shown(world, "1") == ("", True)
    assert shown(world, "2") == ("ada@acme.test", True)
    assert next(u for u in world.upserts if u.employee == "2").after == key_of(world, "1")


def test_a_changed_address_keeps_the_contact() -> None:
    world = SmallWorld()
    world.hire("1", person("old@acme.test"))
    key = key_of(world, "1")
    world.hire("1", person("new@acme.test"))
    assert (last(world).contact_key, last(world).desired.email) == (key, "new@acme.test")
    assert world.tables.addresses["old@acme.test"].claims == {}


def test_another_spelling_is_the_same_address_and_is_shown_as_bamboohr_has_it() -> None:
    world = SmallWorld()
    world.hire("1", person("ada@acme.test"))
    world.hire("1", person(" Ada@Acme.test"))
    assert list(world.tables.addresses) == ["ada@acme.test"]
    assert last(world).desired.email == "Ada@Acme.test"


def test_two_active_people_on_one_address_are_held_and_nobodys_contact_is_touched() -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.hire("2", person())
    world.hire("1", person(jobTitle="Lead"))
    assert [(one.employee, one.shared) for one in world.upserts] == [("1", None), ("1", 2)]
    world.settle()
    assert world.zoho.writes == 0, "not even what was wanted before"
    held = world.tables.addresses["ada@acme.test"]
    assert held.held
    assert set(held.claims) == {"1", "2"}
    assert held.desired is None


def test_a_hold_ends_when_one_of_the_two_moves_on() -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.hire("2", person())
    world.hire("2", person("eve@acme.test"))
    assert shown(world, "2") == ("eve@acme.test", True)
    world.hire("1", person(jobTitle="Lead"))
    assert last(world).desired.designation == "Lead"


def test_a_hold_does_not_keep_somebody_who_left_active() -> None:
    world = SmallWorld()
    for employee in ("1", "2", "3"):
        world.hire(employee, person())
    world.hire("1", person(status="Terminated"))
    assert world.tables.addresses["ada@acme.test"].held
    assert shown(world, "1") == ("ada@acme.test", False)
    key = key_of(world, "1")
    world.hire("2", person(status="Terminated"))
    assert (key_of(world, "3"), key_of(world, "1")) == (key, None)
    assert shown(world, "3") == ("ada@acme.test", True)


def test_whoever_waits_for_a_held_address_gives_up_the_former_one_to_the_next_there() -> None:
    world = SmallWorld()
    world.hire("1", person("a@acme.test"))
    world.hire("2", person("b@acme.test"))
    world.hire("2", person("a@acme.test"))
    assert shown(world, "2") == ("b@acme.test", True)
    world.hire("3", person("b@acme.test"))
    assert shown(world, "3") == ("b@acme.test", True)
    assert shown(world, "2") == ("", True)
    assert next(u for u in world.upserts if u.employee == "3").after == key_of(world, "2")
    world.hire("1", person("c@acme.test"))
    assert shown(world, "2") == ("a@acme.test", True)
    assert set(world.tables.addresses["b@acme.test"].claims) == {"3"}


def test_leaver_sharing_an_address_keeps_the_other_persons_contact_active() -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.hire("2", person(status="Terminated"))
    assert shown(world, "1") == ("ada@acme.test", True)
    assert len(world.upserts) == 1
    world.hire("2", None)
    assert len(world.upserts) == 1


def test_a_rehire_under_a_new_record_takes_over_the_contact() -> None:
    world = SmallWorld()
    world.hire("1", person())
    key = key_of(world, "1")
    world.hire("1", person(status="Terminated"))
    world.hire("2", person(firstName="Ada B."))
    assert (key_of(world, "2"), key_of(world, "1")) == (key, None)
    assert (last(world).contact_key, last(world).employee, last(world).desired.active) == (key, "2", True)
    world.hire("1", person(status="Terminated", jobTitle="Former"))
    assert shown(world, "2") == ("ada@acme.test", True)


def test_a_contact_that_passes_on_is_known_as_the_new_persons_even_if_it_shows_the_same() -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.hire("2", person())
    world.hire("1", None)
    assert (last(world).contact_key, last(world).employee) == (key_of(world, "2"), "2")
    assert last(world).desired == world.upserts[0].desired


@pytest.mark.parametrize("ends", ["moves", "leaves", "given"])
def test_a_contact_that_was_not_written_before_its_address_was_held_is_written_after_that(ends: str) -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.hire("2", person())
    world.notice("1", insists=True)  # which does not end it
    world.settle()
    assert (world.zoho.writes, len(world.zoho.contacts)) == (0, 0)
    match ends:
        case "moves":
            world.hire("2", person("other@acme.test"))
        case "leaves":
            world.hire("2", None)
        case _:
            world.notice("1", kind="operator", among=("1", "2"))
    world.settle()
    assert [c.name for c in world.zoho.showing("ada@acme.test")] == ["Ada Moreno"]
    assert not any(state.debt.owed or state.debt.set_aside for state in world.tables.contacts.values())
    assert world.replayed() == world.tables


def test_who_left_some_days_ago_stays_active_and_gives_the_address_to_whoever_comes() -> None:
    world = SmallWorld(Mapping(days_after_leaving=30))
    world.hire("1", person())
    world.settle()
    day = world.clock.now().date().isoformat()
    world.hire("1", person(status="Inactive", terminationDate=day))
    world.settle()
    (contact,) = world.zoho.contacts.values()
    assert contact.active
    world.hire("2", person())  # the same person under a new record
    world.settle()
    assert not world.tables.addresses["ada@acme.test"].held
    assert world.tables.contacts[key_of(world, "2")].contact_id == contact.contact_id
    world.clock.advance(40 * 86_400.0)
    world.notice("1")
    world.settle()
    assert (len(world.zoho.contacts), contact.active) == (1, True)


def test_a_hold_leaves_a_leavers_contact_active_for_the_days_that_it_is_to_be() -> None:
    world = SmallWorld(Mapping(days_after_leaving=30))
    world.hire("1", person())
    world.settle()
    world.hire("1", person(status="Inactive", terminationDate=world.clock.now().date().isoformat()))
    for who in "23":
        world.hire(who, person(f"{who}@acme.test"))
    world.settle()
    for who in "23":
        world.change(who, person())
        world.read(who)
    world.settle()
    assert all(contact.active for contact in world.zoho.contacts.values())


@pytest.mark.parametrize("missing", ["skip", "home email", "placeholder"])
def test_a_leaver_whose_work_email_is_taken_away_keeps_the_address_for_a_return(missing: str) -> None:
    placeholder = {"placeholder": "hr-{id}@acme.test"} if missing == "placeholder" else {}
    world = SmallWorld(Mapping(missing_email=missing, **placeholder))  # type: ignore[arg-type]
    world.hire("1", person(id="1", homeEmail="at@home.test"))
    world.settle()
    world.hire("1", person("", id="1", homeEmail="at@home.test", status="Terminated"))
    world.settle()
    world.hire("2", person(id="2", homeEmail="at@home.test"))
    world.settle()
    (contact,) = world.zoho.contacts.values()
    assert (contact.email, contact.active) == ("ada@acme.test", True)


@pytest.mark.parametrize("number", ["", None], ids=["empty", "withheld"])
def test_a_leaver_of_whom_the_scope_cannot_be_decided_has_left(number: str | None) -> None:
    world = SmallWorld(Mapping(scope=("int(employeeNumber) > 100",)))
    world.hire("1", person(employeeNumber="101"))
    world.settle()
    world.hire("1", person(status="Terminated", **({} if number is None else {"employeeNumber": number})))
    world.settle()
    assert [contact.active for contact in world.zoho.contacts.values()] == [False]
    world.hire("2", person(employeeNumber="102"))
    world.settle()
    assert [contact.active for contact in world.zoho.contacts.values()] == [True]


def test_a_contact_of_others_is_not_taken_over_for_one_of_two_who_state_its_address() -> None:
    world = SmallWorld()
    theirs = world.zoho.add("ada@acme.test", first_name="Bo")
    world.hire("1", person())
    world.hire("2", person(firstName="Bo"))
    world.settle()
    assert (world.zoho.writes, theirs.name[:7]) == (0, "By hand")
    assert [state.debt.set_aside for state in world.tables.contacts.values()] == [True]
    world.hire("1", None)
    world.settle()
    assert world.tables.contacts[key_of(world, "2")].contact_id == theirs.contact_id


def test_a_contact_that_was_there_before_its_address_was_held_costs_no_call_after_that() -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.settle()
    world.hire("2", person())
    world.settle()
    calls = len(world.zoho.calls)
    world.hire("2", None)
    world.settle()
    assert len(world.zoho.calls) == calls


def test_whoever_moves_to_a_held_address_is_not_touched_at_the_former_one() -> None:
    world = SmallWorld()
    world.hire("1", person("a@acme.test"))
    world.hire("2", person("b@acme.test"))
    world.hire("2", person("a@acme.test", jobTitle="Lead"))
    assert [(one.employee, one.shared) for one in world.upserts] == [("1", None), ("2", None), ("1", 2)]


def test_a_contact_that_passes_on_leaves_no_claim_behind() -> None:
    world = SmallWorld()
    world.hire("1", person("a@acme.test"))
    world.hire("2", person("b@acme.test"))
    world.hire("3", person("a@acme.test"))
    world.hire("2", person("a@acme.test", status="Terminated"))
    assert shown(world, "2") == ("b@acme.test", False)
    key = key_of(world, "2")
    world.hire("1", person("c@acme.test"))
    assert (key_of(world, "3"), shown(world, "3")) == (key, ("a@acme.test", True))
    assert world.tables.addresses["b@acme.test"].claims == {}


def test_an_address_moves_on_to_somebody_who_has_a_contact_after_the_leaver_gave_it_up() -> None:
    world = SmallWorld()
    world.hire("1", person("lead@acme.test"))
    world.hire("2", person("eve@acme.test"))
    world.hire("1", person("lead@acme.test", status="Terminated"))
    world.hire("2", person("lead@acme.test"))
    assert shown(world, "1") == ("", False)
    assert shown(world, "2") == ("lead@acme.test", True)
    assert next(u for u in world.upserts[2:] if u.employee == "2").after == key_of(world, "1")


def test_two_people_swap_their_addresses_and_keep_their_contacts() -> None:
    world = SmallWorld()
    world.hire("1", person("a@acme.test"))
    world.hire("2", person("b@acme.test"))
    keys = key_of(world, "1"), key_of(world, "2")
    world.hire("1", person("b@acme.test"))
    world.hire("2", person("a@acme.test"))
    assert (key_of(world, "1"), key_of(world, "2")) == keys
    assert (shown(world, "1"), shown(world, "2")) == (("b@acme.test", True), ("a@acme.test", True))


def test_plus_addresses_are_two_people() -> None:
    world = SmallWorld()
    world.hire("1", person("ada@acme.test"))
    world.hire("2", person("ada+eu@acme.test"))
    assert key_of(world, "1") != key_of(world, "2")
    assert not any(row.held for row in world.tables.addresses.values())


def test_an_unreadable_employee_is_parked_and_nothing_else_changes() -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.notice("1")
    before = world.tables.people[EmployeeId("1")]
    snapshot = EmployeeSnapshot(
        connection=ACME,
        employee=EmployeeId("1"),
        through=1,
        cause=at(HR_EVENTS, 1),
        mapping_version="m",
        read_at=world.clock.now(),
        state="unreadable",
        reason="out of sight",
    )
    fold = world.tables.keep_roster(snapshot, at(EMPLOYEES, 1), Mapping())
    after = fold.people[EmployeeId("1")]
    assert fold.upserts == ()
    assert (after.debt.owed, after.debt.reason) == (False, "out of sight")
    assert (after.email, after.contact_key, after.shown) == (before.email, before.contact_key, before.shown)


def test_a_leaver_who_was_never_known_is_looked_for_but_no_second_one_on_the_address() -> None:
    world = SmallWorld()
    world.hire("1", person(status="Inactive"))
    assert (len(world.upserts), last(world).desired.active) == (1, False)
    world.hire("2", person(status="Inactive"))
    assert len(world.upserts) == 1


def test_a_leaver_with_a_contact_is_made_inactive_where_another_leaver_without_one_was_first() -> None:
    world = SmallWorld()
    world.hire("1", person("a@acme.test", status="Inactive"))
    world.hire("2", person("a@acme.test"))
    world.hire("2", person("b@acme.test"))
    world.hire("2", person("a@acme.test", status="Inactive"))
    assert shown(world, "2") == ("a@acme.test", False)


def test_nothing_is_read_but_the_rows_that_are_handed_out() -> None:
    snapshot = EmployeeSnapshot(
        connection=ACME,
        employee=EmployeeId("1"),
        through=0,
        cause=at(HR_EVENTS, 0),
        mapping_version="m",
        read_at=SmallWorld().clock.now(),
        state="read",
        fields=person(),
    )
    people, addresses = {}, {}
    fold = roster.fold(
        snapshot,
        at(EMPLOYEES, 0),
        Mapping(),
        lambda who: people.setdefault(who, Person()),
        lambda email: addresses.setdefault(email, Address()),
    )
    assert set(people) == set(fold.people) == {"1"}
    assert set(addresses) == set(fold.addresses) == {"ada@acme.test"}
