"""The contacts of one organization with the indexes that keep lookups quick at ten thousand of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stream.sandbox.zoho.contact import Contact


@dataclass(frozen=True)
class _Keys:
    """Under what a contact is found, as of its last `put`."""

    email: str
    name: str
    persons: tuple[str, ...]


class ContactBook:
    """`contacts` maps contact_id to contact, oldest first. Whoever changes a contact puts it back."""

    def __init__(self) -> None:
        self.contacts: dict[str, Contact] = {}
        self.changes = 0
        """Grows with every change, so that a reader can keep what it sorted."""
        self._keys: dict[str, _Keys] = {}
        self._by_email: dict[str, dict[str, None]] = {}
        self._by_name: dict[str, dict[str, None]] = {}
        self._contact_of_person: dict[str, str] = {}

    def put(self, contact: Contact) -> None:
        """Add or re-file a contact; `_keys` keeps the order of the last change."""
        self._forget(contact.contact_id)
        keys = _Keys(contact.text_of_primary("email").lower(), _folded(contact.name), tuple(contact.persons))
        self.contacts[contact.contact_id] = contact
        self._keys[contact.contact_id] = keys
        self._by_email.setdefault(keys.email, {})[contact.contact_id] = None
        self._by_name.setdefault(keys.name, {})[contact.contact_id] = None
        self._contact_of_person |= dict.fromkeys(keys.persons, contact.contact_id)
        self.changes += 1

    def remove(self, contact: Contact) -> None:
        self._forget(contact.contact_id)
        del self.contacts[contact.contact_id]
        self.changes += 1

    def contact_of_person(self, contact_person_id: str) -> Contact | None:
        contact_id = self._contact_of_person.get(contact_person_id)
        return None if contact_id is None else self.contacts[contact_id]

    def with_primary_email(self, email: str) -> Iterator[Contact]:
        """Contacts whose primary person has this address, whatever its case."""
        return (self.contacts[contact_id] for contact_id in self._by_email.get(email.lower(), {}))

    def with_name(self, name: str) -> Iterator[Contact]:
        """Contacts of this display name, whatever its case and the blanks around it."""
        return (self.contacts[contact_id] for contact_id in self._by_name.get(_folded(name), {}))

    def by_modification(self) -> list[Contact]:
        """All contacts, the one that was changed last at the end."""
        return [self.contacts[contact_id] for contact_id in self._keys]

    def _forget(self, contact_id: str) -> None:
        keys = self._keys.pop(contact_id, None)
        if keys is None:
            return
        for index, key in ((self._by_email, keys.email), (self._by_name, keys.name)):
            del index[key][contact_id]
            if not index[key]:
                del index[key]
        for contact_person_id in keys.persons:
            del self._contact_of_person[contact_person_id]


def _folded(name: str) -> str:
    return name.strip().casefold()
