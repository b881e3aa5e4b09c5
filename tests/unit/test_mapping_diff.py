"""Whose contact another mapping would change."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from stream.core.mapping_diff import IN_SCOPE, Comparison, compare, counts
from stream.core.rows import Seen
from stream.records import EmployeeId, EmployeeSnapshot, Mapping
from tests.fake_clock import START
from tests.small_world import ACME, HR_EVENTS, SmallWorld, at, person

NOW = Mapping()


def snapshot(employee: str, fields: dict[str, str] | None, through: int = 1, **more: Any) -> EmployeeSnapshot:
    return EmployeeSnapshot(
        connection=ACME,
        employee=EmployeeId(employee),
        through=through,
        cause=at(HR_EVENTS, through),
        mapping_version="m",
        read_at=START,
        state="gone" if fields is None else "read",
        fields=fields or {},
    ).model_copy(update=more)


def compared(
    then: dict[str, Any],
    *people: dict[str, str] | None,
    now: Mapping = NOW,
    world: SmallWorld | None = None,
    today: date | None = None,
) -> Comparison:
    read = {EmployeeId(str(number)): snapshot(str(number), fields) for number, fields in enumerate(people, 1)}
    tables = (world or SmallWorld()).tables
    known = Seen(tables.contacts, tables.people, tables.addresses)
    return compare(read, now, Mapping.model_validate(then), known, today or START.date())


def changes(found: Comparison) -> dict[str, Any]:
    return {one.employee: one.changes for one in found.differences}


def test_days_count_to_today_and_not_to_the_reading() -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.settle()
    left = person(status="Inactive", terminationDate=START.date().isoformat())
    within, after = (START.date() + timedelta(days=days) for days in (5, 40))
    assert changes(compared({"days_after_leaving": 30}, left, world=world, today=within)) == {
        "1": {"status": ("inactive", "active")}
    }
    assert not changes(compared({"days_after_leaving": 30}, left, world=world, today=after))


def test_whose_record_was_deleted_changes_with_what_becomes_of_leavers() -> None:
    world = SmallWorld(mapping=Mapping(leavers="leave"))
    world.hire("1", person())
    world.settle()
    world.hire("1", None)
    world.settle()
    found = compared({"state_field": "cf_state"}, None, now=Mapping(leavers="leave"), world=world)
    assert changes(found) == {"1": {"status": ("as it is", "inactive"), "cf_state": (None, "Inactive")}}
    assert not found.unread
    assert not changes(compared({"leavers": "leave"}, None, now=Mapping(leavers="leave"), world=world))


def test_the_same_mapping_changes_nobody() -> None:
    found = compared({}, person(), person("bob@acme.test", status="Terminated"), None)
    assert (found.people, found.differences, found.outside, found.undecided, found.unread) == (3, [], {}, {}, {})


def test_a_change_is_told_field_by_field_and_only_of_whom_it_changes() -> None:
    then = {"name": "{lastName}, {firstName}", "fields": {"cf_cost_center": "customCostCenter", "phone": "workPhone"}}
    found = compared(
        then,
        person(customCostCenter="42", workPhone=""),
        person("", customCostCenter="43", workPhone="1"),
    )
    assert changes(found) == {
        "1": {"cf_cost_center": (None, "42"), "contact_name": ("Ada Moreno", "Moreno, Ada")},
    }
    assert found.undecided == {"2": "work email is empty, too long or no address"}


def test_who_has_a_contact_and_states_no_address_any_more_is_told_of_as_the_contact_would_change() -> None:
    world = SmallWorld()
    world.hire("1", person(division="North"))
    now = person("", division="North")
    world.hire("1", now)
    assert changes(compared({"fields": {"company_name": "division"}}, now, world=world)) == {
        "1": {"company_name": (None, "North")}
    }
    assert compared({}, now, world=world).undecided == {"1": "work email is empty, too long or no address"}


def test_who_left_without_a_contact_is_not_told_of_and_who_left_with_one_is() -> None:
    world = SmallWorld()
    left = [person(f"p{number}@acme.test", status="Terminated") for number in (1, 2)]
    world.hire("1", left[0])
    world.hire("2", person("p2@acme.test"))
    world.settle()
    world.hire("2", left[1])
    world.settle()
    assert changes(compared({"name": "{lastName}"}, *left, world=world)) == {
        "2": {"contact_name": ("Ada Moreno", "Moreno")}
    }
    assert changes(compared({"name": "{lastName}"}, left[0])) == {}


def test_who_goes_out_of_scope_or_comes_into_it_is_told_with_the_expression() -> None:
    board, staff = person(department="Board"), person("bob@acme.test")
    expression = 'department != "Board"'
    out = compared({"scope": [expression]}, board, staff)
    assert changes(out) == {
        "1": {"scope": (IN_SCOPE, f"out: {expression}"), "status": ("active", "inactive")},
    }
    assert out.outside == {"1": expression}
    back = compared({}, board, staff, now=Mapping(scope=(expression,)))
    assert changes(back)["1"]["scope"] == (f"out: {expression}", IN_SCOPE)
    assert changes(back)["1"]["status"] == (None, "active")
    assert compared({"scope": [expression]}, board, now=Mapping(scope=(expression,))).differences == []


def test_a_field_that_was_never_read_is_told_and_changes_nobody() -> None:
    found = compared({"fields": {"cf_a": "city"}, "scope": ['division == "North"']}, person())
    assert found.differences == []
    assert found.unread == {"city": 1, "division": 1}
    assert found.undecided == {"1": "scope cannot be decided: division is withheld"}


def test_the_newest_reading_counts_however_late_an_older_one_was_appended() -> None:
    old, new = snapshot("1", person(), 3), snapshot("1", person(), 7)
    assert counts(old, None)
    assert counts(new, old)
    assert counts(new, new)
    assert not counts(old, new)
    assert not counts(snapshot("1", None, 9, state="unreadable"), new)
    other_life = old.cause.model_copy(update={"topic_id": "another"})
    assert counts(old.model_copy(update={"cause": other_life}), new)
