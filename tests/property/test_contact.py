"""Whatever happens in BambooHR, to the answers of Zoho Books and to the worker: in the end Zoho shows the people as
they are, nobody is there twice, and no debt is left.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.core.contact import email_key
from stream.core.employment import employment
from stream.core.scope import standing
from stream.records import Mapping, Source
from tests.memory_zoho import Fault
from tests.small_world import SmallWorld, person

Step = tuple[Any, ...]
PEOPLE = ("1", "2", "3")
ADDRESSES = ("x@acme.test", "y@acme.test", "z@acme.test")
SPELLINGS = (*ADDRESSES, "X@Acme.test", "  y@acme.test ")

records = st.one_of(
    st.none(),
    st.builds(
        person,
        st.sampled_from([*SPELLINGS, *ADDRESSES, "", None]),
        status=st.sampled_from(["Active", "Active", "Active", "Inactive", "Terminated", ""]),
        firstName=st.sampled_from(["Ada", "Eve"]),
        jobTitle=st.sampled_from(["Engineer", "", "x" * 60]),
    ),
)
whom = st.sampled_from(PEOPLE)
mappings = st.builds(
    Mapping,
    state_field=st.sampled_from([None, "cf_state"]),
    name=st.sampled_from([None, None, "{lastName}, {firstName}"]),
    fields=st.sampled_from([{}, {"phone": Source(field="jobTitle"), "cf_title": Source(field="jobTitle")}]),
    scope=st.sampled_from([(), ('jobTitle != ""',)]),
)
step = st.one_of(
    st.tuples(st.just("change"), whom, records),
    st.tuples(st.just("insist"), whom),
    st.tuples(st.just("read"), whom),
    st.tuples(st.just("pay"), st.integers(0, 5)),
    st.tuples(st.just("pay"), st.integers(0, 5)),
    st.tuples(st.just("learn")),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 30.0, 61.0])),
    st.tuples(st.just("new owner")),
    st.tuples(st.just("remap"), mappings),
)
passing = st.lists(
    st.sampled_from([None, None, "applied and lost", "applied late", "lost", "down", "limited", "no access"])
)
lasting = st.lists(st.sampled_from([None, None, "refused", "refused", "applied and lost", "lost"]))
by_hand = st.tuples(st.just("delete by hand"), st.integers(0, 5))


def play(world: SmallWorld, happenings: list[Step]) -> None:
    for happening in happenings:
        match happening:
            case ("change", who, fields):
                world.change(who, fields)
            case ("insist", who) if who in world.truth:
                world.notice(who, insists=True)
            case ("read", who):
                world.read(who)
            case ("pay", number):
                # Going on with a payment and beginning one are equally likely, so that they overlap.
                if choices := [*world.paying, *world.due()]:
                    key = choices[number % len(choices)]
                    if key in world.paying:
                        world.go_on(key)
                    else:
                        world.begin(key)
            case ("learn",):
                world.learn()
            case ("wait", seconds):
                world.clock.advance(seconds)
            case ("delete by hand", number):
                if world.zoho.contacts:
                    del world.zoho.contacts[list(world.zoho.contacts)[number % len(world.zoho.contacts)]]
            case ("remap", mapping):
                world.remap(mapping)
            case ("new owner",):
                world.new_owner()
            case ("load",):
                world.load()


def is_active(world: SmallWorld, who: str) -> bool:
    fields = world.truth.get(who)
    if fields is None or employment(fields, world.clock.now().date()) != "active":
        return False
    return standing(world.mapping.scope, fields) is None


def check_end(world: SmallWorld, strangers: set[str]) -> None:
    tables = world.tables
    held = {email: row.active for email, row in tables.addresses.items() if row.held}
    for key, state in tables.contacts.items():
        assert not state.debt.owed, "a debt is left"
        if state.employee not in held.get(email_key(state.desired.email or ""), []):
            assert not state.debt.set_aside, (key, state.debt.reason)
        assert state.debt.parked <= state.debt.settled, (key, state.debt.reason)
        assert state.unresolved is None, "a write without an end"
    bound = Counter(state.contact_id for state in tables.contacts.values() if state.contact_id is not None)
    assert all(count == 1 for count in bound.values()), "a contact that stands for two"
    assert set(world.zoho.contacts) <= set(bound) | strangers, "a contact that nobody knows of"
    people = {row.contact_key: who for who, row in tables.people.items() if row.contact_key is not None}
    assert len(people) == sum(row.contact_key is not None for row in tables.people.values()), "a key of two people"
    for address in ADDRESSES:
        row = tables.addresses.get(address)
        holders = [] if row is None else row.active
        if len(holders) == 1:
            shown = [c for c in world.zoho.showing(address) if c.contact_id in bound]
            assert len(shown) == 1, (address, shown)
            assert shown[0].active
            key = tables.people[holders[0]].contact_key
            assert tables.contacts[key].contact_id == shown[0].contact_id
            fields = world.truth[holders[0]]
            if fields and "workEmail" in fields and is_active(world, holders[0]):
                primary = next(iter(shown[0].persons.values()))
                assert world.desired(holders[0]) == {name: primary.get(name, "") for name in world.desired(holders[0])}
    for key, state in tables.contacts.items():
        who = people.get(key)
        fields = world.truth.get(who) if who else None
        unclear = fields is not None and not fields["status"]
        if state.contact_id in world.zoho.contacts and not unclear and (who is None or not is_active(world, who)):
            assert not world.zoho.contacts[state.contact_id].active, "a leaver's contact is active"


def check_replay(world: SmallWorld) -> None:
    def meaning(rows: dict[Any, Any]) -> dict[Any, Any]:
        return {key: row.model_copy(update={"folded": {}}) for key, row in rows.items()}

    again = world.replayed()
    assert meaning(again.people) == meaning(world.tables.people)
    assert meaning(again.addresses) == meaning(world.tables.addresses)
    assert meaning(again.contacts) == meaning(world.tables.contacts)


def play_to_the_end(world: SmallWorld, happenings: list[Step]) -> None:
    """Play, settle what is left, and check how it has ended."""
    strangers = set(world.zoho.contacts)
    play(world, happenings)
    world.settle()
    check_end(world, strangers)
    check_replay(world)


def play_and_insist(world: SmallWorld, happenings: list[Step]) -> None:
    """The same, with a pass in which everybody is put right and nothing fails."""
    strangers = set(world.zoho.contacts)
    play(world, happenings)
    world.settle()
    world.zoho.fault = lambda: None
    world.insist()
    world.settle()
    check_end(world, strangers)
    check_replay(world)


def world_with(mapping: Mapping, faults: list[Fault | None], there_before: list[str], **zoho: Any) -> SmallWorld:
    coming = iter(faults)
    world = SmallWorld(mapping, fault=lambda: next(coming, None), **zoho)
    for email in there_before:
        world.zoho.add(email)
    world.clock.advance(100.0)
    return world


there = st.lists(st.sampled_from(ADDRESSES), max_size=2, unique=True)
ways = st.fixed_dictionaries(
    {
        "hidden_for": st.sampled_from([0.0, 25.0]),
        "names_once": st.booleans(),
        "minds_case": st.booleans(),
        "terse": st.sampled_from(
            [(), (), ("contact_persons",), ("custom_fields",), ("contact_persons", "custom_fields")]
        ),
    }
)
thorough = settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])


@thorough
@given(st.lists(step, max_size=40), passing, there, mappings, ways)
def test_zoho_shows_the_people_as_they_are_whatever_happens(
    happenings: list[Step], faults: list[Fault | None], there: list[str], mapping: Mapping, ways: dict[str, Any]
) -> None:
    world = world_with(mapping, faults, there, **ways)
    play_to_the_end(world, happenings)


@settings(thorough, max_examples=200)
@given(st.lists(st.one_of(step, step, step, st.just(("load",))), max_size=40), passing, there, mappings, ways)
def test_nor_does_it_matter_that_contacts_were_read_in_bulk_before(
    happenings: list[Step], faults: list[Fault | None], there: list[str], mapping: Mapping, ways: dict[str, Any]
) -> None:
    world = world_with(mapping, faults, there, **ways)
    world.load()
    play_to_the_end(world, happenings)


@thorough
@given(st.lists(st.one_of(step, step, step, by_hand), max_size=40), lasting, there, mappings, ways)
def test_an_insisting_pass_puts_right_what_was_refused_or_deleted_by_hand(
    happenings: list[Step], faults: list[Fault | None], there: list[str], mapping: Mapping, ways: dict[str, Any]
) -> None:
    world = world_with(mapping, faults, there, **ways)
    play_and_insist(world, happenings)


@thorough
@given(st.lists(step, max_size=40), there, mappings)
def test_where_nothing_fails_each_wish_costs_at_most_one_search_and_what_it_changes(
    happenings: list[Step], there: list[str], mapping: Mapping
) -> None:
    """At most one create and one search for a contact; at most an update and a change of state for any wish."""
    world = world_with(mapping, [], there)
    play(world, [one for one in happenings if one[0] != "new owner"])
    world.settle()
    wishes = len(world.upserts)
    assert world.zoho.count("create") <= len(world.tables.contacts)
    assert world.zoho.count("update") <= wishes
    assert world.zoho.count("activate", "deactivate") <= wishes
    calls = len(world.zoho.calls)
    for who in world.truth:
        world.notice(who)
    world.settle()
    assert len(world.zoho.calls) == calls, "a reading that shows nothing new costs a call"
