"""Sees each change of a contact in Zoho at the moment it is applied, and finds older states written after newer ones.

A person's changes carry a number that only grows, in the last name. So what a contact shows tells which change of whom
it comes from, whatever happened to the call that wrote it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from stream.records import EmployeeId
from stream.sandbox.zoho.contact import Contact
from stream.sandbox.zoho.contact_book import ContactBook

VERSION = re.compile(r" r(\d+)$")


def version_in(last_name: str) -> int | None:
    """The change that this last name comes from, None where it carries no number."""
    found = VERSION.search(last_name)
    return None if found is None else int(found[1])


@dataclass(frozen=True)
class Write:
    contact_id: str
    version: int | None
    active: bool


class WitnessedBook(ContactBook):
    """The organization's contacts; `writes` is their history, in the order in which it happened."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[Write] = []

    def put(self, contact: Contact) -> None:
        super().put(contact)
        self.writes.append(Write(contact.contact_id, version_in(contact.text_of_primary("last_name")), contact.active))


def order_violations(writes: list[Write], whose: Mapping[int, EmployeeId]) -> list[str]:
    """Writes that put an older state of a person over a newer one of the same contact. whose: version -> employee."""
    newest: dict[tuple[str, EmployeeId], int] = defaultdict(int)
    shown: dict[str, int] = {}
    found = []
    for write in writes:
        if write.version is None or shown.get(write.contact_id) == write.version:
            continue
        shown[write.contact_id] = write.version
        at = write.contact_id, whose[write.version]
        if write.version < newest[at]:
            found.append(f"contact {at[0]} of employee {at[1]}: r{write.version} after r{newest[at]}")
        newest[at] = max(newest[at], write.version)
    return found
