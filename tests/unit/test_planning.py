"""Plans as the owner of a connection makes them: what is asked of the vendors, who is in them, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agents.plan_orders import choice_of
from stream.bamboohr.models import EmployeePage
from stream.core import folds
from stream.core.schemas import CustomField
from stream.errors import RecordRefused
from stream.patience import Patience
from stream.records import Decision, LeaverGuard, Mapping, Reconciling
from stream.zoho.index import ContactIndex
from tests.planned_world import HrOf, planned
from tests.small_world import SmallWorld, person


def company(count: int, **more: object) -> SmallWorld:
    world = SmallWorld(**more)  # type: ignore[arg-type]  # passed on
    for number in range(1, count + 1):
        world.hire(str(number), person(f"p{number}@acme.test", firstName=f"P{number}"))
    world.settle()
    world.clock.advance(120.0)
    world.zoho.calls.clear()
    return world


def test_people_whose_contacts_we_know_take_pages_alone() -> None:
    world, hr = company(60), None
    hr = HrOf(world)
    world.truth["7"]["jobTitle"] = "Lead"  # type: ignore[index]
    made = planned(world, hr=hr)
    assert hr.calls == ["page"]
    assert world.zoho.calls == ["listed"]
    (line,) = made.plan.lines
    assert (line.employee, line.action, line.changes) == ("7", "change", {"designation": ("Engineer", "Lead")})
    assert made.plan.counts["unchanged"] == 59
    assert made.plan.calls == 2


def test_a_contact_that_somebody_changed_is_read_and_shown_as_it_is_unless_drift_is_left() -> None:
    world = company(3)
    stored = list(world.zoho.contacts.values())[1]
    next(iter(stored.persons.values()))["designation"] = "By hand"
    stored.modified = world.clock.now()
    (line,) = planned(world).plan.lines
    assert line.changes == {"designation": ("By hand", "Engineer")}
    assert world.zoho.calls == ["listed", "contact"]
    assert not planned(world, reconcile=Reconciling(drift="leave")).plan.lines


def test_one_person_is_read_alone_and_compared_with_the_contact_alone() -> None:
    world, hr = company(3), None
    hr = HrOf(world)
    world.truth["2"]["lastName"] = "Marsh"  # type: ignore[index]
    made = planned(world, "2", hr=hr)
    assert (hr.calls, world.zoho.calls) == (["2"], ["contact"])
    assert made.plan.people == 1
    assert made.plan.lines[0].changes["last_name"] == ("Moreno", "Marsh")


@pytest.mark.parametrize("listed", [True, False], ids=["listed", "not listed"])
def test_a_contact_with_the_employees_id_is_found_by_the_list_where_that_shows_it_and_not_touched(listed: bool) -> None:
    world = SmallWorld(Mapping(match="cf_employee_id"))
    world.zoho.defined, world.zoho.lists_custom_fields = [CustomField("cf_employee_id", "string", unique=True)], listed
    contact = world.zoho.add("old@acme.test", first_name="Ada")
    contact.custom_fields["cf_employee_id"] = "7"
    world.truth["7"] = person("ada@acme.test", id="7")
    world.clock.advance(120.0)
    (line,) = planned(world, "7").plan.lines
    assert world.zoho.calls == ["listed", "fields", *(["contact"] if listed else ["modified"])]
    assert line.action == ("change" if listed else "create")
    assert contact.modified is None


def test_whoever_the_list_does_not_show_is_read_alone_and_a_leaver_says_so() -> None:
    world = company(3)
    hr = HrOf(world)
    world.truth["3"] = None  # type: ignore[index]
    made = planned(world, hr=hr)
    assert hr.calls == ["page", "3"]
    (line,) = made.plan.lines
    assert (line.employee, line.action, line.changes["status"]) == ("3", "deactivate", ("active", "inactive"))


def test_who_left_is_asked_about_where_the_contact_was_changed_by_hand_and_whoever_the_list_alone_forgot_is() -> None:
    world = company(3)
    for who in "23":
        world.hire(who, None)
    world.settle()
    world.insist()
    world.settle()
    world.clock.advance(60.0)
    contacts = list(world.zoho.contacts.values())
    contacts[1].active, contacts[1].modified = True, world.clock.now()
    hr = HrOf(world)
    world.hire("4", person("p1@acme.test", id="4"))
    world.settle()
    hr.unlisted.add("4")
    made = planned(world, hr=hr)
    assert hr.calls == ["page", "2", "4"]
    assert [(line.employee, line.action) for line in made.plan.lines] == [
        ("1", "held"),
        ("2", "deactivate"),
        ("4", "held"),
    ]


def test_a_filter_chooses_and_names_those_for_whom_it_cannot_be_decided() -> None:
    world = company(4)
    for who in "1234":
        world.truth[who]["department"] = "Sales"  # type: ignore[index]
    world.truth["4"]["department"] = "Legal"  # type: ignore[index]
    del world.truth["3"]["department"]  # type: ignore[attr-defined]
    made = planned(world, where='department == "Sales"')
    assert [(line.employee, line.action) for line in made.plan.lines] == [
        ("1", "change"),
        ("2", "change"),
        ("3", "held"),
    ]
    assert made.plan.lines[2].why == "the filter cannot be decided: department is withheld"
    world.truth["3"]["department"] = "Legal"  # type: ignore[index]
    with pytest.raises(RecordRefused, match="holds for nobody"):
        planned(world, where='department == "Nowhere"')


def test_too_many_leavers_are_held_and_nobody_is_when_it_is_no_more_than_the_guard_lets_go() -> None:
    world = company(5, policy=LeaverGuard(people=2, percent=0))
    for who in "123":
        world.truth[who]["status"] = "Inactive"  # type: ignore[index]
    counts = planned(world).plan.counts
    assert (counts["held"], counts["deactivate"]) == (3, 0)
    world.truth["3"]["status"] = "Active"  # type: ignore[index]
    counts = planned(world).plan.counts
    assert (counts["held"], counts["deactivate"]) == (0, 2)


def test_two_people_with_one_address_are_held_with_both_shown_until_it_is_given_to_one() -> None:
    world = company(2)
    world.truth["2"]["workEmail"] = "p1@acme.test"  # type: ignore[index]
    for line in planned(world).plan.lines:
        assert (line.action, line.why) == ("held", "employees 1, 2 state one address")
    world.hire("2", world.truth["2"])
    world.notice("1", among=("1", "2"))
    assert world.tables.people["1"].undone == Decision(among=("1", "2"))  # type: ignore[index]
    assert "held" not in {line.action for line in planned(world).plan.lines if line.employee == "1"}


def test_two_people_with_one_address_are_held_before_anything_was_loaded_as_the_load_then_does() -> None:
    world = SmallWorld()
    world.zoho.add("ada@acme.test", first_name="Bo")
    for who, name in (("1", "Ada"), ("2", "Bo")):
        world.truth[who] = person(firstName=name)  # type: ignore[index]
    world.clock.advance(120.0)
    assert {(line.employee, line.action, line.calls) for line in planned(world).plan.lines} == {
        ("1", "held", 0),
        ("2", "held", 0),
    }
    for who in "12":
        world.hire(who, world.truth[who])  # type: ignore[index]
    world.settle()
    assert world.zoho.writes == 0


def test_a_plan_of_everybody_reads_no_contact_more_where_their_list_could_not_be_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = company(60)

    async def not_filled(self: ContactIndex, patience: Patience) -> None:
        return None

    monkeypatch.setattr(ContactIndex, "fill", not_filled)
    assert planned(world).plan.counts["unchanged"] == 60
    assert world.zoho.calls == []


def test_a_list_whose_pages_go_round_is_refused() -> None:
    world = company(2)

    class Round(HrOf):
        async def page(self, fields: Sequence[str], after: str | None) -> EmployeePage:
            whole = await super().page(fields, after)
            return EmployeePage(whole.rows, whole.restricted, None, "b" if after == "a" else "a")

    with pytest.raises(RecordRefused, match="changed each of the 5 times it was read"):
        planned(world, hr=Round(world))


def test_who_is_out_of_scope_is_told_by_which_expression() -> None:
    world = SmallWorld(Mapping(scope=('department == "Sales"',)))
    world.truth["1"] = person()  # type: ignore[index]
    (line,) = planned(world).plan.lines
    assert (line.action, line.why) == ("out of scope", 'department == "Sales"')


def test_what_cannot_be_planned_is_refused_with_a_sentence() -> None:
    world = company(1)
    with pytest.raises(RecordRefused, match="BambooHR has no employee 99"):
        planned(world, "99")
    with pytest.raises(RecordRefused, match="paused"):
        planned(world, mode="paused")
    for wrong in ("department ==", "1 + 1", '"a"'):
        with pytest.raises(RecordRefused, match="The filter"):
            choice_of({"where": wrong})
    endless = "[0,1,2,3,4,5,6,7,8,9]"
    for _ in range(6):
        endless = f"[0,1,2,3,4,5,6,7,8,9].map(x, {endless})"
    with pytest.raises(RecordRefused, match="may take for ever"):
        choice_of({"where": f"{endless} == []"})
    with pytest.raises(RecordRefused, match="BambooHR has no field departmnt"):
        planned(world, where='departmnt == "Sales"')
    with pytest.raises(RecordRefused, match="lists nobody"):
        planned(SmallWorld())


def test_whom_nobody_knows_is_in_no_plan_of_everybody_since_somebody_asked_for_them() -> None:
    world = company(2)
    world.hire("9999", None)
    assert planned(world).plan.people == 2


def test_a_search_for_whose_contact_gives_up_an_address_that_is_refused_ends_no_plan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = company(2)
    world.truth["2"]["workEmail"] = "new@acme.test"  # type: ignore[index]
    world.truth["3"] = person("p2@acme.test")  # type: ignore[index]
    find = world.zoho.find_by_email

    async def refusing(email: str) -> object:
        if world.zoho.count("find"):
            raise RecordRefused("Zoho Books does not accept a value of this contact.")
        return await find(email)

    monkeypatch.setattr(world.zoho, "find_by_email", refusing)
    lines = {line.employee: (line.action, line.why) for line in planned(world, "2", "3").plan.lines}
    assert lines == {"2": ("change", None), "3": ("held", "Zoho Books does not accept a value of this contact.")}


@pytest.mark.parametrize(
    ("match", "email", "calls"),
    [("email", "ada@acme.test", 2), ("email", "Ada@acme.test", 3), ("cf_id", "Ada@acme.test", 4)],
)
def test_a_plan_counts_the_calls_that_a_new_contact_takes(match: str, email: str, calls: int) -> None:
    world = SmallWorld(Mapping(match=match))
    world.truth["1"] = person(email, id="1")  # type: ignore[index]
    assert planned(world).plan.calls == calls
    world.zoho.calls.clear()
    world.hire("1", world.truth["1"])  # type: ignore[index]
    world.settle()
    assert len([call for call in world.zoho.calls if call != "fields"]) == calls


def test_a_plan_of_everybody_tells_of_contacts_that_others_doubled() -> None:
    world = company(3)
    for email in ("p2@acme.test", "P3@acme.test", "new@acme.test", "new@acme.test", "", ""):
        world.zoho.add(email)
    world.truth["3"]["workEmail"] = "moved@acme.test"  # type: ignore[index]
    world.truth["4"] = person("new@acme.test")  # type: ignore[index]
    world.truth["5"] = person("")  # type: ignore[index]
    world.clock.advance(120.0)
    assert planned(world).plan.doubled == ("2", "4")
    assert planned(world, "2").plan.doubled == (), "where the contacts are not listed that is not known"


def test_a_contact_that_zoho_refuses_to_tell_of_is_its_own_trouble_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    world = company(2)
    world.truth["3"] = person("p3@acme.test")  # type: ignore[index]
    world.truth["4"] = person("p4@acme.test")  # type: ignore[index]
    find = world.zoho.find_by_email

    async def refusing(email: str) -> object:
        if email == "p3@acme.test":
            raise RecordRefused("Zoho Books does not accept a value of this contact.")
        return await find(email)

    monkeypatch.setattr(world.zoho, "find_by_email", refusing)
    lines = {line.employee: (line.action, line.why) for line in planned(world, "3", "4").plan.lines}
    assert lines == {"3": ("held", "Zoho Books does not accept a value of this contact."), "4": ("create", None)}


def test_a_part_of_a_sealed_answer_is_no_progress_and_no_row_keeps_it() -> None:
    from agents.telling import progress
    from stream.core.rows import Company
    from stream.records import Command
    from tests.fake_clock import START
    from tests.small_world import ACME, COMMANDS, OUTCOMES, at

    asked = Command(connection=ACME, command="plan", asked_by="me", work=True, at=START)
    company = folds.ask(Company(), asked, at(COMMANDS, 3))
    part = progress(ACME, "plan", company, "The plan comes.", START, result={"sealed": "x"})
    row = folds.answer(company, part, at(OUTCOMES, 1))
    assert row.asked["plan"].progress == {}
    assert row.asked["plan"].debt.owed


def test_a_leaver_who_is_held_still_gives_up_an_address_that_is_theirs_no_more() -> None:
    world = company(2, policy=LeaverGuard(people=0, percent=0))
    world.truth["1"] |= {"status": "Inactive", "workEmail": "new@acme.test"}  # type: ignore[index, operator]
    (line,) = planned(world).plan.lines
    assert (line.action, line.calls) == ("held", 2)
    assert line.changes == {"email": ("p1@acme.test", "new@acme.test")}


def test_an_address_that_another_contact_shows_is_waited_for_where_it_is_to_be_given_up() -> None:
    world = company(2)
    second = list(world.zoho.contacts.values())[1]
    next(iter(second.persons.values()))["email"] = "p3@acme.test"
    second.modified = world.clock.now()
    world.truth["3"] = person("p3@acme.test", firstName="P3")  # type: ignore[index]
    lines = {line.employee: line for line in planned(world).plan.lines}
    assert (lines["2"].action, lines["2"].changes["email"]) == ("change", ("p3@acme.test", "p2@acme.test"))
    assert (lines["3"].action, lines["3"].after) == ("create", ("2",))
    (kept,) = planned(world, reconcile=Reconciling(drift="leave")).plan.lines
    assert (kept.employee, kept.action, kept.why) == ("3", "held", "another contact shows the work email")
