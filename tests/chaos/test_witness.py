"""The suite's own eyes: what it must call lost, doubled, wrong or out of order, and what it must not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stream.records import ConnectionId, ContactId, ContactKey, EmployeeId, SyncOutcome
from stream.sandbox.bamboohr import BambooHrQuirks, Company
from stream.sandbox.zoho.contact import Contact, ContactPerson
from tests.chaos.judge import judge
from tests.chaos.life import Life
from tests.chaos.plan import planned
from tests.chaos.witness import Write, order_violations
from tests.chaos.world import Shape

NOW = datetime(2026, 11, 25, tzinfo=UTC)
ONE, OTHER = EmployeeId("1"), EmployeeId("2")
WHOSE = {1: ONE, 2: OTHER}


def company() -> Company:
    """Employee 1 is active at r1, employee 2 has left at r2."""
    made = Company("acme", quirks=BambooHrQuirks(duplicate_email="accepted"))
    made.hire({"firstName": "Ada", "lastName": "Sato r1", "workEmail": "a@acme.example"})
    made.hire({"firstName": "Wei", "lastName": "Li r2", "workEmail": "b@acme.example"})
    made.terminate(OTHER)
    return made


def contact(number: str, first: str, last: str, email: str, *, active: bool = True) -> Contact:
    person = ContactPerson(f"p{number}", {"first_name": first, "last_name": last, "email": email})
    made = Contact(number, "vendor", NOW, NOW, {"contact_name": number}, active=active)
    made.replace_persons([person], None)
    return made


def outcome(key: str, contact_id: str) -> SyncOutcome:
    return SyncOutcome(
        connection=ConnectionId("acme"),
        contact_key=ContactKey(key),
        employee=ONE,
        contact_id=ContactId(contact_id),
        action="created",
        at=NOW,
    )


ADA = contact("10", "Ada", "Sato r1", "a@acme.example")
WEI = contact("11", "Wei", "Li r2", "b@acme.example", active=False)
SAID = [outcome("k1", "10"), outcome("k2", "11")]


def test_zoho_that_shows_what_bamboohr_says_has_no_trouble() -> None:
    verdict = judge(company(), [ADA, WEI], SAID, WHOSE)
    assert (verdict.lost, verdict.duplicates, verdict.wrong) == ([], [], [])


def test_person_without_a_contact_and_a_change_that_never_arrived_are_lost() -> None:
    assert judge(company(), [WEI], SAID, WHOSE).lost == ["employee 1 has no contact"]
    former = contact("10", "Ada", "Sato r0", "a@acme.example")
    assert judge(company(), [former, WEI], SAID, WHOSE).lost == ["contact 10 of employee 1 shows r0 instead of r1"]


def test_leaver_who_is_active_and_an_active_contact_of_nobody_are_wrong() -> None:
    assert judge(company(), [ADA, contact("11", "Wei", "Li r2", "b@acme.example")], SAID, WHOSE).wrong == [
        "contact 11 is active and nobody's"
    ]
    stranger = contact("11", "Wei", "Li r2", "z@acme.example")
    assert judge(company(), [ADA, stranger], SAID, WHOSE).wrong == ["contact 11 is active and nobody's"]


def test_contact_of_somebody_who_was_deleted_may_keep_what_it_showed_last() -> None:
    emptied = company()
    emptied.delete(ONE)
    gone = contact("10", "Ada", "Sato r0", "a@acme.example", active=False)
    verdict = judge(emptied, [gone, WEI], SAID, WHOSE)
    assert (verdict.lost, verdict.wrong) == ([], [])


@pytest.mark.parametrize(
    ("contacts", "said", "found"),
    [
        (
            [ADA, WEI, contact("12", "Ada", "Sato r1", "a@acme.example")],
            [*SAID, outcome("k3", "12")],
            "have one address",
        ),
        ([ADA, WEI, contact("12", "Ada", "Sato r1", "", active=False)], SAID, "belongs to no key"),
        (
            [ADA, WEI, contact("12", "Ada", "", "", active=False)],
            [*SAID, outcome("k1", "12")],
            "follows 10 for one key",
        ),
    ],
)
def test_contact_that_was_made_twice_is_a_duplicate_whatever_it_shows_now(
    contacts: list[Contact], said: list[SyncOutcome], found: str
) -> None:
    duplicates = judge(company(), contacts, said, WHOSE).duplicates
    assert any(found in text for text in duplicates), duplicates


def test_older_state_after_a_newer_one_of_the_same_person_violates_the_order() -> None:
    whose = {1: ONE, 2: OTHER, 3: ONE}
    assert order_violations([Write("10", 1, True), Write("10", 3, True), Write("10", 1, True)], whose) == [
        "contact 10 of employee 1: r1 after r3"
    ]
    passed_on = [Write("10", 3, True), Write("10", 3, False), Write("10", 2, True), Write("11", 1, True)]
    assert order_violations(passed_on, whose) == [], "the contact passed on to somebody whose last change was earlier"


def test_seed_means_the_same_faults_and_the_same_changes_each_time() -> None:
    shape = Shape.drawn(7)
    assert shape == Shape.drawn(7)
    one, again = (planned(7, shape, 60, 40) for _ in range(2))
    assert [(p.at, p.fault.kind, p.rng.random()) for p in one] == [(p.at, p.fault.kind, p.rng.random()) for p in again]
    assert len({p.fault.kind for p in one}) > 25, "every kind comes up before any comes up again"

    def lived() -> tuple[list[str], dict[int, EmployeeId]]:
        life = Life(Company("acme", quirks=BambooHrQuirks(duplicate_email="accepted")), 7)
        return [life.happen() for _ in range(300)], life.whose

    assert lived() == lived()


def test_life_can_be_hires_alone_so_that_nothing_makes_up_for_one_that_is_lost() -> None:
    life = Life(Company("acme"), 7, ["hire"])
    assert {life.happen() for _ in range(50)} == {"hire"}
