"""Finds and makes contacts by a unique custom field that holds the employee's id, with Zoho Books' own upsert.

An upsert would remove from a contact that it finds the contact persons that it does not name. So a contact is looked
for first, by an upsert that may not create and changes nothing; only where there is none one is sent that may. That
comes to the same however often it is sent: nothing is doubled by a lost answer.
"""

from __future__ import annotations

from typing import Any

from stream.core.contact import ActualContact, without_unknown_persons
from stream.core.matching import identifier
from stream.core.schemas import unusable
from stream.errors import ConnectionMisset, NotFound, RecordRefused
from stream.records import ContactId, DesiredContact
from stream.zoho.index import ContactIndex
from stream.zoho.payment import Contacts, Payment


class UniqueField:
    """Of one connection. name: "email" where contacts are found by their address: then this is never used."""

    def __init__(self, client: Contacts, name: str) -> None:
        self.name = name
        self._client = client
        self._usable = False

    def value_in(self, desired: DesiredContact) -> str | None:
        """By what this person's contact is found; None: by its address."""
        return identifier(desired, self.name)

    async def find(self, payment: Payment, value: str) -> ActualContact | None:
        """The contact whose field has this value. Raises ConnectionMisset where the field is not what it must be."""
        await self._check(payment)
        try:
            actual = await payment.counted(self._client.with_field(self.name, value))
        except (RecordRefused, NotFound):  # what Zoho answers where there is none is not documented
            return None
        return without_unknown_persons(actual) if actual.custom_fields.get(self.name) == value else None

    async def upsert(self, value: str, body: dict[str, Any]) -> ActualContact:
        """The contact with this value, made where there is none. body: with the field."""
        return await self._client.upsert(self.name, value, body)

    async def _check(self, payment: Payment) -> None:
        """Once, as long as nothing is found: a field that is not unique would let contacts be doubled."""
        if self._usable:
            return
        try:
            custom = {field.api_name: field for field in await payment.counted(self._client.custom_fields())}
        except (RecordRefused, NotFound):  # whether every organization lists its fields is not documented
            self._usable = True
            return
        if (problem := unusable(self.name, custom)) is not None:
            raise ConnectionMisset(f"Contacts cannot be matched by {self.name}: {problem}.")
        self._usable = True


class ListedField(UniqueField):
    """The same by the list of contacts alone, for whoever may change nothing: even an upsert that brings nothing new
    may count as a change in Zoho Books. Where the list does not show the field, nobody is found by it.
    """

    def __init__(self, client: Contacts, name: str, index: ContactIndex) -> None:
        super().__init__(client, name)
        self._index = index
        self._holders: dict[str, ContactId] | None = None

    async def find(self, payment: Payment, value: str) -> ActualContact | None:
        await self._check(payment)
        if self._holders is None:
            self._holders = {row.custom_fields.get(self.name, ""): row.contact_id for row in self._index.rows}
        holder = self._holders.get(value)
        return None if holder is None else without_unknown_persons(await payment.counted(self._client.contact(holder)))
