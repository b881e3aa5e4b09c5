"""What somebody changed by hand in Zoho Books is told, by employee and field, and left as it is."""

from __future__ import annotations

import pytest

from agents.drift import Differing, drifted
from stream.bamboohr.everybody import Sweep
from stream.core.drift import GONE
from stream.patience import Patience
from stream.records import DriftOutcome, EmployeeId, Reconciling
from tests.memory_zoho import StoredContact
from tests.small_world import SmallWorld, person
from tests.unit.test_backfill import Owner, find_drift
from tests.unit.test_contact_index import run


@pytest.fixture
def world() -> SmallWorld:
    made = SmallWorld()
    made.hire("1", person("ada@acme.test"))
    made.hire("2", person("bob@acme.test"))
    made.settle()
    made.clock.advance(5.0)
    return made


def look(world: SmallWorld) -> Differing:
    """A night's run, and what it says."""
    run(world.index.fill(Patience()))
    found: Differing = run(find_drift(world)(Patience()))
    world.learn()
    assert run(drifted(world.tables.rows)) == found
    return found


def by_hand(world: SmallWorld, email: str, **fields: str) -> StoredContact:
    (contact,) = world.zoho.showing(email)
    next(iter(contact.persons.values())).update(fields)
    contact.modified = world.clock.now()
    world.clock.advance(5.0)
    return contact


def test_who_differs_is_named_with_the_fields_and_nothing_is_written(world: SmallWorld) -> None:
    assert look(world) == {}
    by_hand(world, "bob@acme.test", department="Sales", salutation="Mr.")
    writes = world.zoho.writes
    assert look(world) == {"2": ("department",)}
    assert world.zoho.writes == writes
    told = [one for one in world.outcomes if isinstance(one, DriftOutcome)]
    assert "Sales" not in "".join(one.model_dump_json() for one in told)


def test_a_contact_is_read_once_for_each_time_that_somebody_changes_it(world: SmallWorld) -> None:
    contact = by_hand(world, "bob@acme.test", department="Sales")
    look(world)
    reads = world.zoho.count("contact")
    assert look(world) == {"2": ("department",)}, "it is told of every night"
    assert world.zoho.count("contact") == reads
    by_hand(world, "bob@acme.test", department="Operations", last_name="Stone")
    assert look(world) == {"2": ("last_name",)}
    by_hand(world, "bob@acme.test", last_name="Moreno")
    assert look(world) == {}
    del world.zoho.contacts[contact.contact_id]
    reads = world.zoho.count("contact")
    assert look(world) == look(world) == {"2": GONE}
    assert world.zoho.count("contact") == reads + 1, "a list may lag behind what was made: it is asked for once"


def test_a_leaver_whose_time_of_change_is_not_known_is_read_once(world: SmallWorld) -> None:
    world.hire("2", person("bob@acme.test", status="Terminated"))
    world.settle()
    reads = world.zoho.count("contact")
    assert look(world) == look(world) == {}
    assert world.zoho.count("contact") == reads + 1


def test_what_is_written_later_or_put_right_by_an_operator_differs_no_more(world: SmallWorld) -> None:
    by_hand(world, "ada@acme.test", department="Sales")
    by_hand(world, "bob@acme.test", department="Sales")
    assert set(look(world)) == {"1", "2"}
    world.notice("1", insists=True)
    world.hire("2", person("bob@acme.test", jobTitle="Lead"))
    world.settle()
    assert run(drifted(world.tables.rows)) == {}
    assert look(world) == {}
    assert world.tables.contacts == world.replayed().contacts


def test_a_contact_that_is_written_while_it_is_looked_at_is_not_said_to_differ(world: SmallWorld) -> None:
    by_hand(world, "bob@acme.test", department="Sales")
    run(world.index.fill(Patience()))
    run(find_drift(world)(Patience()))  # its outcome is not folded yet
    late = world.outcomes.pop()
    world.notice("2", insists=True)
    world.settle()
    world.outcomes.append(late)
    world.learn()
    assert run(drifted(world.tables.rows)) == {}


@pytest.mark.parametrize(
    ("policy", "says", "moved"),
    [
        ("report", "1 contact was changed in Zoho Books and left so.", False),
        ("put back", "as they should be.", True),
        ("leave", "as they should be.", False),
    ],
)
def test_only_a_connection_that_wants_a_report_gets_one(policy: str, says: str, moved: bool) -> None:
    plan = Reconciling.model_validate({"drift": policy})
    owner = Owner([Sweep(began=1, people=1, total=1, ended=True)], reconcile=plan)
    owner.world.hire("1", person())
    owner.world.settle()
    owner.world.clock.advance(5.0)
    by_hand(owner.world, "ada@acme.test", department="Sales")
    run(owner.world.index.fill(Patience()))
    known = owner.load._known(owner.world.tables.people[EmployeeId("1")])
    assert (known.insists, known.changed) == (moved, moved)
    done = owner.carried_out()
    assert done.says.endswith(says)
    assert done.result.get("drift") == ([{"employee": "1", "fields": ["department"]}] if policy == "report" else None)
