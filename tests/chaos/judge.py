"""What BambooHR says against what Zoho shows, when nothing is owed any more; and against what the log says was done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agents.demo.equal import LISTS, TEXTS
from stream.core.contact import PERSON_FIELDS, email_key
from stream.core.employment import employment
from stream.core.mapping import desired_contact
from stream.records import ContactId, ContactKey, DesiredContact, EmployeeId, SyncOutcome
from stream.records import Mapping as FieldMapping
from stream.sandbox.bamboohr.company import Company
from stream.sandbox.bamboohr.reading import Reading
from stream.sandbox.zoho.contact import Contact
from tests.chaos.witness import version_in


@dataclass
class Verdict:
    """Each entry says, without a name or an address, what is not as it must be."""

    lost: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def judge(
    company: Company,
    contacts: Iterable[Contact],
    outcomes: Iterable[SyncOutcome],
    whose: Mapping[int, EmployeeId],
) -> Verdict:
    """lost: a change that never arrived: no contact, or an older state of the same person. wrong: any other difference.

    Nobody who is active may share an address now. A contact may have passed on among those who left an address, so any
    of them may be shown, inactive; or somebody who was deleted since, as BambooHR said it last. whose: number of a
    change -> whose state it is.
    """
    verdict = Verdict()
    by_email: dict[str, list[Contact]] = defaultdict(list)
    for contact in contacts:
        by_email[email_key(contact.text_of_primary("email"))].append(contact)
    active, left = _wanted(company)
    for email, (employee, desired) in active.items():
        found = by_email.get(email, [])
        if not found:
            verdict.lost.append(f"employee {employee} has no contact")
        for contact in found:
            _compare(verdict, contact, employee, desired)
    for email, found in by_email.items():
        if email and len(found) > 1:
            ids = ", ".join(contact.contact_id for contact in found)
            verdict.duplicates.append(f"contacts {ids} have one address")
        if email not in active:
            for contact in found:
                _compare_departed(verdict, contact, left.get(email, {}), company, whose)
    verdict.duplicates += _made_twice({c.contact_id for found in by_email.values() for c in found}, outcomes)
    return verdict


Wanted = dict[EmployeeId, DesiredContact]


def _wanted(company: Company) -> tuple[dict[str, tuple[EmployeeId, DesiredContact]], dict[str, Wanted]]:
    """Address -> who is active there; address -> those who left it."""
    active: dict[str, tuple[EmployeeId, DesiredContact]] = {}
    left: dict[str, Wanted] = defaultdict(dict)
    for employee in company.people.values():
        reading = Reading(company, employee)
        fields = {name: reading.get(name) for name in TEXTS} | {name: reading.named(name) for name in LISTS}
        working = employment(fields, company.today()) == "active"
        desired = desired_contact(fields, FieldMapping(), active=working)
        email = email_key(desired.email or "")
        if working:
            assert email not in active, "two active people share an address: what is right is not decided"
            active[email] = EmployeeId(employee.id), desired
        else:
            left[email][EmployeeId(employee.id)] = desired
    return active, left


def _compare(verdict: Verdict, contact: Contact, employee: EmployeeId, desired: DesiredContact) -> None:
    """The contact must show this and nothing else."""
    what = f"contact {contact.contact_id} of employee {employee}"
    shown, wanted = version_in(contact.text_of_primary("last_name")), version_in(desired.last_name or "")
    if shown != wanted:
        verdict.lost.append(f"{what} shows r{shown} instead of r{wanted}")
        return
    differing = [
        name
        for name in PERSON_FIELDS
        if contact.text_of_primary(name).strip() != (getattr(desired, name) or "").strip()
    ]
    if contact.active != desired.active:
        differing.append("active")
    if differing:
        verdict.wrong.append(f"{what} differs in {', '.join(differing)} at r{shown}")


def _compare_departed(
    verdict: Verdict, contact: Contact, left: Wanted, company: Company, whose: Mapping[int, EmployeeId]
) -> None:
    """Nobody who is active has its address. left: those who left it."""
    if contact.active:
        verdict.wrong.append(f"contact {contact.contact_id} is active and nobody's")
        return
    employee = whose.get(version_in(contact.text_of_primary("last_name")) or 0)
    if employee in left:
        _compare(verdict, contact, employee, left[employee])
    elif left and employee in company.people:
        verdict.lost.append(f"contact {contact.contact_id} shows employee {employee}, who is not at its address")


def _made_twice(contacts: set[str], outcomes: Iterable[SyncOutcome]) -> list[str]:
    """Contacts that no contact key speaks of, or that are the second of their key: made, and made again."""
    of_key: dict[ContactKey, ContactId] = {}
    found = []
    for outcome in outcomes:
        if outcome.contact_id is not None:
            first = of_key.setdefault(outcome.contact_key, outcome.contact_id)
            if first != outcome.contact_id:
                of_key[outcome.contact_key] = outcome.contact_id
                found.append(f"contact {outcome.contact_id} follows {first} for one key")
    found += [f"contact {contact} belongs to no key" for contact in sorted(contacts - set(of_key.values()))]
    return list(dict.fromkeys(found))
