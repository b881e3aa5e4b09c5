"""A plan says of everybody what then happens, and making it changes nothing."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from stream.core.order import in_order
from stream.core.plan_line import WRITING
from stream.core.roster import is_to_be_asked_about
from stream.core.rows import ContactState
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
LED_BY_BO = person("Bo@acme.test", jobTitle="Lead", firstName="Bo", department="Sales")
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
    before: dict[str, Any], left: set[str], after: dict[str, Any], hands: list[tuple[str, int]], mapping: Mapping
) -> SmallWorld:
    """Everybody as they were is synced, then these leave; then BambooHR says something else, and somebody was at the
    contacts.
    """
    world = SmallWorld(mapping, policy=LeaverGuard(people=100))
    by_hand = {"first_name": "By", "last_name": "Hand", "email": EMAILS[0], "is_primary_contact": True}
    made = world.zoho.create({"contact_name": "By Hand", "contact_type": "vendor", "contact_persons": [by_hand]})
    run_to_the_end(made)
    for employee, record in before.items():
        if record is not None:
            world.hire(employee, {**record, "id": employee})
    world.settle()
    for employee in left & before.keys():
        world.hire(employee, None)
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


def sweep(world: SmallWorld) -> None:
    """As the owner of a connection reads everybody and puts right what was changed by hand."""
    world.load()
    insists = {employee: world.index.has_moved(contact_of(world, employee)) for employee in world.tables.people}
    asked = {
        who for who, row in world.tables.people.items() if is_to_be_asked_about(who, row, world.tables.addresses.get)
    }
    listed = {employee for employee, record in world.truth.items() if record is not None}
    due = sorted(listed | asked | {employee for employee, moved in insists.items() if moved}, key=in_order)
    for employee in due:
        world.truth.setdefault(employee, None)
        world.notice(employee, kind="sweep", insists=insists.get(employee, False))
    for employee in due:
        world.read(employee)
    world.settle()


def contact_of(world: SmallWorld, employee: EmployeeId) -> ContactState | None:
    key = world.tables.people[employee].contact_key
    return None if key is None else world.tables.contacts[key]


@given(TRUTH, st.sets(st.sampled_from(PEOPLE)), TRUTH, BY_HAND, st.sampled_from(MAPPINGS), st.sampled_from((100, 0)))
@example(
    {"1": LED_BY_BO, "10": LED_BY_BO | {"workEmail": ""}},
    set(),
    {"10": None, "1": None, "2": LED_BY_BO},
    [("retitled", 1), ("retitled", 2), ("renamed", 1)],
    Mapping(leavers="leave"),
    100,
)  # who takes over a contact that was changed by hand
@example(
    {"1": person("cy@acme.test", jobTitle="Lead")},
    set(),
    {"1": None, "2": person("Bo@acme.test")},
    [("retitled", 1), ("left", 1)],
    Mapping(),
    0,
)  # who left is inactive already, and too many leave
@settings(max_examples=40, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_what_is_planned_is_what_then_happens(
    before: dict[str, Any],
    left: set[str],
    after: dict[str, Any],
    hands: list[tuple[str, int]],
    mapping: Mapping,
    leavers: int,
) -> None:
    world = world_of(before, left, after, hands, mapping)
    world.policy = LeaverGuard(people=leavers, percent=0)
    world.new_owner()
    if not any(world.truth.values()):
        return
    rows, contacts = deepcopy(world.tables), deepcopy(world.zoho.contacts)
    plan = planned(world)
    assert (world.tables, world.zoho.contacts) == (rows, contacts), "a plan changes nothing"
    assert planned(world).plan.canonical == plan.plan.canonical, "the same inputs give the same bytes"
    told = len(world.outcomes)
    sweep(world)
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
