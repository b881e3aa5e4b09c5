"""Which addresses several people on BambooHR's list state.

A reading of everybody takes one after the other. Without this the first of two on one address would be given a contact,
or one that somebody made by hand, before it is known that the address is to be held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from stream.core.contact import email_key
from stream.core.folds import is_loading
from stream.core.rows import Company, ContactState
from stream.records import Email


class Sharing:
    """Of one connection: told by who reads the list, asked by who keeps contacts."""

    def __init__(self, company: Callable[[], Company | None]) -> None:
        self._company = company
        self._shared: frozenset[Email] | None = None

    def listed(self, addresses: Iterable[str]) -> None:
        """The list was read to its end. addresses: of its people, each as often as it is stated."""
        people = Counter(map(email_key, addresses))
        self._shared = frozenset(email for email, number in people.items() if number > 1)

    def folded(self) -> None:
        """The contacts' rows know who shares an address."""
        self._shared = frozenset()

    def forget(self) -> None:
        """Nobody reads the list any more."""
        self._shared = None

    def is_unclear(self, state: ContactState) -> bool:
        """Whether it is not known yet if several people state the contact's address: it must not be begun before.

        Where an earlier owner left wishes of a reading that goes on, none of them is clear until the list was read.
        """
        if state.begun:
            return False
        if self._shared is None:
            return state.owes_backfill and is_loading(self._company())
        return email_key(state.desired.email or "") in self._shared
