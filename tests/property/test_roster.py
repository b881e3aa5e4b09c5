"""The roster fold: idempotent, monotone, one key for one person, and the same end whatever came first."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.core import roster
from stream.core.rows import Address, Person
from stream.records import EmployeeSnapshot, Mapping
from tests.small_world import ACME, EMPLOYEES, HR_EVENTS, Tables, at, person

PEOPLE = ("1", "2", "3", "4")
ADDRESSES = ("x@acme.test", "y@acme.test", "z@acme.test")

readings = st.one_of(
    st.none(),
    st.builds(
        person,
        st.sampled_from([*ADDRESSES, "X@acme.test", "", None]),
        status=st.sampled_from(["Active", "Active", "Active", "Inactive", "Terminated", ""]),
        jobTitle=st.sampled_from(["Engineer", "Lead"]),
    ),
)
decisions = st.sampled_from([(), (), (), ("1", "2"), ("1", "2", "3"), PEOPLE])
"""Who was seen on one address by the person who gave it to the one who is read; empty: nobody decided anything."""
histories = st.lists(st.tuples(st.sampled_from(PEOPLE), readings, st.booleans(), decisions), max_size=14)
lasts = st.fixed_dictionaries(
    {
        who: st.builds(person, st.sampled_from(ADDRESSES), status=st.sampled_from(["Active", "Inactive"]))
        for who in PEOPLE
    }
)
Reading = tuple[str, dict[str, str] | None, bool, tuple[str, ...]]


def snapshot(reading: Reading, through: int) -> EmployeeSnapshot:
    who, fields, insists, among = reading
    return EmployeeSnapshot.model_validate(
        {
            "connection": ACME,
            "employee": who,
            "through": through,
            "insists": insists or bool(among),
            "decision": {"among": among} if among else None,
            "cause": at(HR_EVENTS, through),
            "mapping_version": "m",
            "read_at": "2026-03-02T09:00:00Z",
            "state": "gone" if fields is None else "read",
            "fields": fields or {},
        },
        strict=False,
    )


def fold(tables: Tables, reading: Reading, offset: int, through: int | None = None) -> roster.RosterFold:
    found = snapshot(reading, offset if through is None else through)
    return tables.keep_roster(found, at(EMPLOYEES, offset), Mapping())


def folded(history: list[Reading], tables: Tables | None = None, first: int = 0) -> Tables:
    tables = tables or Tables()
    for offset, reading in enumerate(history, first):
        fold(tables, reading, offset)
    return tables


def copied(tables: Tables) -> Tables:
    return Tables(dict(tables.people), dict(tables.addresses), {})


@given(histories.filter(bool))
def test_the_same_snapshot_at_the_same_position_gives_the_same_again(history: list[Reading]) -> None:
    tables = folded(history[:-1])
    first = fold(tables, history[-1], len(history) - 1)
    once = copied(tables)
    again = fold(tables, history[-1], len(history) - 1)
    assert (tables.people, tables.addresses) == (once.people, once.addresses)
    said = [(u.contact_key, u.desired, u.cause) for u in first.upserts]
    assert all((u.contact_key, u.desired, u.cause) in said for u in again.upserts)


@given(histories, st.sampled_from(PEOPLE), readings, st.booleans())
def test_an_older_reading_never_changes_anything(
    history: list[Reading], who: str, fields: dict[str, str] | None, insists: bool
) -> None:
    tables = folded(history)
    before = copied(tables)
    settled = before.people.get(who, Person()).debt.settled
    if settled < 0:
        return
    fold_ = fold(tables, (who, fields, insists, ()), len(history), through=settled)
    assert fold_.upserts == ()
    assert tables.addresses == before.addresses
    row = tables.people[who]
    assert row.model_copy(update={"folded": before.people[who].folded}) == before.people[who]


@given(histories)
def test_positions_never_fall_and_no_key_belongs_to_two_people(history: list[Reading]) -> None:
    tables = Tables()
    for offset, reading in enumerate(history):
        before = copied(tables)
        fold(tables, reading, offset)
        for who, row in before.people.items():
            after = tables.people[who]
            assert after.debt.wanted >= row.debt.wanted
            assert after.debt.settled >= row.debt.settled
            assert all(after.folded[topic] >= place for topic, place in row.folded.items())
        keys = [row.contact_key for row in tables.people.values() if row.contact_key is not None]
        assert len(keys) == len(set(keys))


@given(histories)
def test_each_contact_shows_an_address_that_no_other_active_contact_shows(history: list[Reading]) -> None:
    tables = Tables()
    for offset, reading in enumerate(history):
        fold(tables, reading, offset)
        shown = [row.shown.email.lower() for row in tables.people.values() if row.shown is not None and row.shown.email]
        assert len(shown) == len(set(shown))
        for email, address in tables.addresses.items():
            assert address.held == address.contested
            if address.active and not address.held:
                assert address.holder in address.active
                holder = tables.people[address.holder]
                assert holder.shown is not None
                assert (holder.shown.email.lower(), holder.shown.active) == (email, True)
            for who, claim in address.claims.items():
                person_shown = tables.people[who].shown
                if claim.standing == "departed" and person_shown is not None:
                    assert not person_shown.active


@given(histories)
def test_the_last_upsert_of_a_key_is_what_its_person_shows(history: list[Reading]) -> None:
    tables, last = Tables(), {}
    for offset, reading in enumerate(history):
        for upsert in fold(tables, reading, offset).upserts:
            last[upsert.contact_key] = upsert
    for who, row in tables.people.items():
        if row.contact_key is not None:
            assert last[row.contact_key].desired == row.shown
            assert last[row.contact_key].employee == who


def active_contacts(tables: Tables) -> set[tuple[str, str | None]]:
    """Who is shown active with which address. Who keeps which key may differ, and so may contacts of a held address."""
    held = {email for email, address in tables.addresses.items() if address.held}
    return {
        (who, row.shown.email)
        for who, row in tables.people.items()
        if row.shown is not None and row.shown.active and row.email not in held
    }


@settings(max_examples=60)
@given(histories, lasts)
def test_the_order_in_which_people_are_read_last_makes_no_difference(
    history: list[Reading], last: dict[str, dict[str, str]]
) -> None:
    start = folded(history)
    ends = [
        active_contacts(folded([(who, last[who], False, ()) for who in order], copied(start), first=len(history)))
        for order in itertools.permutations(PEOPLE)
    ]
    assert all(end == ends[0] for end in ends)
    if any(among for _, _, _, among in history):
        return  # who was given a shared address is shown too
    claims = [fields["workEmail"] for fields in last.values() if fields["status"] == "Active"]
    alone = {
        (who, fields["workEmail"])
        for who, fields in last.items()
        if fields["status"] == "Active" and claims.count(fields["workEmail"]) == 1
    }
    assert ends[0] == alone


@given(histories)
def test_every_row_that_was_touched_knows_its_input(history: list[Reading]) -> None:
    tables = Tables()
    for offset, reading in enumerate(history):
        result = fold(tables, reading, offset)
        rows: list[Person | Address] = [*result.people.values(), *result.addresses.values()]
        assert all(row.folded[EMPLOYEES] == offset for row in rows)


@settings(max_examples=200)
@given(histories, st.permutations(PEOPLE).map(lambda order: tuple(order[:3])))
def test_an_address_that_was_given_is_its_holders_until_the_holder_leaves_it_or_somebody_else_states_it(
    history: list[Reading], people: tuple[str, str, str]
) -> None:
    one, other, third = people
    nobody: list[Reading] = [(who, person(f"{who}@acme.test"), False, ()) for who in PEOPLE]
    shared = person(ADDRESSES[0])
    tables = folded([*history, *nobody, (one, shared, False, ()), (other, shared, False, ())])
    address = tables.addresses[ADDRESSES[0]]  # type: ignore[index]
    assert (address.held, set(address.active)) == (True, {one, other})
    offset = len(history) + len(nobody) + 2
    fold(tables, (one, shared, True, tuple(sorted((one, other)))), offset)
    shown = {who: row.shown for who, row in tables.people.items() if row.shown is not None}
    assert (shown[one].email, shown[one].active) == (ADDRESSES[0], True)  # type: ignore[index]
    assert (shown[other].email, shown[other].active) == ("", True)  # type: ignore[index]
    later = copied(tables)
    fold(later, (third, shared, False, ()), offset + 1)
    assert later.addresses[ADDRESSES[0]].held  # type: ignore[index]
    assert later.people[one].shown == shown[one]  # type: ignore[index]
    left = person(ADDRESSES[0], status="Terminated")
    fold(tables, (one, left, False, ()), offset + 1)
    assert tables.addresses[ADDRESSES[0]].holder == other  # type: ignore[index]
    fold(tables, (one, shared, False, ()), offset + 2)
    assert tables.addresses[ADDRESSES[0]].held  # type: ignore[index]
