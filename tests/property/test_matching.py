"""Contacts that are matched by a unique custom field: the same promises hold, whatever happens."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.core.schemas import CustomField
from stream.records import Mapping
from tests.memory_zoho import Fault
from tests.property.test_contact import (
    Step,
    by_hand,
    lasting,
    passing,
    play_and_insist,
    play_to_the_end,
    step,
    there,
    thorough,
    ways,
    world_with,
)
from tests.small_world import SmallWorld

FIELD = "cf_employee_id"
matching = st.builds(Mapping, match=st.just(FIELD), state_field=st.sampled_from([None, "cf_state"]))
switching = st.one_of(
    step.filter(lambda one: one[0] != "remap"),
    st.tuples(st.just("remap"), st.builds(Mapping, match=st.sampled_from(["email", FIELD]))),
)
listed = st.sampled_from([None, [CustomField(FIELD, "string", unique=True)]])


def world_of(mapping: Mapping, faults: list[Fault | None], there: list[str], listed: Any, ways: Any) -> SmallWorld:
    world = world_with(mapping, faults, there, **ways)
    world.zoho.defined = listed
    return world


@settings(thorough, max_examples=250)
@given(st.lists(switching, max_size=40), passing, there, matching, listed, ways)
def test_zoho_shows_the_people_as_they_are_whatever_happens(
    happenings: list[Step], faults: list[Fault | None], there: list[str], mapping: Mapping, listed: Any, ways: Any
) -> None:
    world = world_of(mapping, faults, there, listed, ways)
    play_to_the_end(world, happenings)
    held = [c.custom_fields[FIELD] for c in world.zoho.contacts.values() if c.custom_fields.get(FIELD)]
    assert len(held) == len(set(held)), "an id that two contacts hold"


@settings(thorough, max_examples=150)
@given(
    st.lists(st.one_of(switching, switching, st.just(("load",))), max_size=40), passing, there, matching, listed, ways
)
def test_nor_does_it_matter_that_contacts_were_read_in_bulk_before(
    happenings: list[Step], faults: list[Fault | None], there: list[str], mapping: Mapping, listed: Any, ways: Any
) -> None:
    world = world_of(mapping, faults, there, listed, ways)
    world.load()
    play_to_the_end(world, happenings)
    held = [c.custom_fields[FIELD] for c in world.zoho.contacts.values() if c.custom_fields.get(FIELD)]
    assert len(held) == len(set(held)), "an id that two contacts hold"


@settings(thorough, max_examples=150)
@given(st.lists(st.one_of(switching, switching, by_hand), max_size=40), lasting, there, matching, ways)
def test_an_insisting_pass_puts_right_what_was_refused_or_deleted_by_hand(
    happenings: list[Step], faults: list[Fault | None], there: list[str], mapping: Mapping, ways: Any
) -> None:
    world = world_of(mapping, faults, there, [CustomField(FIELD, "string", unique=True)], ways)
    play_and_insist(world, happenings)
