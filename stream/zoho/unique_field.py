"""Finds and makes contacts by a unique custom field that holds the employee's id, with Zoho Books' own upsert.

An upsert would remove from a contact that it finds the contact persons that it does not name. So a contact is looked
for first, and only where there is none an upsert is sent that may create: that comes to the same however often it is
sent, and nothing is doubled by a lost answer. It is looked for among the contacts that were read in bulk, and if it is
not seen there, by an upsert that may not create and names the field alone. By what was seen live that changes nothing
else; that the contact keeps its persons is not documented.
"""

from __future__ import annotations

from typing import Any

from stream.core.contact import ActualContact
from stream.core.matching import identifier
from stream.core.schemas import unusable
from stream.errors import ConnectionMisset, NotFound, RecordRefused
from stream.records import DesiredContact
from stream.zoho.index import ContactIndex
from stream.zoho.payment import Contacts, Payment


class UniqueField:
    """Of one connection. name: "email" where contacts are found by their address: then this is never used."""

    def __init__(self, client: Contacts, name: str, index: ContactIndex) -> None:
        self.name = name
        self._client = client
        self._index = index
        self._usable = False

    def value_in(self, desired: DesiredContact) -> str | None:
        """By what this person's contact is found; None: by its address."""
        return identifier(desired, self.name)

    async def find(self, payment: Payment, value: str) -> ActualContact | None:
        """The contact whose field has this value. Raises ConnectionMisset where the field is not what it must be."""
        await self._check(payment)
        if (seen := await self._seen(payment, value)) is not None:
            return seen
        try:
            actual = await payment.counted(self._client.with_field(self.name, value))
        except (RecordRefused, NotFound):  # what Zoho answers where there is none is not documented
            return None
        return self._if_holding(value, actual)

    async def upsert(self, value: str, body: dict[str, Any]) -> ActualContact:
        """The contact with this value, made where there is none. body: with the field."""
        return await self._client.upsert(self.name, value, body)

    async def _seen(self, payment: Payment, value: str) -> ActualContact | None:
        """The contact that the index knows of, as it is now, where it still has the value."""
        if (row := self._index.holding(value)) is None:
            return None
        try:
            return self._if_holding(value, await payment.shown(self._client, self._index, row.contact_id))
        except NotFound:
            return None

    def _if_holding(self, value: str, actual: ActualContact) -> ActualContact | None:
        return actual if actual.custom_fields.get(self.name) == value else None

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

    async def find(self, payment: Payment, value: str) -> ActualContact | None:
        await self._check(payment)
        return await self._seen(payment, value)
