"""The records and rows that one `rosterbook sync` of an employee brings about."""

from __future__ import annotations

from stream.core.mapping import desired_contact
from stream.core.rows import Address, Claim, Person
from stream.records import ContactKey, ContactUpsert, Email, EmployeeId, EmployeeSnapshot, Mapping, SyncOutcome
from tests.fake_clock import START
from tests.small_world import ACME, EMPLOYEES, HR_EVENTS, at, person

ADA, KEY = EmployeeId("7"), ContactKey("k")
ASKED, READ = 40, 20
DESIRED = desired_contact(person(), Mapping(), active=True)
EMAIL = Email("ada@acme.test")
FOLDED = {EMPLOYEES: READ}


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


def address(*active: str, departed: tuple[str, ...] = ()) -> Address:
    claims = {EmployeeId(who): Claim(standing="active", desired=DESIRED) for who in active}
    claims |= {EmployeeId(who): Claim(standing="departed", desired=DESIRED) for who in departed}
    return Address(claims=claims, holder=ADA, held=len(active) > 1, folded=FOLDED)


def snapshot(**more: object) -> EmployeeSnapshot:
    given = {"connection": ACME, "employee": ADA, "through": ASKED, "insists": True, "cause": at(HR_EVENTS, ASKED)}
    told = {"mapping_version": "m", "read_at": START, "state": "read", "fields": person()}
    return EmployeeSnapshot.model_validate(given | told | more)


def row(**more: object) -> Person:
    return Person.model_validate({"email": EMAIL, "contact_key": KEY, "shown": DESIRED, "folded": FOLDED} | more)
