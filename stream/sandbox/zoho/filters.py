"""The filters of GET /contacts.

Zoho's habits that trip clients, kept here: a filter it does not know is ignored and the whole list comes back; the
person filters look at the primary contact person only; a text filter has the variants _startswith and _contains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from stream.sandbox.zoho.contact import Contact
from stream.sandbox.zoho.contact_book import ContactBook
from stream.sandbox.zoho.fields import ADDRESSES
from stream.sandbox.zoho.quirks import ZohoQuirks
from stream.sandbox.zoho.refusals import invalid_value

FILTER_LENGTH = 100
PERSON_TEXTS = ("first_name", "last_name", "email", "phone")

Test = Callable[[Contact], bool]
Texts = Callable[[Contact], Iterable[str]]
Criterion = dict[str, str]


def _of_primary(name: str) -> Texts:
    return lambda contact: (contact.text_of_primary(name),)


def _in_portal(contact: Contact) -> bool:
    return any(person.enable_portal for person in contact.persons.values())


def _nothing(_contact: Contact) -> bool:
    """No contact here has a CRM record, an invoice, or a credit limit that was passed."""
    return False


_STATES: Mapping[str, Test] = {
    "Status.Active": lambda contact: contact.active,
    "Status.Inactive": lambda contact: not contact.active,
    "Status.PortalEnabled": _in_portal,
    "Status.PortalDisabled": lambda contact: not _in_portal(contact),
    **dict.fromkeys(("Status.Crm", "Status.CreditLimitExceed", "Invoice.OverDue", "Invoice.Unpaid"), _nothing),
}
_CRM = ("zcrm_contact_id", "zcrm_account_id", "zcrm_vendor_id")
_TEXTS: Mapping[str, Texts] = {
    "contact_name": lambda contact: (contact.name,),
    "company_name": lambda contact: (contact.values.get("company_name", ""),),
    "address": lambda contact: (text for side in ADDRESSES for text in contact.values.get(side, {}).values()),
    **{name: _of_primary(name) for name in PERSON_TEXTS},
}
_COMPARISONS: Mapping[str, tuple[str, Callable[[str, str], bool]]] = {
    "": ("equal", str.__eq__),
    "_startswith": ("starts_with", str.startswith),
    "_contains": ("contains", str.__contains__),
}
FILTERS = frozenset(
    {"contact_type", "search_text", "last_modified_time", *_CRM}
    | {name + variant for name in _TEXTS for variant in _COMPARISONS}
)
"""Every parameter that may leave contacts out, the state filter apart."""


class Filters:
    """What one query keeps: `tests` must all hold. `criteria` is how Zoho repeats the text filters in its answer."""

    def __init__(self, query: Mapping[str, str], book: ContactBook, quirks: ZohoQuirks) -> None:
        """Raises Refused for a value that a known filter cannot have."""
        self._quirks = quirks
        self.state = query.get("filter_by") or "Status.All"
        self.tests: list[Test] = []
        self.criteria: list[Criterion] = []
        self.email = self._fitted(query.get("email", ""), "email")
        """The exact address asked for, empty if none."""
        self._add_state(book)
        self._add_texts(query)
        if contact_type := query.get("contact_type"):
            self.tests.append(lambda contact: contact.contact_type == contact_type)
        if any(query.get(name) for name in _CRM):
            self.tests.append(_nothing)
        if quirks.last_modified_filter == "honoured" and "last_modified_time" in query:
            since = _moment(query["last_modified_time"])
            self.tests.append(lambda contact: contact.modified.replace(microsecond=0) >= since)

    def keep(self, contact: Contact) -> bool:
        return all(test(contact) for test in self.tests)

    def _add_state(self, book: ContactBook) -> None:
        if self.state == "Status.Duplicate":
            self.tests.append(lambda contact: any(other is not contact for other in book.with_name(contact.name)))
        elif self.state in _STATES:
            self.tests.append(_STATES[self.state])
        elif self.state != "Status.All":
            raise invalid_value("filter_by")

    def _add_texts(self, query: Mapping[str, str]) -> None:
        for name, texts in _TEXTS.items():
            for variant, (comparator, compare) in _COMPARISONS.items():
                if wanted := self._fitted(query.get(name + variant, ""), name):
                    self.tests.append(self._text_test(name, texts, compare, wanted))
                    self.criteria.append({"column_name": name, "search_text": wanted, "comparator": comparator})
        if wanted := self._fitted(query.get("search_text", ""), "search_text"):
            self.tests.append(self._text_test("search_text", _searched, str.__contains__, wanted))
            self.criteria.append({"column_name": "search_text", "search_text": wanted, "comparator": "contains"})

    def _text_test(self, name: str, texts: Texts, compare: Callable[[str, str], bool], wanted: str) -> Test:
        if name == "email" and self._quirks.email_match == "exact case":
            return lambda contact: any(compare(text, wanted) for text in texts(contact))
        folded = wanted.casefold()
        return lambda contact: any(compare(text.casefold(), folded) for text in texts(contact))

    def _fitted(self, wanted: str, name: str) -> str:
        """A filter longer than 100 characters is refused, or cut and then compared, like any text that is too long."""
        if len(wanted) > FILTER_LENGTH and self._quirks.too_long == "refused":
            raise invalid_value(name)
        return wanted[:FILTER_LENGTH]


def _searched(contact: Contact) -> Iterable[str]:
    """Name and notes are documented; the others were seen to count too."""
    yield from (contact.name, contact.values.get("notes", ""), contact.values.get("company_name", ""))
    yield from (contact.text_of_primary(name) for name in ("email", "first_name", "last_name"))


def _moment(value: str) -> datetime:
    """Such as 2026-01-18T02:02:51-0800; a + that was not sent as %2B has become a blank and does not parse."""
    try:
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        raise invalid_value("last_modified_time") from None
