"""What waits for a person, as the rows say it, and what has become of a decision."""

from __future__ import annotations

from stream.core import holds
from stream.core.folds import APPROVE, REJECT
from stream.core.holds import End, Hold
from stream.records import ContactKey, EmployeeId, LeaverGuard
from tests.small_world import SmallWorld, person
from tests.unit.test_keep_contacts import key_of
from tests.unit.test_leavers import address, company, leave

ALL = LeaverGuard(people=0, percent=0)


def listed(world: SmallWorld) -> list[Hold]:
    return holds.holds(world.tables.contacts, world.tables.addresses.values())


def only(world: SmallWorld) -> Hold:
    (hold,) = listed(world)
    return hold


def held(size: int = 3, *leavers: int) -> SmallWorld:
    """A company in which these leave; each of them waits."""
    world = company(size, policy=ALL)
    leave(world, leavers or [1])
    world.settle()
    return world


def test_leavers_are_listed_by_employee_with_the_wish_that_a_decision_is_about() -> None:
    world = held(12, 11, 2)
    first, second = listed(world)
    assert [hold.employees for hold in (first, second)] == [("2",), ("11",)]
    offset = world.tables.contacts[key_of(world, "2")].debt.held
    assert first.id == f"leaver-2@{offset}"
    assert first.contact is not None
    assert (first.contact.wish.offset, first.contact.contact_key) == (offset, key_of(world, "2"))
    assert first.contact_id == world.tables.contacts[key_of(world, "2")].contact_id
    assert first.at is not None


def test_people_on_one_address_are_one_hold_and_the_address_is_not_in_it() -> None:
    world = SmallWorld()
    for employee in ("23", "5"):
        world.hire(employee, person("desk@acme.test"))
    world.settle()
    hold = only(world)
    assert (hold.id, hold.kind, hold.employees) == ("address-5-23", "address", ("5", "23"))
    assert "desk" not in repr(hold)


def test_a_contact_whose_address_another_contact_shows_is_listed_until_it_is_right() -> None:
    world = SmallWorld()
    world.hire("1", person("a@acme.test"))
    world.settle()
    stored = next(iter(world.zoho.contacts.values()))
    next(iter(stored.persons.values()))["email"] = "b@acme.test"
    world.hire("2", person("b@acme.test"))
    world.settle()
    assert only(world).kind == "taken"
    next(iter(stored.persons.values()))["email"] = "a@acme.test"
    event = len(world.hr_events)
    world.notice("2", kind="operator", insists=True)
    me = world.tables.people[EmployeeId("2")]
    assert holds.tried_again(me, event, world.tables.contacts) is None
    world.settle()
    world.hire("2", person("b@acme.test"))  # is read once more, and nothing is new
    me = world.tables.people[EmployeeId("2")]
    assert holds.tried_again(me, event, world.tables.contacts) == End("is right")
    assert listed(world) == []


def test_the_digest_is_another_one_as_soon_as_anything_that_waits_is() -> None:
    world = held(5, 1, 2)
    digests = [holds.digest(listed(world))]
    assert holds.digest(reversed(listed(world))) == digests[0]
    leave(world, [3])
    world.settle()
    digests.append(holds.digest(listed(world)))
    world.hire("1", person(address("1"), status="Terminated", jobTitle="Lead"))
    world.settle()
    digests.append(holds.digest(listed(world)))
    world.decide(REJECT, world.held("1"))
    digests.append(holds.digest(listed(world)))
    assert len(set(digests)) == 4


def test_an_approval_ends_when_the_contact_is_inactive() -> None:
    world = held()
    hold = only(world)
    assert holds.approved(hold, world.tables.contacts) is None
    world.decide(APPROVE, world.held())
    assert holds.approved(hold, world.tables.contacts) is None
    assert listed(world) == []
    world.settle()
    assert holds.approved(hold, world.tables.contacts) == End("is inactive")


def test_an_approval_that_comes_too_late_says_so() -> None:
    world = held()
    hold = only(world)
    seen = world.held()
    world.hire("1", person(address("1"), status="Terminated", jobTitle="Lead"))
    world.settle()
    world.decide(APPROVE, seen)
    end = holds.approved(hold, world.tables.contacts)
    assert end is not None
    assert not end.well
    world.hire("1", person(address("1")))
    world.settle()
    assert holds.approved(hold, world.tables.contacts) == End("stays active: something newer came first")


def test_an_approval_of_a_contact_that_zoho_refuses_says_so() -> None:
    world = held()
    hold = only(world)
    world.zoho.fault = lambda: "refused"
    world.decide(APPROVE, world.held())
    world.settle()
    end = holds.approved(hold, world.tables.contacts)
    assert end == End("could not be made inactive: refused", well=False)


def test_a_rejected_leaver_stays_listed_as_such_until_something_newer_is_wanted() -> None:
    world = held()
    hold = only(world)
    assert holds.rejected(hold, world.tables.contacts) is None
    world.decide(REJECT, world.held())
    assert holds.rejected(hold, world.tables.contacts) == End("stays active")
    assert only(world).rejected
    world.hire("1", person(address("1")))
    world.settle()
    assert listed(world) == []


def test_giving_an_address_ends_when_the_person_was_read() -> None:
    world = SmallWorld()
    one, other = EmployeeId("1"), EmployeeId("2")
    for employee in (one, other):
        world.hire(employee, person("desk@acme.test"))
    world.settle()

    def become(event: int) -> End | None:
        return holds.given(world.tables.people.get(other), other, event, world.tables.addresses)

    event = len(world.hr_events)
    world.notice(other, kind="operator", among=("1", "2", "3"))
    assert become(event) is None
    world.settle()
    void = become(event)
    assert void is not None
    assert not void.well
    event = len(world.hr_events)
    world.notice(other, kind="operator", among=("1", "2"))
    before = dict(world.tables.addresses)
    world.settle()
    assert become(event) == End("holds the address")
    assert listed(world) == []
    after, world.tables.addresses = world.tables.addresses, before  # the row of the person was seen sooner
    assert become(event) is None
    world.tables.addresses = after
    world.hire(other, person("desk@acme.test", status="Terminated"))
    world.settle()
    left = become(event)
    assert left is not None
    assert not left.well


def test_a_row_that_was_decided_before_its_wish_was_folded_is_no_hold() -> None:
    world = held()
    (contact,) = world.held()
    world.tables.contacts = {}
    world.decide(APPROVE, (contact,))
    assert listed(world) == []
    assert world.tables.contacts[ContactKey(contact.contact_key)].debt.approved == contact.wish.offset
