"""Who is in scope."""

from __future__ import annotations

import pytest

from stream.core import scope
from stream.core.scope import Outside, Undecided, WrongExpression, check, fields_of, standing
from stream.records import EmployeeId, Mapping
from tests.small_world import SmallWorld, person

SALES = 'department in ["Sales", "Operations"]'
STAFF = 'employmentHistoryStatus != "Contractor"'


def test_somebody_is_in_scope_while_every_expression_holds_and_else_told_the_first_that_does_not() -> None:
    assert standing((), {}) is None
    assert standing((SALES, STAFF), person()) is None
    assert standing((SALES, STAFF), person(department="Board")) == Outside(SALES)
    assert standing((SALES, STAFF), person(employmentHistoryStatus="Contractor")) == Outside(STAFF)


def test_a_withheld_field_leaves_it_undecided_unless_another_expression_decides() -> None:
    fields = person()
    del fields["department"]
    assert standing((SALES,), fields) == Undecided("scope cannot be decided: department is withheld")
    assert standing((SALES, STAFF), fields | {"employmentHistoryStatus": "Contractor"}) == Outside(STAFF)


def test_a_field_that_is_too_long_to_be_gone_through_leaves_it_undecided() -> None:
    slow = 'notes.split("").all(x, !(notes + notes).contains(notes + "b"))'
    assert standing((slow,), {"notes": "a" * scope.LONGEST_FIELD}) is None
    long = {"notes": "a" * (scope.LONGEST_FIELD + 1)}
    assert standing((slow,), long) == Undecided("scope cannot be decided: notes is over 500 characters")


def test_an_expression_that_fails_for_somebody_decides_nothing() -> None:
    number = "int(employeeNumber) > 100"
    assert standing((number,), {"employeeNumber": "101"}) is None
    assert isinstance(standing((number,), {"employeeNumber": "none"}), Undecided)


def test_the_fields_of_an_expression_are_found_and_its_own_names_are_not() -> None:
    assert fields_of('["a"].exists(x, x == division) && city.lowerAscii() != "é department"') == ("division", "city")


NESTED = "[" + ",".join(["1"] * 200) + "]"
DOUBLED = '["a"]' + ".map(y, [y, y])" * 30
"""Quickly made, and compared with the next one in a thousand million steps."""


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ('department = "Sales"', "is wrong at character 12"),
        ("department", "must be true or false"),
        ("department > 3", "is wrong at character 12: found no matching overload"),
        ('sneak(department) == "x"', "undeclared reference to 'sneak'"),
        ("", "is wrong at character 1"),
        ('department == "' + "x" * scope.LONGEST + '"', "is over 2000 characters"),
        (f"{NESTED}.all(a, {NESTED}.all(b, a == b))", "takes too many steps"),
        (f"{DOUBLED} == {DOUBLED}", "has more than 2 of map, and may take for ever: do with fewer"),
        ('["a"]' + ".map(y, y + y)" * 30 + ".exists(y, y == city)", "has more than 2 of map, exists"),
        ('city.replace("a", "aa").replace("a", "aa") . replace ("a", "aa") == ""', "has more than 2 of replace"),
        (f'["a"].all(b, city.matches(b)) && {NESTED}.all(c, c == 1)', "has 1 matches instead of none beside all"),
        ('["a"].map//\n(y, y).size() == 1', "has // and several lines"),
        (" || ".join(['city.matches("a")'] * 9), "has 9 matches instead of the 8 that are allowed"),
        ('city.split("").size() + city.split("a").size() + city.split("b").size() > 1', "has more than 2 of split"),
    ],
)
def test_a_wrong_expression_is_refused_and_told_where_it_is_wrong(expression: str, told: str) -> None:
    with pytest.raises(WrongExpression, match=told):
        check(expression)


def world(**mapping: object) -> SmallWorld:
    return SmallWorld(Mapping.model_validate({"scope": [STAFF], **mapping}))


def test_who_is_out_of_scope_gets_no_contact_and_one_that_others_made_stays_as_it_is() -> None:
    small = world()
    theirs = small.zoho.add("ada@acme.test")
    small.hire("1", person(employmentHistoryStatus="Contractor"))
    small.settle()
    assert small.upserts == []
    assert theirs.active
    assert small.zoho.calls == []


def test_who_goes_out_of_scope_is_treated_as_a_leaver_and_comes_back_with_the_same_contact() -> None:
    small = world()
    small.hire("1", person())
    small.settle()
    (contact,) = small.zoho.contacts.values()
    small.hire("1", person(employmentHistoryStatus="Contractor"))
    small.settle()
    assert not contact.active
    small.hire("1", person())
    small.settle()
    assert contact.active
    assert len(small.zoho.contacts) == 1


def test_a_scope_that_cannot_be_decided_changes_nothing_and_is_reported() -> None:
    small = world()
    small.hire("1", person())
    small.settle()
    fields = person(jobTitle="Lead")
    del fields["employmentHistoryStatus"]
    small.hire("1", fields)
    assert len(small.upserts) == 1
    problem = small.tables.people[EmployeeId("1")].problem
    assert problem == "scope cannot be decided: employmentHistoryStatus is withheld"


def test_leavers_who_are_left_alone_keep_an_active_contact_and_get_none_where_they_had_none() -> None:
    small = world(leavers="leave")
    small.hire("1", person())
    small.settle()
    (contact,) = small.zoho.contacts.values()
    small.hire("1", person(status="Terminated"))
    small.hire("2", person("bob@acme.test", status="Terminated"))
    small.settle()
    assert contact.active
    assert len(small.zoho.contacts) == 1
    assert small.zoho.count("activate", "deactivate") == 0
    small.notice("1", insists=True)
    del small.zoho.contacts[contact.contact_id]
    small.settle()
    assert small.zoho.contacts == {}
