"""The leaver guard: never more than its policy lets go within its hours, whatever happens, and the log says it all."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.core.folds import APPROVE, REJECT, wish_of
from stream.core.guard import is_too_many, is_waiting
from stream.records import LeaverGuard, SyncOutcome
from tests.small_world import SmallWorld, person

PEOPLE = ("1", "2", "3", "4", "5", "6")
POLICY = LeaverGuard(people=2, percent=0, hours=24)
HOUR = 3600.0

steps = st.lists(
    st.one_of(
        st.tuples(st.just("leave"), st.sampled_from(PEOPLE)),
        st.tuples(st.just("leave"), st.sampled_from(PEOPLE)),
        st.tuples(st.just("delete"), st.sampled_from(PEOPLE)),
        st.tuples(st.just("back"), st.sampled_from(PEOPLE)),
        st.tuples(st.just("edit"), st.sampled_from(PEOPLE)),
        st.tuples(st.just("insist"), st.sampled_from(PEOPLE)),
        st.tuples(st.just("approve"), st.sampled_from(PEOPLE)),
        st.tuples(st.just("reject"), st.sampled_from(PEOPLE)),
        st.tuples(st.just("pass"), st.sampled_from([1.0, 11 * HOUR, 25 * HOUR])),
        st.tuples(st.sampled_from(["settle", "settle", "step", "owner"]), st.just("")),
    ),
    max_size=40,
)


def lived(history: list[tuple[str, str | float]]) -> SmallWorld:
    world = SmallWorld(policy=POLICY)
    for who in PEOPLE:
        world.hire(who, person(f"p{who}@acme.test"))
    world.settle()
    for number, (step, what) in enumerate(history):
        match step, what:
            case ("leave", str(who)):
                world.hire(who, person(f"p{who}@acme.test", status="Terminated"))
            case ("delete", str(who)):
                world.hire(who, None)
            case ("back", str(who)):
                world.hire(who, person(f"p{who}@acme.test"))
            case ("edit", str(who)) if (fields := world.truth[who]) is not None:  # type: ignore[index]
                world.hire(who, {**fields, "jobTitle": f"Title {number}"})
            case ("insist", str(who)):
                world.notice(who, insists=True)
            case ("approve" | "reject", str(who)):
                world.decide(APPROVE if step == "approve" else REJECT, world.held(who))
            case ("pass", float(seconds)):
                world.clock.passed += seconds
            case ("settle", _):
                world.settle()
            case ("owner", _):
                world.new_owner()
            case ("step", _):
                for key in world.due()[:2]:
                    world.begin(key)
    world.settle()
    return world


@settings(max_examples=150)
@given(steps)
def test_no_more_leave_within_the_hours_than_are_let_go_or_approved(history: list[tuple[str, str | float]]) -> None:
    world = lived(history)
    approved = {
        (held.contact_key, held.wish.offset) for c in world.commands if c.command == APPROVE for held in c.holds
    }
    left = [
        (one.at, one.contact_key)
        for one in world.outcomes
        if isinstance(one, SyncOutcome)
        and one.operation == "deactivate"
        and all((one.contact_key, cause.offset) not in approved for cause in wish_of(one))
    ]
    for end, _ in left:
        within = {key for at, key in left if end - timedelta(hours=POLICY.hours) < at <= end}
        assert len(within) <= POLICY.people


@settings(max_examples=100)
@given(steps)
def test_in_the_end_who_works_is_active_who_left_is_not_unless_held_and_a_replay_says_the_same(
    history: list[tuple[str, str | float]],
) -> None:
    world = lived(history)
    for state in world.tables.contacts.values():
        contact = world.zoho.contacts[state.contact_id]  # type: ignore[index]
        kept = is_waiting(state) or state.debt.rejected == state.debt.wanted > state.debt.approved
        assert contact.active == (state.desired.active or kept)
        assert state.active == contact.active
    assert world.replayed() == world.tables


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 50), st.integers(0, 100))
def test_too_many_is_more_than_both(leaving: int, people: int, few: int, percent: int) -> None:
    policy = LeaverGuard(people=few, percent=percent)
    assert is_too_many(leaving, people, policy) == (leaving > max(few, people * percent / 100))
