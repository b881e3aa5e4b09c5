"""Does Zoho Books show what BambooHR says, under the mapping? Asked of the sandboxes' own state, past every API."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from stream.core.contact import PERSON_FIELDS, email_key
from stream.core.employment import employment
from stream.core.mapping import desired_contact
from stream.records import DesiredContact, Email, Mapping
from stream.sandbox.bamboohr.company import Company
from stream.sandbox.bamboohr.employee import Employee
from stream.sandbox.bamboohr.reading import Reading
from stream.sandbox.zoho.contact import Contact
from stream.sandbox.zoho.organization import Organization

LISTS = ("jobTitle", "department", "employmentHistoryStatus")
TEXTS = ("firstName", "lastName", "workEmail", "status", "hireDate")


@dataclass(frozen=True)
class Comparison:
    """missing: active people without an active contact. duplicates: addresses with more than one contact.

    wrong: contacts whose status or a mapped field differs, those of nobody that are active among them.
    """

    employees: int
    contacts: int
    missing: int
    duplicates: int
    wrong: int

    @property
    def equal(self) -> bool:
        return not (self.missing or self.duplicates or self.wrong)


def compare(company: Company, organization: Organization, mapping: Mapping) -> Comparison:
    """Compare both sides as they are now."""
    by_email: dict[Email, list[Contact]] = defaultdict(list)
    for contact in organization.contacts.values():
        by_email[email_key(contact.text_of_primary("email"))].append(contact)
    people = [desired for person in company.people.values() if (desired := _desired(company, person, mapping))]
    active = {email_key(desired.email): desired for desired in people if desired.active and desired.email}
    left = {email_key(desired.email): desired for desired in people if not desired.active and desired.email}
    wanted = {**left, **active}
    return Comparison(
        employees=len(company.people),
        contacts=len(organization.contacts),
        missing=sum(not any(contact.active for contact in by_email.get(email, ())) for email in active),
        duplicates=sum(len(contacts) > 1 for email, contacts in by_email.items() if email),
        wrong=sum(
            not _shows(contact, wanted.get(email)) for email, contacts in by_email.items() for contact in contacts
        ),
    )


def _desired(company: Company, employee: Employee, mapping: Mapping) -> DesiredContact | None:
    """None where BambooHR does not say whether somebody works there: nothing may be concluded then."""
    reading = Reading(company, employee)
    fields = {name: reading.get(name) for name in TEXTS} | {name: reading.named(name) for name in LISTS}
    kind = employment(fields, company.today())
    return None if kind == "unclear" else desired_contact(fields, mapping, active=kind == "active")


def _shows(contact: Contact, desired: DesiredContact | None) -> bool:
    if desired is None:
        return not contact.active
    return contact.active == desired.active and all(
        contact.text_of_primary(name).strip() == (getattr(desired, name) or "").strip() for name in PERSON_FIELDS
    )
