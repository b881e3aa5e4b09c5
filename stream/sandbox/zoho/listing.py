"""GET /contacts: order and pages. Pages are plain offsets, so rows shift when contacts change meanwhile, as at Zoho."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from stream.sandbox.zoho.contact import Contact
from stream.sandbox.zoho.filters import PERSON_TEXTS, Filters
from stream.sandbox.zoho.organization import Organization
from stream.sandbox.zoho.refusals import invalid_value

PER_PAGE = 200
"""The default and the cap."""


def _by_person(name: str) -> Callable[[Contact], Any]:
    return lambda contact: contact.text_of_primary(name).casefold()


_KEYS: Mapping[str, Callable[[Contact], Any]] = {
    "contact_name": lambda contact: contact.name.casefold(),
    **{name: _by_person(name) for name in PERSON_TEXTS if name != "phone"},
    "outstanding_receivable_amount": lambda _contact: 0,
    "created_time": lambda contact: contact.created,
    "last_modified_time": lambda contact: contact.modified,
}
"""What the list can be sorted by."""


class ContactList:
    """Answers list calls on one organization; keeps the sorted list until something changes."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self._sorted: dict[str, tuple[int, list[Contact]]] = {}

    def page(self, query: Mapping[str, str]) -> dict[str, Any]:
        """`contacts` and `page_context`. Raises Refused for a value that a known parameter cannot have."""
        page, per_page = count(query, "page", 1), min(count(query, "per_page", PER_PAGE), PER_PAGE)
        column, order = query.get("sort_column", "contact_name"), query.get("sort_order", "A")
        if column not in _KEYS:
            raise invalid_value("sort_column")
        if order not in ("A", "D"):
            raise invalid_value("sort_order")
        filters = Filters(query, self._organization.book, self._organization.quirks)
        candidates = self._candidates(filters.email, column, order)
        found = filter(filters.keep, candidates) if filters.tests else iter(candidates)
        rows = list(islice(found, (page - 1) * per_page, page * per_page + 1))
        return {
            "contacts": [self._organization.answers.row(contact) for contact in rows[:per_page]],
            "page_context": {
                "page": page,
                "per_page": per_page,
                "has_more_page": len(rows) > per_page,
                "report_name": "Contacts",
                "applied_filter": filters.state,
                "sort_column": column,
                "sort_order": order,
                **({"search_criteria": filters.criteria} if filters.criteria else {}),
            },
        }

    def _candidates(self, email: str, column: str, order: str) -> Iterable[Contact]:
        """All contacts in order, or those an exact email leaves: the one lookup that must not walk ten thousand."""
        if email:
            found = self._organization.book.with_primary_email(email)
            return sorted(found, key=_KEYS[column], reverse=order == "D")
        ordered = self._ordered(column)
        return reversed(ordered) if order == "D" else ordered

    def _ordered(self, column: str) -> list[Contact]:
        book = self._organization.book
        changes, ordered = self._sorted.get(column, (-1, []))
        if changes != book.changes:
            match column:
                case "created_time":
                    ordered = list(book.contacts.values())
                case "last_modified_time":
                    ordered = book.by_modification()
                case _:
                    ordered = sorted(book.contacts.values(), key=_KEYS[column])
            self._sorted[column] = (book.changes, ordered)
        return ordered


def count(query: Mapping[str, str], name: str, default: int) -> int:
    value = query.get(name, str(default))
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise invalid_value(name)
    return int(value)
