"""Whom BambooHR's list shows at which address, while everybody on it is folded one after the other.

Without this the first of two people on one address would be given a contact, or one that somebody made by hand, before
it is known that the address is to be held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from stream.core.contact import email_key
from stream.core.folds import is_loading
from stream.core.rows import Company, ContactState
from stream.records import Email, EmployeeId


class Sharing:
    """Of one connection: told by the reading of everybody, asked by who keeps contacts."""

    def __init__(self, company: Callable[[], Company | None]) -> None:
        self._company = company
        self._claimed: dict[Email, set[EmployeeId]] | None = None

    def listed(self, claims: Iterable[tuple[EmployeeId, Email]]) -> None:
        """The list was read to its end. claims: who on it may have which address."""
        self._claimed = {}
        for employee, email in claims:
            self._claimed.setdefault(email, set()).add(employee)

    def folded(self) -> None:
        """The contacts' rows know who shares an address."""
        self._claimed = {}

    def forget(self) -> None:
        """Nobody reads the list any more."""
        self._claimed = None

    def is_unclear(self, state: ContactState) -> bool:
        """Whether somebody else may have the contact's address of whom its row does not know yet: until then it must
        not be begun.

        Of a first load nothing is clear before the list was read to its end: it may have moved under its reader, or
        under an owner before this one. Later a contact that does not exist is rare, and may wait for the list too long.
        """
        if state.may_exist:
            return False
        if self._claimed is None:
            company = self._company()
            first = company is not None and company.swept_at is None
            return first and state.owes_backfill and is_loading(company)
        return bool(self._claimed.get(email_key(state.desired.email or ""), set()) - {state.employee})
