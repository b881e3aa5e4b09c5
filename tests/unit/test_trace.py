"""What `rosterbook sync` knows of one person, in whatever order records and rows of different topics are read."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from stream.core.trace import Trace
from stream.records import Mapping
from tests.small_world import EMPLOYEES, at
from tests.unit.one_sync import ADA, ASKED, EMAIL, READ, address, outcome, row, snapshot, upsert


def trace() -> Trace:
    return Trace(ADA, ASKED, Mapping())


def read(found: Trace, **more: object) -> None:
    found.read(snapshot(**more), at(EMPLOYEES, READ))


def test_the_end_is_known_whatever_is_read_first() -> None:
    told: list[Callable[[Trace], None]] = [
        read,
        lambda found: found.folded(row()),
        lambda found: found.claimed(EMAIL, address("7")),
        lambda found: found.wished(upsert()),
        lambda found: found.learnt(outcome("updated", settles=READ, changes={"designation": ("Engineer", "Head")})),
    ]
    for order in itertools.permutations(told):
        found = trace()
        for tell in order:
            assert found.end is None
            tell(found)
        assert found.end == "kept"
        steps = {step.step: step.says for step in found.steps()}
        assert steps["fields"] == "designation: 'Engineer' -> 'Head'."
        assert steps["calls"] == "1 to Zoho Books: updated."


def test_an_earlier_reading_and_what_follows_from_it_are_passed_over() -> None:
    found = trace()
    found.read(snapshot(through=ASKED - 1), at(EMPLOYEES, READ - 1))
    found.folded(row(folded={EMPLOYEES: READ - 1}))
    found.learnt(outcome("unchanged", settles=READ - 1))
    assert found.end is None


@pytest.mark.parametrize(
    ("action", "end"), [("previewed", "previewed"), ("held", "held"), ("failed", "failed"), ("attempting", None)]
)
def test_how_a_debt_was_parked_says_how_it_ended(action: str, end: str | None) -> None:
    found = trace()
    read(found)
    found.folded(row())
    found.claimed(EMAIL, address("7"))
    found.wished(upsert())
    more = {"operation": "create"} if action == "attempting" else {"parks": READ, "reason": "It is so."}
    found.learnt(outcome(action, **more, changes={"email": (None, EMAIL)}))
    assert found.end == end
    for step in found.steps():
        if step.step == "fields":
            assert step.says.startswith("Nothing was written"), "whatever it would have been"


def test_who_needs_no_contact_and_who_shares_an_address_need_no_outcome() -> None:
    nobody = trace()
    read(nobody)
    nobody.folded(row(email=None, contact_key=None, shown=None))
    assert nobody.end == "nothing to keep"

    both = trace()
    read(both)
    both.folded(row())
    both.claimed(EMAIL, address("7", "8"))
    assert both.end == "held"
    assert "Employees 7 and 8 both claim ada@acme.test." in [step.says for step in both.steps()]


def test_who_has_left_an_address_that_others_share_does_not_wait_with_them() -> None:
    found = trace()
    read(found)
    found.folded(row())
    found.claimed(EMAIL, address("8", "9", departed=("7",)))
    found.wished(upsert())
    assert found.end is None
    found.learnt(outcome("deactivated", settles=READ))
    assert found.end == "kept"
    said = [step.says for step in found.steps()]
    assert "Employees 8 and 9 both claim ada@acme.test." in said
    assert not any(one.startswith("Held") for one in said)


def test_a_person_who_cannot_be_read_ends_it() -> None:
    found = trace()
    read(found, state="unreadable", reason="BambooHR refuses.")
    found.folded(row())
    assert (found.end, found.steps()[0].says) == ("failed", "BambooHR could not be read: BambooHR refuses.")
