"""Contacts that are matched by a unique custom field with the employee's id."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from stream.core.schemas import CustomField
from stream.errors import ConnectionMisset
from stream.records import ContactKey, EmployeeId, Mapping
from tests.memory_zoho import Fault, StoredContact
from tests.small_world import SETTLE_TIME, SmallWorld, person
from tests.unit.test_contact_index import run, settled

FIELD = "cf_employee_id"
BY_ID = Mapping(match=FIELD)
UNIQUE = CustomField(FIELD, "string", unique=True)


def hr(employee: str, email: str = "ada@acme.test", **fields: str) -> dict[str, str]:
    """What a reading shows: the id is asked for too."""
    return person(email, id=employee, **fields)


@pytest.fixture
def world() -> SmallWorld:
    made = SmallWorld(BY_ID)
    made.zoho.defined = [UNIQUE]
    made.clock.advance(100.0)
    return made


def only(world: SmallWorld) -> StoredContact:
    (contact,) = world.zoho.contacts.values()
    return contact


def troubled(fault: Fault, hidden_for: float = 0.0) -> SmallWorld:
    """Its first write goes wrong so. hidden_for: seconds until a new contact is found."""
    faults: Iterator[Fault] = iter([fault])
    world = SmallWorld(BY_ID, fault=lambda: next(faults, None), hidden_for=hidden_for)
    world.zoho.defined = [UNIQUE]
    return world


def try_once(world: SmallWorld, key: ContactKey) -> None:
    """One payment, to its end, and what is learnt of it."""
    world.begin(key)
    while key in world.paying:
        world.go_on(key)
    world.learn()


def test_a_new_contact_is_made_by_one_upsert_and_changed_by_its_id_from_then_on(world: SmallWorld) -> None:
    world.hire("7", hr("7"))
    assert settled(world) == ["fields", "match", "find", "upsert"]
    assert only(world).custom_fields == {FIELD: "7"}
    world.hire("7", hr("7", jobTitle="Lead"))
    assert settled(world) == ["contact", "update"]
    world.hire("8", hr("8", "bob@acme.test"))
    assert settled(world) == ["match", "find", "upsert"], "the field is looked at once"
    assert [one.action for one in world.outcomes if one.kind == "sync" and one.action != "attempting"] == [
        "created",
        "updated",
        "created",
    ]


def test_a_contact_with_the_id_is_found_whatever_its_address_and_keeps_its_other_persons(world: SmallWorld) -> None:
    contact = world.zoho.add("old@acme.test")
    contact.custom_fields[FIELD] = "7"
    contact.persons["other"] = {"email": "partner@acme.test"}
    world.hire("7", hr("7"))
    assert settled(world) == ["fields", "match", "update"], "found, and read in full by the same call"
    assert [one["email"] for one in only(world).persons.values()] == ["ada@acme.test", "partner@acme.test"]


def test_a_contact_with_the_address_is_adopted_where_the_field_is_empty_yet(world: SmallWorld) -> None:
    contact = world.zoho.add("ada@acme.test")
    contact.persons["other"] = {"email": "partner@acme.test"}
    world.hire("7", hr("7"))
    world.settle()
    assert only(world).custom_fields == {FIELD: "7"}
    assert [one["email"] for one in only(world).persons.values()] == ["ada@acme.test", "partner@acme.test"]
    assert world.zoho.count("create", "upsert") == 0


def test_one_that_holds_another_id_is_left_alone_and_told(world: SmallWorld) -> None:
    world.zoho.add("ada@acme.test").custom_fields[FIELD] = "99"
    world.hire("7", hr("7"))
    world.settle()
    (state,) = world.tables.contacts.values()
    assert (world.zoho.writes, state.contact_id) == (0, None)
    assert "another employee's id in cf_employee_id" in (state.error or "")


def test_one_that_is_a_neighbours_by_its_id_is_waited_for_while_they_are_to_give_the_address_up() -> None:
    """Theirs was made by a request whose answer was lost, so it is not bound to them yet."""
    world = troubled("applied and lost")
    world.hire("8", hr("8"))
    (theirs,) = world.tables.contacts
    try_once(world, theirs)
    world.not_before[theirs] = 2 * SETTLE_TIME  # Zoho Books is away
    world.hire("8", hr("8", "bob@acme.test"))
    world.hire("7", hr("7"))
    world.settle()
    shown = {contact.custom_fields[FIELD]: contact.email for contact in world.zoho.contacts.values()}
    assert shown == {"7": "ada@acme.test", "8": "bob@acme.test"}


@pytest.mark.parametrize("hidden_for", [0.0, 10 * SETTLE_TIME])
def test_one_whose_making_was_lost_is_still_its_keys_when_that_passes_on_to_a_rehire(hidden_for: float) -> None:
    world = troubled("applied and lost", hidden_for)
    world.hire("7", hr("7"))
    (key,) = world.tables.contacts
    try_once(world, key)
    world.hire("7", None)
    world.hire("8", hr("8", lastName="Again"))
    world.settle()
    assert only(world).custom_fields == {FIELD: "8"}
    assert [one["last_name"] for one in only(world).persons.values()] == ["Again"]


@pytest.mark.parametrize("fault", ["applied and lost", "applied late", "lost"])
@pytest.mark.parametrize("hidden_for", [0.0, 10 * SETTLE_TIME])
def test_a_lost_answer_doubles_nothing_even_where_no_search_finds_the_contact(fault: Fault, hidden_for: float) -> None:
    world = troubled(fault, hidden_for)
    world.hire("7", hr("7"))
    world.settle()
    assert only(world).custom_fields == {FIELD: "7"}
    (state,) = world.tables.contacts.values()
    assert (state.contact_id, state.unresolved) == (only(world).contact_id, None)
    assert world.zoho.count("upsert") == (2 if fault == "lost" else 1)


@pytest.mark.parametrize(
    ("defined", "told"),
    [
        ([], "no such custom field"),
        ([CustomField(FIELD, "string", unique=False)], "let the field prevent duplicate values"),
        ([CustomField(FIELD, "dropdown", ("7",), unique=True)], "it must be a text"),
    ],
)
def test_a_field_that_does_not_do_stops_the_connection_and_nothing_is_written_until_it_does(
    world: SmallWorld, defined: list[CustomField], told: str
) -> None:
    world.zoho.defined = defined
    world.hire("7", hr("7"))
    (key,) = world.tables.contacts
    with pytest.raises(ConnectionMisset, match=told):
        run(world.work.pay(key))
    assert world.zoho.writes == 0
    world.zoho.defined = [UNIQUE]
    world.settle()
    assert only(world).custom_fields == {FIELD: "7"}


@pytest.mark.parametrize("listed", [True, False])
def test_an_organization_that_does_not_tell_what_is_unique_is_trusted(world: SmallWorld, listed: bool) -> None:
    world.zoho.defined = [CustomField(FIELD, "string")] if listed else None
    world.hire("7", hr("7"))
    world.settle()
    assert only(world).custom_fields == {FIELD: "7"}


def test_from_addresses_to_the_field_no_contact_is_made_and_each_gets_its_id(world: SmallWorld) -> None:
    world.remap(Mapping())
    for employee in ("7", "8"):
        world.hire(employee, person(f"{employee}@acme.test"))
    world.settle()
    for employee in ("7", "8"):
        world.truth[EmployeeId(employee)] = hr(employee, f"{employee}@acme.test")
    world.remap(BY_ID)
    world.settle()
    assert [one.custom_fields.get(FIELD) for one in world.zoho.contacts.values()] == ["7", "8"]
    assert world.zoho.count("upsert") == 0


def test_two_contacts_that_are_to_change_their_ids_do_not_wait_for_each_other_for_ever(world: SmallWorld) -> None:
    one, other = "a@acme.test", "b@acme.test"
    world.hire("1", hr("1", one))
    world.hire("2", hr("2", other))
    world.settle()
    world.hire("1", hr("1", one, status="Terminated"))
    world.hire("2", hr("2", other, status="Terminated"))
    world.hire("4", hr("4", other))  # takes over the contact of 2
    world.hire("2", hr("2", one))  # that of 1
    world.hire("4", hr("4", other, status="Terminated"))
    world.hire("1", hr("1", other))  # that of 2, which was that of 4 meanwhile
    world.settle()
    shown: Callable[[str], str | None] = lambda email: world.zoho.showing(email)[0].custom_fields.get(FIELD)  # noqa: E731
    assert (shown(one), shown(other)) == ("2", "1")
    assert len(world.zoho.contacts) == 2
