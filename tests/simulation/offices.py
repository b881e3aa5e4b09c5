"""The people of one simulated company: what a change does to them, and what must be seen in Zoho Books in the end.

Each person keeps a first name that says who it is, and a last name that says for how many changes, so that whatever
Zoho shows can be told to be older or newer.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from stream.core.contact import email_key
from stream.records import Email
from stream.sandbox.zoho.contact import Contact
from tests.simulation.script import Change
from tests.simulation.vendors import Office

Kind = Literal["lost", "duplicate_contacts", "wrong_states", "order_violations", "invariant_violations"]
DEPARTMENTS = ("Finance", "Legal", "Operations")
_WHO = re.compile(r"P(\d+)")
_VERSION = re.compile(r"V(\d+)")


@dataclass(frozen=True)
class Violation:
    """A promise that was not kept. what: without the accidents of a run, so that two runs can be compared."""

    kind: Kind
    what: str


class Staff:
    """Changes a company as a script says. slot: a person, whatever employee ids it has had."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self._ids: dict[int, str] = {}
        self._versions: Counter[int] = Counter()
        self._addresses: Counter[int] = Counter()

    def apply(self, change: Change) -> None:
        company, slot, other = self.office.company, change.slot, change.other
        if slot not in self._ids:
            self._ids[slot] = company.hire({**self._edited(slot), "workEmail": self._own(slot), "status": "Active"})
            return
        employee = self._ids[slot]
        theirs = self._email(other)
        match change.kind:
            case "edit":
                company.change(employee, self._edited(slot))
            case "move" | "share" if change.kind == "move" or not theirs:
                self._addresses[slot] += 1
                company.change(employee, {**self._edited(slot), "workEmail": self._own(slot)})
            case "share":
                company.change(employee, {**self._edited(slot), "workEmail": theirs})
            case "swap":
                ours = self._email(slot)
                if ours and theirs and slot != other:
                    company.change(employee, {**self._edited(slot), "workEmail": theirs})
                    company.change(self._ids[other], {**self._edited(other), "workEmail": ours})
            case "leave":
                company.terminate(employee)
            case "rehire":
                company.rehire(employee)
                company.change(employee, {**self._edited(slot), "status": "Active"})
            case "delete":
                company.delete(employee)
                del self._ids[slot]
            case "unstate":
                company.change(employee, {"workEmail": ""})

    def calm(self) -> None:
        """Nobody shares an address any more, and everybody states one."""
        counts = Counter(email_key(self._email(slot)) for slot in self._ids)
        for slot in sorted(self._ids):
            email = email_key(self._email(slot))
            if not email or counts[email] > 1:
                counts[email] -= 1
                self._addresses[slot] += 1
                self.office.company.change(self._ids[slot], {"workEmail": self._own(slot)})

    def violations(self) -> list[Violation]:
        """Compare Zoho with the company, where the company leaves no doubt about what must be seen."""
        contacts = list(self.office.zoho.organization.contacts.values())
        showing: dict[Email, list[Contact]] = {}
        for contact in contacts:
            if email := email_key(contact.text_of_primary("email")):
                showing.setdefault(email, []).append(contact)
        claims = Counter(email_key(self._email(slot)) for slot in self._ids if self._is_active(slot))
        found = [
            Violation("duplicate_contacts", f"{len(those)} contacts show {email}")
            for email, those in showing.items()
            if len(those) > 1
        ]
        clear = {slot for slot in self._ids if self._is_active(slot) and claims[email_key(self._email(slot))] == 1}
        clear = {slot for slot in clear if self._email(slot)}
        for slot in sorted(clear):
            found += self._of_person(slot, showing.get(email_key(self._email(slot)), []))
        for contact in contacts:
            who = who_is(contact)
            left = who is not None and (who not in self._ids or not self._is_active(who))
            if contact.active and left and claims[email_key(contact.text_of_primary("email"))] <= 1:
                found.append(Violation("wrong_states", f"the contact of P{who}, who left, is active"))
        names = Counter(who_is(contact) for contact in contacts if contact.active)
        found += [
            Violation("duplicate_contacts", f"P{who} has {names[who]} active contacts")
            for who in sorted(clear)
            if names[who] > 1
        ]
        return found

    def _of_person(self, slot: int, showing: list[Contact]) -> list[Violation]:
        if not any(contact.active for contact in showing):
            return [Violation("lost", f"P{slot} has no active contact")]
        values = self.office.company.people[self._ids[slot]].values
        seen = [(c.text_of_primary("first_name"), c.text_of_primary("last_name")) for c in showing]
        wanted = (values["firstName"], values["lastName"])
        department = self.office.company.option_name("department", values.get("department", ""))
        shown = [c.text_of_primary("department") for c in showing]
        if wanted not in seen or department not in shown:
            return [Violation("wrong_states", f"P{slot} is {wanted} {department}, shown as {seen} {shown}")]
        return []

    def _edited(self, slot: int) -> dict[str, str]:
        self._versions[slot] += 1
        version = self._versions[slot]
        return {
            "firstName": f"P{slot}",
            "lastName": f"V{version}",
            "department": DEPARTMENTS[version % len(DEPARTMENTS)],
        }

    def _own(self, slot: int) -> str:
        return f"p{slot}.{self._addresses[slot]}@{self.office.connection}.test"

    def _email(self, slot: int) -> str:
        if slot not in self._ids:
            return ""
        return self.office.company.people[self._ids[slot]].values.get("workEmail", "")

    def _is_active(self, slot: int) -> bool:
        values = self.office.company.people[self._ids[slot]].values
        status = self.office.company.option_name("employmentHistoryStatus", values.get("employmentHistoryStatus", ""))
        return values.get("status") == "Active" and status != "Terminated"


def who_is(contact: Contact) -> int | None:
    """The slot of the person that the contact shows."""
    found = _WHO.fullmatch(contact.text_of_primary("first_name"))
    return int(found[1]) if found else None


def version_of(contact: Contact) -> int:
    found = _VERSION.fullmatch(contact.text_of_primary("last_name"))
    return int(found[1]) if found else 0
