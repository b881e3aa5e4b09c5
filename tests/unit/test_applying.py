"""Carrying a plan out: just what was planned, just where reality still matches, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agents.applying import APPLY, ApplyCommand, arguments_of
from agents.operations import Done
from stream.codec import fingerprint
from stream.core import folds
from stream.core.plan_line import WRITING
from stream.core.rows import Company
from stream.errors import RecordRefused
from stream.records import (
    Command,
    CommandOutcome,
    ContactKey,
    EmployeeId,
    HrEvent,
    LeaverGuard,
    LogPosition,
    Mapping,
    Mode,
    Source,
)
from tests.fake_clock import START
from tests.planned_world import planned, planner_of
from tests.small_world import ACME, COMMANDS, HR_EVENTS, SmallWorld, at, keep_contacts, person
from tests.unit.test_backfill import connection
from tests.virtual_time import VirtualTime, run


class Owner:
    """A connection's owner in a small world. meanwhile: happens when people are about to be read."""

    def __init__(self, world: SmallWorld, mode: Mode) -> None:
        self.world, self.mode = world, mode
        self.meanwhile: Callable[[], None] = lambda: None
        self.commands: list[Command] = []
        if mode == "preview":
            world.work = keep_contacts(
                world.zoho,
                world.tables.contacts.get,
                world.append,
                world.clock,
                preview=True,
                leavers=world.work._leavers,
                index=world.index,
            )
            for key in world.tables.contacts:
                world.work.look(key)

    def apply(self, plan: Any) -> Done:
        lines = {line.employee: line.basis for line in plan.lines if line.action in WRITING}
        arguments = arguments_of(plan.mapping, lines, "ada")
        asked = Command(connection=ACME, command=APPLY, asked_by="ada", work=True, arguments=arguments, at=START)
        company = folds.ask(Company(), asked, at(COMMANDS, 3))
        planner = planner_of(self.world, mode=self.mode)
        rows = planner._rows
        self.world.tables.company = company
        record = connection(self.mode).model_copy(update={"mapping": self.world.mapping, "guard": self.world.policy})

        async def folded() -> None: ...

        carry_out = ApplyCommand(
            record, planner, rows, append=self.append, wishes_folded=folded, clock=self.world.clock
        )
        return run(carry_out(company.asked[APPLY]), VirtualTime())

    async def append(self, record: HrEvent | Command | CommandOutcome) -> LogPosition:
        world = self.world
        if isinstance(record, HrEvent):
            self.meanwhile()
            world.hr_events.append(record)
            world.tables.hear(record, at(HR_EVENTS, len(world.hr_events) - 1))
            for employee in record.employees:
                world.read(employee)
            self.pay()
            return at(HR_EVENTS, len(world.hr_events) - 1)
        if isinstance(record, Command):
            self.commands.append(record)
            world.decide(record.command, record.holds)
            self.pay()
        return at(COMMANDS, 9)

    def pay(self) -> None:
        """The lane pays whatever it owes in this mode."""
        for _ in range(50):
            due = [key for key in self.world.tables.contacts if self.owes(key)]
            if not due:
                return
            for key in due:
                self.world.begin(key)
                while key in self.world.paying:
                    self.world.go_on(key)
                self.world.learn()
        raise AssertionError("there is no end to it")

    def owes(self, key: ContactKey) -> bool:
        found = self.world.work.look(key)
        return found is not None and found.owed


def company(count: int, **more: Any) -> SmallWorld:
    world = SmallWorld(**more)
    for number in range(1, count + 1):
        world.hire(str(number), person(f"p{number}@acme.test", firstName=f"P{number}"))
    world.settle()
    world.clock.advance(120.0)
    return world


def titles(world: SmallWorld) -> dict[str, str]:
    shown = [next(iter(stored.persons.values())) for stored in world.zoho.contacts.values()]
    return {person["first_name"]: person["designation"] for person in shown}


def test_in_preview_just_the_planned_changes_are_written_and_the_rest_goes_on_waiting() -> None:
    world = company(3)
    owner = Owner(world, "preview")
    for who in "123":
        world.change(who, {**world.truth[who], "jobTitle": "Lead"})  # type: ignore[index, dict-item]
        world.read(who)
    owner.pay()
    assert set(titles(world).values()) == {"Engineer"}
    plan = planned(world, "2", mode="preview").plan
    assert owner.apply(plan).result | {"of": ""} == {"done": 1, "moved": {}, "of": ""}
    assert titles(world) == {"P1": "Engineer", "P2": "Lead", "P3": "Engineer"}
    assert [command.asked_by for command in owner.commands] == ["ada"]
    world.change("2", {**world.truth["2"], "jobTitle": "Chief"})  # type: ignore[index, dict-item]
    world.read("2")
    owner.pay()
    assert titles(world)["P2"] == "Lead", "what is wanted later waits again"


@pytest.mark.parametrize("mode", ["live", "preview"])
def test_applied_twice_it_does_nothing_twice(mode: Mode) -> None:
    world = company(2)
    owner = Owner(world, mode)
    world.truth["1"]["jobTitle"] = "Lead"  # type: ignore[index]
    world.truth["3"] = person("p3@acme.test", firstName="P3")  # type: ignore[index]
    plan = planned(world, mode=mode).plan
    assert owner.apply(plan).result["done"] == 2
    writes = [call for call in world.zoho.calls if call in ("create", "update")]
    world.clock.advance(120.0)
    again = owner.apply(plan)
    assert (again.result["done"], again.result["moved"]) == (2, {})
    assert [call for call in world.zoho.calls if call in ("create", "update")] == writes
    assert titles(world) == {"P1": "Lead", "P2": "Engineer", "P3": "Engineer"}


def test_whoever_has_moved_is_named_with_what_has_moved_and_not_touched() -> None:
    world = company(4)
    owner = Owner(world, "preview")
    for who in "123":
        world.truth[who]["jobTitle"] = "Lead"  # type: ignore[index]
    plan = planned(world, mode="preview").plan
    world.truth["1"]["jobTitle"] = "Chief"  # type: ignore[index]
    second = list(world.zoho.contacts.values())[1]
    next(iter(second.persons.values()))["designation"] = "By hand"
    second.modified = world.clock.now()
    done = owner.apply(plan)
    assert done.result["moved"] == {
        "1": "the record in BambooHR and what would be done changed; it would be changed now",
        "2": "the contact in Zoho Books changed; it would be changed now",
    }
    assert done.says == "1 of 3 planned changes are done."
    assert titles(world) == {"P1": "Engineer", "P2": "By hand", "P3": "Lead", "P4": "Engineer"}


def test_whom_bamboohr_deleted_before_anything_was_loaded_is_named_and_the_others_are_done() -> None:
    world = SmallWorld()
    for who in "123":
        world.truth[who] = person(f"p{who}@acme.test")  # type: ignore[index]
    owner = Owner(world, "live")
    plan = planned(world).plan
    world.truth["2"] = None  # type: ignore[index]
    done = owner.apply(plan)
    assert done.result["moved"] == {
        "2": "the record in BambooHR and the contact in Zoho Books and what would be done changed; it would be left as "
        "it is now"
    }
    assert len(world.zoho.contacts) == 2


def test_what_changes_while_it_is_applied_is_not_written_in_preview() -> None:
    world = company(1)
    owner = Owner(world, "preview")
    world.truth["1"]["jobTitle"] = "Lead"  # type: ignore[index]
    plan = planned(world, mode="preview").plan

    def meanwhile() -> None:
        world.truth["1"]["jobTitle"] = "Chief"  # type: ignore[index]

    owner.meanwhile = meanwhile
    assert owner.apply(plan).result["moved"] == {"1": "something newer came meanwhile"}
    assert titles(world) == {"P1": "Engineer"}


def test_the_leaver_guard_is_in_force_when_leavers_are_let_through() -> None:
    strict, lax = LeaverGuard(people=0, percent=0), LeaverGuard(people=100)
    world = company(4, policy=strict)
    owner = Owner(world, "preview")
    world.truth["1"]["status"] = "Inactive"  # type: ignore[index]
    world.policy = lax
    plan = planned(world, mode="preview").plan
    assert plan.counts["deactivate"] == 1
    assert owner.apply(plan).result["moved"] == {"1": "leaver guard: waits for a decision"}, "the lane asks it anew"
    world.policy = strict
    assert "leaver guard" in str(owner.apply(plan).result["moved"])
    assert all(stored.active for stored in world.zoho.contacts.values())


def test_an_address_that_another_contact_gives_up_later_is_not_waited_for() -> None:
    world = company(1)
    owner = Owner(world, "preview")
    world.truth["1"]["workEmail"] = "elsewhere@acme.test"  # type: ignore[index]
    world.truth["2"] = person("p1@acme.test", firstName="P2")  # type: ignore[index]
    plan = planned(world, mode="preview").plan
    assert {line.employee for line in plan.lines} == {"1", "2"}
    whole = owner.apply(plan)
    assert (whole.result["done"], whole.result["moved"]) == (2, {})
    assert titles(world) == {"P1": "Engineer", "P2": "Engineer"}


def test_who_would_wait_for_a_contact_that_is_not_let_through_is_left_out() -> None:
    world = company(1)
    owner = Owner(world, "preview")
    world.hire("1", {**world.truth["1"], "workEmail": "elsewhere@acme.test"})  # type: ignore[index, dict-item]
    world.hire("2", person("p1@acme.test", firstName="P2"))
    owner.pay()
    plan = planned(world, mode="preview").plan
    world.truth["1"]["jobTitle"] = "Chief"  # type: ignore[index]
    moved = owner.apply(plan).result["moved"]
    assert isinstance(moved, dict)
    assert moved["2"] == "employee 1's contact must give up the address first"
    assert titles(world) == {"P1": "Engineer"}


def test_a_plan_of_another_mapping_or_of_a_paused_connection_is_refused() -> None:
    world = company(1)
    world.truth["1"]["jobTitle"] = "Lead"  # type: ignore[index]
    plan = planned(world).plan
    with pytest.raises(RecordRefused, match="paused"):
        Owner(world, "paused").apply(plan)
    with pytest.raises(RecordRefused, match="another mapping"):
        Owner(world, "live").apply(plan.model_copy(update={"mapping": fingerprint(Mapping(leavers="leave"))}))


@pytest.mark.parametrize("mode", ["live", "preview"])
@pytest.mark.parametrize("left", ["terminated", "deleted"])
def test_a_line_that_rests_on_somebody_who_has_left_is_carried_out(left: str, mode: Mode) -> None:
    world = SmallWorld()
    world.hire("7", person("ada@acme.test", id="7"))
    world.settle()
    world.clock.advance(120.0)
    world.truth[EmployeeId("7")] = None if left == "deleted" else person("ada@acme.test", status="Terminated", id="7")
    world.truth[EmployeeId("9")] = person("ada@acme.test", jobTitle="Lead", id="9")
    plan = planned(world).plan
    assert [(line.employee, line.action) for line in plan.lines] == [("9", "change")]
    done = Owner(world, mode).apply(plan)
    assert done.result["done"] == 1, done.result
    (contact,) = world.zoho.contacts.values()
    assert next(iter(contact.persons.values()))["designation"] == "Lead"


def test_a_value_in_a_form_of_zohos_own_is_no_change_since_the_plan() -> None:
    world = SmallWorld(Mapping(fields={"phone": Source(field="workPhone")}))
    for number in range(60):
        world.hire(str(number + 1), person(f"p{number}@acme.test", workPhone="+44 20 1"))
    world.settle()
    world.clock.advance(120.0)
    for contact in world.zoho.contacts.values():
        next(iter(contact.persons.values()))["phone"] = "+44201"
    world.truth[EmployeeId("7")]["jobTitle"] = "Lead"  # type: ignore[index]
    plan = planned(world).plan
    assert [line.changes for line in plan.lines] == [{"designation": ("Engineer", "Lead")}]
    assert Owner(world, "live").apply(plan).result["done"] == 1
