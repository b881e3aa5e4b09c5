"""A plan says of everybody what then happens, and making it changes nothing."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from stream.core.plan_line import WRITING
from stream.records import EmployeeId, LeaverGuard, Mapping, SyncOutcome
from tests.planned_world import planned
from tests.small_world import SmallWorld, person

PEOPLE = ("1", "2", "3", "10")
EMAILS = ("ada@acme.test", "Bo@acme.test", "cy@acme.test", "")
RECORD = st.builds(
    person,
    st.sampled_from(EMAILS),
    status=st.sampled_from(("Active", "Active", "Inactive")),
    jobTitle=st.sampled_from(("Engineer", "Lead")),
    firstName=st.sampled_from(("Ada", "Bo")),
    department=st.sampled_from(("Operations", "Sales")),
)
TRUTH = st.dictionaries(st.sampled_from(PEOPLE), st.one_of(RECORD, RECORD, RECORD, st.none()))
BY_HAND = st.lists(
    st.tuples(st.sampled_from(("retitled", "left", "deleted", "renamed")), st.integers(0, 3)), max_size=3
)
MAPPINGS = (
    Mapping(),
    Mapping(scope=('department == "Operations"',)),
    Mapping(leavers="leave"),
    Mapping(missing_email="placeholder", placeholder="{id}@people.acme.test", name="{firstName} {lastName}"),
)


def world_of(
    before: dict[str, Any], after: dict[str, Any], hands: list[tuple[str, int]], mapping: Mapping
) -> SmallWorld:
    """Everybody as they were is synced; then BambooHR says something else, and somebody was at the contacts."""
    world = SmallWorld(mapping, policy=LeaverGuard(people=100))
    by_hand = {"first_name": "By", "last_name": "Hand", "email": EMAILS[0], "is_primary_contact": True}
    made = world.zoho.create({"contact_name": "By Hand", "contact_type": "vendor", "contact_persons": [by_hand]})
    run_to_the_end(made)
    for employee, record in before.items():
        if record is not None:
            world.hire(employee, {**record, "id": employee})
    world.settle()
    world.clock.advance(90.0)
    contacts = list(world.zoho.contacts.values())
    for what, number in hands:
        stored = contacts[number % len(contacts)]
        stored.modified = world.clock.now()
        match what:
            case "retitled":
                next(iter(stored.persons.values()))["designation"] = "By hand"
            case "left":
                stored.active = not stored.active
            case "renamed":
                stored.name = "Another name"
            case "deleted":
                world.zoho.contacts.pop(stored.contact_id, None)
    world.clock.advance(90.0)
    world.truth |= {EmployeeId(who): record and {**record, "id": who} for who, record in after.items()}
    return world


def run_to_the_end(call: Any) -> Any:
    try:
        while True:
            call.send(None)
    except StopIteration as end:
        return end.value


def done(outcomes: list[SyncOutcome]) -> tuple[str, dict[str, Any]]:
    """What became of one person, in a plan's words, and the fields that changed."""
    actions = {outcome.action for outcome in outcomes}
    words = {"created": "create", "deactivated": "deactivate", "activated": "reactivate", "updated": "change"}
    action = next((word for name, word in words.items() if name in actions), "nothing")
    changes = [outcome.changes for outcome in outcomes if outcome.action in words]
    return action, {name: change for one in changes for name, change in one.items()}


@given(TRUTH, TRUTH, BY_HAND, st.sampled_from(MAPPINGS), st.sampled_from((100, 0)))
@settings(max_examples=40, deadline=None, phases=[Phase.reuse, Phase.generate])
def test_what_is_planned_is_what_then_happens(
    before: dict[str, Any], after: dict[str, Any], hands: list[tuple[str, int]], mapping: Mapping, leavers: int
) -> None:
    world = world_of(before, after, hands, mapping)
    world.policy = LeaverGuard(people=leavers, percent=0)
    world.new_owner()
    if not any(world.truth.values()):
        return
    rows, contacts = deepcopy(world.tables), deepcopy(world.zoho.contacts)
    plan = planned(world)
    assert (world.tables, world.zoho.contacts) == (rows, contacts), "a plan changes nothing"
    assert planned(world).plan.canonical == plan.plan.canonical, "the same inputs give the same bytes"
    told = len(world.outcomes)
    for employee in plan.trial.readings:  # whom a sweep would read, one after the other
        world.truth.setdefault(employee, None)
        row = world.tables.people.get(employee)
        world.notice(employee, insists=row is not None and row.contact_key is not None)
    for employee in plan.trial.readings:
        world.read(employee)
    world.settle()
    for employee, line in plan.lines.items():
        outcomes = [o for o in world.outcomes[told:] if isinstance(o, SyncOutcome) and o.employee == employee]
        action, changes = done(outcomes)
        still = "change" if line.changes else "nothing"  # the address of a leaver who is held
        assert (line.action if line.action in WRITING else still) == action, (line, outcomes)
        if action not in ("nothing", "create"):
            assert line.changes == changes
        elif action == "create":
            shown = {name: after for name, (_, after) in changes.items() if after and name != "contact_type"}
            assert shown.items() <= {name: after for name, (_, after) in line.changes.items()}.items()
