"""Addresses that are spelt otherwise, move, are swapped or pass on, or do not fit: one contact a person, none lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.core.contact import EMAIL_MAX, email_key
from stream.core.mapping import desired_contact
from stream.records import Email, EmployeeId, Mapping
from tests.small_world import SmallWorld, person
from tests.unit.test_keep_contacts import key_of

locals_ = st.text("abcXYZ09._-", min_size=1, max_size=12)
spaces = st.text(" \t\n\r\u00a0", max_size=3)


@st.composite
def spellings(draw: st.DrawFn, address: str) -> str:
    """The address in some letter case, with some spaces around it."""
    cased = "".join(draw(st.sampled_from((letter.lower(), letter.upper()))) for letter in address)
    return draw(spaces) + cased + draw(spaces)


@given(st.data(), locals_)
def test_however_an_address_is_spelt_it_is_one_key_and_is_shown_without_its_spaces(
    data: st.DataObject, name: str
) -> None:
    address = f"{name}@acme.test"
    spelt = data.draw(spellings(address))
    assert email_key(spelt) == email_key(address) == email_key(email_key(spelt))
    shown = desired_contact(person(spelt), Mapping(), active=True).email
    assert shown == spelt.strip()


@given(locals_, st.text("abc09._-", min_size=1, max_size=8))
def test_a_plus_address_is_another_address(name: str, box: str) -> None:
    assert email_key(f"{name}+{box}@acme.test") != email_key(f"{name}@acme.test")


@given(st.integers(1, 300), spaces)
def test_an_address_that_does_not_fit_is_none_and_never_cut(length: int, around: str) -> None:
    address = "a" * max(1, length - 10) + "@acme.test"
    shown = desired_contact(person(f"{around}{address}{around}"), Mapping(), active=True).email
    assert shown == (address if len(address) <= EMAIL_MAX else None)


@settings(max_examples=40)
@given(st.data())
def test_one_person_in_many_spellings_is_one_contact(data: st.DataObject) -> None:
    world = SmallWorld()
    for _ in range(data.draw(st.integers(1, 4))):
        world.hire("1", person(data.draw(spellings("ada.moreno@acme.test"))))
        if data.draw(st.booleans()):
            world.settle()
    world.settle()
    (contact,) = world.zoho.contacts.values()
    assert contact.email == world.truth[EmployeeId("1")]["workEmail"].strip()  # type: ignore[index]


@settings(max_examples=60)
@given(st.data(), st.booleans())
def test_addresses_that_are_swapped_or_go_round_leave_everybody_the_same_contact(
    data: st.DataObject, settled: bool
) -> None:
    world = SmallWorld()
    people = ["1", "2", "3"][: data.draw(st.integers(2, 3))]
    homes = [f"p{who}@acme.test" for who in people]
    for who, home in zip(people, homes, strict=True):
        world.hire(who, person(home, firstName=f"P{who}"))
    world.settle()
    before = {who: world.tables.contacts[key_of(world, who)].contact_id for who in people}
    moved = [*homes[1:], homes[0]]
    for number in data.draw(st.permutations(range(len(people)))):
        spelt = data.draw(spellings(moved[number]))
        world.hire(people[number], person(spelt, firstName=f"P{people[number]}"))
        if settled:
            world.settle()
    world.settle()
    assert {who: world.tables.contacts[key_of(world, who)].contact_id for who in people} == before
    for who, home in zip(people, moved, strict=True):
        contact = world.zoho.contacts[before[who]]  # type: ignore[index]
        assert (email_key(contact.email), contact.active) == (home, True)
    assert len(world.zoho.contacts) == len(people)


@settings(max_examples=60)
@given(st.data())
def test_who_comes_back_under_a_new_record_takes_over_the_contact_in_any_order_of_reading(data: st.DataObject) -> None:
    world = SmallWorld()
    home = "ada@acme.test"
    world.hire("1", person(home))
    world.settle()
    readings = [
        ("1", data.draw(st.sampled_from([None, person(home, status="Terminated"), person("")]))),
        ("2", person(data.draw(spellings(home)))),
    ]
    gone = readings[0][1] is None or readings[0][1]["status"] != "Active"
    for who, fields in data.draw(st.permutations(readings)):
        world.hire(who, fields)
        if data.draw(st.booleans()):
            world.settle()
    world.settle()
    active = [contact for contact in world.zoho.contacts.values() if contact.active]
    assert [email_key(contact.email) for contact in active if contact.email] == [home]
    if gone:
        assert len(world.zoho.contacts) == 1
        assert world.tables.people[EmployeeId("1")].contact_key is None


@settings(max_examples=60)
@given(st.permutations(["1", "2"]), st.data())
def test_an_active_and_a_departed_person_on_one_address_are_not_held_and_the_active_one_holds_it(
    order: list[str], data: st.DataObject
) -> None:
    world = SmallWorld()
    fields = {"1": person("ada@acme.test"), "2": person("ada@acme.test", status="Terminated")}
    for who in order:
        world.hire(who, {**fields[who], "workEmail": data.draw(spellings("ada@acme.test"))})
    world.settle()
    address = world.tables.addresses[Email("ada@acme.test")]
    assert (address.held, address.holder) == (False, "1")
    (contact,) = world.zoho.contacts.values()
    assert contact.active
