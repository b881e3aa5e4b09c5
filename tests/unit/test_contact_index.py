"""Contacts read in bulk: what a first load costs with them, and when they may be believed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from stream.core.contact import ContactRow
from stream.patience import Patience
from stream.records import Mapping
from stream.zoho.index import PER_PAGE, ContactIndex
from stream.zoho.models import Page
from tests.fake_clock import FakeClock
from tests.memory_zoho import MemoryZoho
from tests.small_world import SmallWorld, person
from tests.unit.test_keep_contacts import key_of

A_MINUTE = 60.0


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end what waits for nothing real."""
    while True:
        try:
            work.send(None)
        except StopIteration as end:
            return end.value


def filled(world: SmallWorld) -> SmallWorld:
    run(world.index.fill(Patience()))
    assert world.index.filled
    return world


def settled(world: SmallWorld) -> list[str]:
    """Settle, and return the calls that this took."""
    before = len(world.zoho.calls)
    world.settle()
    return world.zoho.calls[before:]


async def counted(call: Coroutine[Any, Any, Any]) -> Any:
    return await call


def found(index: ContactIndex, email: str) -> list[str] | None:
    rows = run(index.with_address(email, counted))
    return None if rows is None else [row.contact_id for row in rows]


# -- what it costs -----------------------------------------------------------------------------------------------------


def test_new_people_cost_one_call_each_and_one_a_minute_for_all() -> None:
    world = filled(SmallWorld())
    world.hire("0", person("0@acme.test"))
    assert settled(world) == ["modified", "create"]
    for number in range(1, 50):
        world.hire(str(number), person(f"{number}@acme.test"))
    assert settled(world) == ["create"] * 49
    world.clock.advance(A_MINUTE)
    world.hire("61", person("61@acme.test"))
    assert settled(world) == ["modified", "create"]


def test_a_contact_that_is_equal_and_never_read_by_us_costs_one_reading() -> None:
    world = SmallWorld()
    shown = {k: v for k, v in world_person().items() if k != "email"}
    theirs = world.zoho.add(" Ada@acme.test", **shown)
    filled(world).hire("1", person("ada@acme.test"))
    assert settled(world)[:2] == ["modified", "contact"]
    assert [outcome.contact_id for outcome in world.outcomes][-1] == theirs.contact_id
    assert len(world.zoho.contacts) == 1


def world_person() -> dict[str, str]:
    world = SmallWorld()
    world.hire("1", person())
    return {name: value for name, value in world.desired("1").items() if value is not None}


def test_a_leaver_without_a_contact_costs_nothing_but_the_look() -> None:
    world = filled(SmallWorld())
    world.hire("1", person(status="Terminated"))
    assert settled(world) == ["modified"]
    assert world.zoho.contacts == {}


async def test_who_asks_while_it_is_being_refreshed_waits_for_that_one_call() -> None:
    zoho = MemoryZoho(FakeClock(), pause=lambda: asyncio.sleep(0))
    index = ContactIndex(zoho, zoho.clock)
    await index.fill(Patience())
    zoho.add("ada@acme.test")
    rows = await asyncio.gather(*(index.with_address("ada@acme.test", counted) for _ in range(5)))
    assert [len(row or ()) for row in rows] == [1] * 5
    assert zoho.count("modified") == 1


MATCHED = Mapping(match="cf_id")


def test_who_is_matched_by_a_field_that_the_list_shows_is_found_there_without_an_upsert() -> None:
    world = SmallWorld(MATCHED)
    theirs, other = world.zoho.add("old@acme.test"), world.zoho.add("other@acme.test")
    theirs.custom_fields["cf_id"], other.custom_fields["cf_id"] = "1", "9"
    filled(world).hire("1", person("ada@acme.test", id="1"))
    assert settled(world) == ["fields", "contact", "update"]
    assert (theirs.email, len(world.zoho.contacts)) == ("ada@acme.test", 2)
    del world.zoho.contacts[other.contact_id]
    world.hire("9", person("nine@acme.test", id="9"))
    assert settled(world) == ["contact", "match", "modified", "upsert"]
    assert world.index.holding("9") is not None


def test_what_the_list_does_not_show_or_shows_no_more_zoho_is_asked_for() -> None:
    world = SmallWorld(MATCHED)
    theirs, other = world.zoho.add("old@acme.test"), world.zoho.add("other@acme.test")
    theirs.custom_fields["cf_id"] = "1"
    filled(world)
    theirs.custom_fields["cf_id"], other.custom_fields["cf_id"] = "", "1"  # by hand
    other.persons["2"] = {"email": "desk@acme.test"}
    world.hire("1", person("ada@acme.test", id="1"))
    assert settled(world) == ["fields", "contact", "match", "update"]
    assert [fields["email"] for fields in other.persons.values()] == ["ada@acme.test", "desk@acme.test"]
    world.zoho.lists_custom_fields = False
    filled(world).hire("1", person("ada@acme.test", id="1", jobTitle="Lead"))
    assert world.index.holding("1") is None


def test_after_a_lost_answer_the_list_is_not_asked_for_the_field() -> None:
    faults = iter(["applied and lost"])
    world = SmallWorld(MATCHED, fault=lambda: next(faults, None))
    filled(world).hire("1", person("ada@acme.test", id="1"))
    assert settled(world) == ["fields", "match", "modified", "upsert", "match"]
    assert len(world.zoho.contacts) == 1


def test_a_value_that_passes_on_to_another_contact_is_found_there() -> None:
    world = SmallWorld(MATCHED)
    first, second = world.zoho.add("a@acme.test"), world.zoho.add("b@acme.test")
    first.custom_fields["cf_id"] = "1"
    filled(world)
    actual = run(world.zoho.contact(second.contact_id))
    world.index.saw(replace(actual, custom_fields={"cf_id": "1"}))
    world.index.gone(first.contact_id)
    holder = world.index.holding("1")
    assert holder is not None
    assert holder.contact_id == second.contact_id
    world.index.gone(second.contact_id)
    assert world.index.holding("1") is None
    world.index.clear()
    assert world.index.holding("1") is None


def test_an_answer_without_persons_changes_nothing_that_is_known() -> None:
    world = SmallWorld(MATCHED)
    theirs = world.zoho.add("ada@acme.test")
    filled(world)
    assert found(world.index, "ada@acme.test") == [theirs.contact_id]
    world.index.saw(replace(run(world.zoho.contact(theirs.contact_id)), persons=()))
    assert found(world.index, "ada@acme.test") == [theirs.contact_id]
    assert world.zoho.calls[-1] == "modified", "what it has become is asked for"


# -- when it may be believed -------------------------------------------------------------------------------------------


def test_a_contact_that_somebody_made_after_the_bulk_reading_is_adopted_and_never_doubled() -> None:
    world = filled(SmallWorld())
    world.hire("1", person("bo@acme.test"))
    world.settle()
    theirs = world.zoho.add("ada@acme.test")
    world.clock.advance(A_MINUTE)
    world.hire("2", person("ada@acme.test"))
    world.settle()
    assert [contact.contact_id for contact in world.zoho.showing("ada@acme.test")] == [theirs.contact_id]


def test_a_contact_that_somebody_gave_the_address_after_the_bulk_reading_is_found() -> None:
    world = SmallWorld()
    theirs = world.zoho.add("old@acme.test")
    filled(world)
    next(iter(theirs.persons.values()))["email"] = "ada@acme.test"
    theirs.modified = world.clock.now()
    assert found(world.index, "ada@acme.test") == [theirs.contact_id]
    assert found(world.index, "OLD@acme.test") == []


def test_an_address_that_we_moved_is_known_at_once_at_both_ends() -> None:
    world = filled(SmallWorld())
    world.hire("1", person("ada@acme.test"))
    world.settle()
    (contact,) = world.zoho.contacts
    world.hire("1", person("moreno@acme.test"))
    world.settle()
    asked = len(world.zoho.calls)
    assert (found(world.index, "ada@acme.test"), found(world.index, "moreno@acme.test")) == ([], [contact])
    assert len(world.zoho.calls) == asked


def test_after_a_lost_answer_the_index_is_not_believed_before_it_was_asked_what_changed() -> None:
    faults = iter(["applied and lost"])
    world = filled(SmallWorld(fault=lambda: next(faults, None)))
    world.hire("1", person("ada@acme.test"))
    while not world.outcomes:
        world.begin(*world.due()) if not world.paying else world.go_on(*world.paying)
    while world.paying:
        world.go_on(*world.paying)
    world.clock.advance(1.0)
    asked = world.zoho.count("modified")
    assert [len(found(world.index, email) or ()) for email in ("ada@acme.test", "bo@acme.test")] == [1, 0]
    assert world.zoho.count("modified") == asked + 1
    world.settle()
    assert world.zoho.count("create") == 1
    assert world.zoho.count("find") == 1, "whoever looks for a lost write asks Zoho itself"
    assert len(world.zoho.contacts) == 1


def test_contacts_that_are_all_another_keys_are_looked_up_in_zoho_itself() -> None:
    world = filled(SmallWorld())
    world.hire("1", person("ada@acme.test"))
    world.settle()
    (contact,) = world.zoho.contacts.values()
    world.hire("2", person("bo@acme.test"))
    world.settle()
    # The first contact shows the second's new address, by somebody's hand.
    next(iter(contact.persons.values()))["email"] = "eve@acme.test"
    contact.modified = world.clock.now()
    world.clock.advance(A_MINUTE)
    world.hire("3", person("eve@acme.test"))
    world.settle()
    assert world.zoho.count("find") >= 1
    assert world.outcomes[-1].action == "held"


def test_a_contact_that_was_deleted_by_hand_after_the_bulk_reading_is_made_anew() -> None:
    world = SmallWorld()
    theirs = world.zoho.add("ada@acme.test")
    filled(world)
    del world.zoho.contacts[theirs.contact_id]
    world.hire("1", person("ada@acme.test"))
    world.settle()
    assert len(world.zoho.showing("ada@acme.test")) == 1


def test_where_zoho_does_not_sort_by_change_everybody_is_searched_for() -> None:
    world = SmallWorld(sorts=False)
    theirs = world.zoho.add("ada@acme.test")
    filled(world)
    for number, email in enumerate(("ada@acme.test", "bo@acme.test")):
        world.hire(str(number), person(email))
        world.settle()
    assert (world.zoho.count("modified"), world.zoho.count("find")) == (1, 2)
    assert world.zoho.showing("ada@acme.test") == [theirs]
    assert found(world.index, "ada@acme.test") is None
    world.zoho.add("bo@acme.test")
    theirs.modified = world.clock.now() + timedelta(seconds=9)
    state = world.tables.contacts[key_of(world, "0")]
    assert not world.index.has_moved(state), "as it was when the list was read"
    assert world.index.is_doubled(state) is False
    run(world.index.fill(Patience()))
    assert world.index.has_moved(state)


def test_a_cleared_index_knows_nothing_and_keeps_nothing() -> None:
    world = filled(SmallWorld())
    world.index.clear()
    world.hire("1", person())
    assert settled(world) == ["find", "create"]
    assert found(world.index, "ada@acme.test") is None
    assert not any(world.index.row(contact) for contact in world.zoho.contacts)


# -- how it is read ----------------------------------------------------------------------------------------------------


class Paged:
    """Contacts in pages, as Zoho has them; `meanwhile` happens before each page is cut."""

    def __init__(
        self, count: int, meanwhile: Callable[[int, list[ContactRow]], None] = lambda page, rows: None
    ) -> None:
        self.rows = [
            ContactRow(zoho_id(number), "", "vendor", True, f"{number}@acme.test", "", "") for number in range(count)
        ]
        self.meanwhile = meanwhile
        self.pages = 0

    async def listed(self, number: int, per_page: int) -> Page:
        assert per_page <= PER_PAGE
        self.meanwhile(self.pages, self.rows)
        self.pages += 1
        first = (number - 1) * per_page
        return Page(tuple(self.rows[first : first + per_page]), len(self.rows) > first + per_page, None)

    async def modified_since(self, since: Any) -> tuple[ContactRow, ...]:
        return ()


def known(index: ContactIndex, zoho: Paged) -> int:
    """How many of the contacts that are there it has."""
    return sum(index.row(row.contact_id) is not None for row in zoho.rows)


def zoho_id(number: int) -> Any:
    return f"46{number:010}"


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 400, 10_000])
def test_all_contacts_are_read_in_hardly_more_pages_than_needed(count: int) -> None:
    zoho = Paged(count)
    index = ContactIndex(zoho, FakeClock())
    run(index.fill(Patience()))
    assert known(index, zoho) == count
    assert zoho.pages <= max(1, -(-count // PER_PAGE)) * 1.12 + 1


def test_a_contact_that_is_deleted_meanwhile_hides_nobody() -> None:
    """What comes after it moves up by one place, and the first of the next page would be on none."""

    def delete(page: int, rows: list[ContactRow]) -> None:
        if page == 1:
            del rows[10:40]

    zoho = Paged(1000, delete)
    index = ContactIndex(zoho, FakeClock())
    run(index.fill(Patience()))
    assert index.filled
    assert known(index, zoho) == 970


def test_pages_that_never_join_are_no_reading() -> None:
    def shuffle(page: int, rows: list[ContactRow]) -> None:
        rows.reverse()

    zoho = Paged(1000, shuffle)
    index = ContactIndex(zoho, FakeClock())
    run(index.fill(Patience()))
    assert (index.filled, known(index, zoho)) == (False, 0)


def test_what_is_written_while_it_is_read_counts_more_than_an_older_page() -> None:
    zoho = MemoryZoho(FakeClock())
    stored = zoho.add("old@acme.test")
    index = ContactIndex(zoho, zoho.clock)

    async def page_of(call: Callable[[], Awaitable[Page]]) -> Page:
        page = await call()
        next(iter(stored.persons.values()))["email"] = "new@acme.test"
        index.saw(await zoho.contact(stored.contact_id))
        return page

    run(index.fill(page_of))  # type: ignore[arg-type]
    assert found(index, "new@acme.test") == [stored.contact_id]
    assert found(index, "old@acme.test") == []
