"""The one-row folds: idempotent, monotone, and the same however the topics interleave."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.core import folds
from stream.core.debt import Debt
from stream.core.mapping import desired_contact
from stream.core.rows import ContactState, Person
from stream.records import Command, ContactUpsert, HrEvent, Mapping, SyncOutcome
from tests.fake_clock import START
from tests.small_world import ACME, COMMANDS, CONTACT_UPSERTS, EMPLOYEES, HR_EVENTS, OUTCOMES, at, person

offsets = st.integers(0, 12)
STEPS = ["want", "settle", "park", "preview", "hold", "approve", "reject"]
debts = st.lists(st.tuples(st.sampled_from(STEPS), offsets), max_size=12)
upserts = st.builds(
    lambda cause, title, insists: ContactUpsert.model_validate(
        {
            "connection": ACME,
            "contact_key": "k",
            "employee": "1",
            "desired": desired_contact(person(jobTitle=title), Mapping(), active=True),
            "insists": insists,
            "cause": at(EMPLOYEES, cause),
            "mapping_version": "m",
        }
    ),
    offsets,
    st.sampled_from(["Engineer", "Lead"]),
    st.booleans(),
)
outcomes = st.builds(
    lambda action, offset, attempt, by_guard, active: SyncOutcome.model_validate(
        {
            "connection": ACME,
            "contact_key": "k",
            "employee": "1",
            "action": action,
            "operation": ("deactivate" if by_guard else "update") if action == "attempting" else None,
            "chain": (at(EMPLOYEES, offset),),
            "settles": offset if action in ("updated", "unchanged") else None,
            "parks": offset if action in ("failed", "held", "previewed") else None,
            "by_guard": action == "held" and by_guard,
            "active": active,
            "attempt": None if action == "attempting" else attempt,
            "fingerprint": "f" if action == "updated" else None,
            "at": START,
        }
    ),
    st.sampled_from(["attempting", "updated", "unchanged", "failed", "held", "previewed"]),
    offsets,
    st.one_of(st.none(), offsets),
    st.booleans(),
    st.sampled_from([None, True, False]),
)
decisions = st.builds(
    lambda command, offset: Command.model_validate(
        {
            "connection": ACME,
            "command": command,
            "asked_by": "ada",
            "holds": ({"contact_key": "k", "employee": "1", "wish": at(EMPLOYEES, offset)},),
            "at": START,
        }
    ),
    st.sampled_from([folds.APPROVE, folds.REJECT]),
    offsets,
)


@given(debts)
def test_a_debt_only_grows_and_every_step_may_be_repeated(steps: list[tuple[str, int]]) -> None:
    debt = Debt()
    for step, offset in steps:
        after = getattr(debt, step)(offset, *(["why"] if step == "park" else []))
        for part in ("wanted", "settled", "parked", "previewed", "held", "approved", "rejected"):
            assert getattr(after, part) >= getattr(debt, part)
        assert getattr(after, step)(offset, *(["why"] if step == "park" else [])) == after
        debt = after
    assert (debt.reason is not None) == (debt.parked > debt.settled)
    assert debt.want(1 + max(debt.settled, debt.parked, debt.held)).owed
    assert debt.owes(debt.held) == (debt.approved >= debt.held > max(debt.settled, debt.parked))
    assert not (debt.undecided and debt.owes(debt.held))


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["webhook", "sweep"])), min_size=1, max_size=8))
def test_hearing_a_row_of_events_again_changes_nothing(kinds: list[tuple[bool, str]]) -> None:
    row = Person()
    for _ in range(2):
        for offset, (insists, kind) in enumerate(kinds):
            event = HrEvent.model_validate(
                {"connection": ACME, "employees": ("1",), "kind": kind, "insists": insists, "received_at": START}
            )
            heard = folds.hear(row, event, at(HR_EVENTS, offset))
            assert heard.debt.wanted >= row.debt.wanted
            assert heard.insisted >= row.insisted
            row = heard
    assert row.debt.wanted == len(kinds) - 1
    assert row.insisted == max((offset for offset, (insists, _) in enumerate(kinds) if insists), default=-1)


@given(
    upserts,
    st.lists(upserts, max_size=6),
    st.lists(outcomes, max_size=6),
    st.lists(decisions, max_size=4),
    st.randoms(use_true_random=False),
)
def test_wishes_outcomes_and_decisions_may_interleave_in_any_way(
    first: ContactUpsert,
    wishes: list[ContactUpsert],
    learnt: list[SyncOutcome],
    decided: list[Command],
    random: object,
) -> None:
    def folded(order: list[str]) -> ContactState:
        state = folds.wish(None, first, at(CONTACT_UPSERTS, 0))
        wished = told = said = 0
        for topic in order:
            if topic == CONTACT_UPSERTS:
                state = folds.wish(state, wishes[wished], at(CONTACT_UPSERTS, 1 + wished))
                wished += 1
            elif topic == OUTCOMES:
                state = folds.learn(state, learnt[told], at(OUTCOMES, told))
                told += 1
            else:
                (held,) = decided[said].holds
                state = folds.decide(state, decided[said], held.wish.offset, at(COMMANDS, said))
                said += 1
        return state

    order = [CONTACT_UPSERTS] * len(wishes) + [OUTCOMES] * len(learnt) + [COMMANDS] * len(decided)
    mixed = list(order)
    random.shuffle(mixed)  # type: ignore[attr-defined]  # hypothesis has no public type for it
    assert folded(order) == folded(mixed)


@given(upserts, upserts)
def test_the_wish_with_the_newest_cause_wins_whatever_comes_last(one: ContactUpsert, other: ContactUpsert) -> None:
    if one.cause.offset == other.cause.offset:
        return
    older, newer = sorted((one, other), key=lambda upsert: upsert.cause.offset)
    late = folds.wish(folds.wish(None, newer, at(CONTACT_UPSERTS, 0)), older, at(CONTACT_UPSERTS, 1))
    assert late.desired == newer.desired
    assert late.debt.wanted == newer.cause.offset
