"""What `rosterbook sync` knows of one person, in whatever order records and rows of different topics are read."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from stream.core.mapping import desired_contact
from stream.core.rows import Address, Claim, Person
from stream.core.trace import Trace
from stream.records import ContactKey, ContactUpsert, Email, EmployeeId, EmployeeSnapshot, Mapping, SyncOutcome
from tests.fake_clock import START
from tests.small_world import ACME, EMPLOYEES, HR_EVENTS, at, person

ADA, KEY = EmployeeId("7"), ContactKey("k")
ASKED, READ = 40, 20
DESIRED = desired_contact(person(), Mapping(), active=True)
EMAIL = Email("ada@acme.test")
FOLDED = {EMPLOYEES: READ}


def trace() -> Trace:
    return Trace(ADA, ASKED, Mapping())


def upsert() -> ContactUpsert:
    return ContactUpsert(
        connection=ACME,
        contact_key=KEY,
        employee=ADA,
        desired=DESIRED,
        insists=True,
        cause=at(EMPLOYEES, READ),
        mapping_version="m",
    )


def outcome(action: str, **more: object) -> SyncOutcome:
    given = {"connection": ACME, "contact_key": KEY, "employee": ADA, "action": action, "at": START, "calls": 1}
    return SyncOutcome.model_validate(given | more)


def address(*active: str) -> Address:
    claims = {EmployeeId(who): Claim(standing="active", desired=DESIRED) for who in active}
    return Address(claims=claims, holder=ADA, held=len(active) > 1, folded=FOLDED)


def snapshot(**more: object) -> EmployeeSnapshot:
    given = {"connection": ACME, "employee": ADA, "through": ASKED, "insists": True, "cause": at(HR_EVENTS, ASKED)}
    told = {"mapping_version": "m", "read_at": START, "state": "read", "fields": person()}
    return EmployeeSnapshot.model_validate(given | told | more)


def read(found: Trace, **more: object) -> None:
    found.read(snapshot(**more), at(EMPLOYEES, READ))


def row(**more: object) -> Person:
    return Person.model_validate({"email": EMAIL, "contact_key": KEY, "shown": DESIRED, "folded": FOLDED} | more)


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
    found.learnt(outcome(action, **more))
    assert found.end == end


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


def test_a_person_who_cannot_be_read_ends_it() -> None:
    found = trace()
    read(found, state="unreadable", reason="BambooHR refuses.")
    found.folded(row())
    assert (found.end, found.steps()[0].says) == ("failed", "BambooHR could not be read: BambooHR refuses.")
