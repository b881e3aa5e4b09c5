"""One try at one contact's debt: what it is for, what it has come to, and what it asks of the client."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from stream.core.contact import ActualContact, Changes, ContactRow
from stream.core.rows import ContactState
from stream.core.schemas import CustomField
from stream.errors import NotFound
from stream.lane import Paid, Said
from stream.records import ContactId, ContactKey, DesiredContact, LogPosition
from stream.zoho.index import ContactIndex

T = TypeVar("T")


class Contacts(Protocol):
    """What the lane asks of the client."""

    async def find_by_email(self, email: str) -> list[ContactRow]: ...
    async def newest(self, until: datetime, *, email: str) -> list[ContactRow]: ...
    async def contact(self, contact: ContactId) -> ActualContact: ...
    async def create(self, body: dict[str, Any]) -> ActualContact: ...
    async def update(self, contact: ContactId, body: dict[str, Any]) -> ActualContact: ...
    async def with_field(self, name: str, value: str) -> ActualContact: ...
    async def upsert(self, name: str, value: str, body: dict[str, Any]) -> ActualContact: ...
    async def custom_fields(self) -> list[CustomField]: ...
    async def mark_active(self, contact: ContactId) -> None: ...
    async def mark_inactive(self, contact: ContactId) -> None: ...


@dataclass
class Payment:
    """attempt: the last attempting outcome whose end is known by now. calls, changes: since the last outcome.

    asked: whether Zoho Books was asked anything at all. modified_at: when the contact, as it is now, was changed last;
    None where Zoho did not say.
    """

    key: ContactKey
    state: ContactState
    wanted: int
    fingerprint: str
    attempt: int | None = None
    contact: ContactId | None = None
    modified_at: datetime | None = None
    last: LogPosition | None = None
    calls: int = 0
    asked: bool = False
    changes: Changes = field(default_factory=dict)

    @property
    def desired(self) -> DesiredContact:
        return self.state.desired

    async def counted(self, call: Coroutine[Any, Any, T]) -> T:
        """Await a call of the client, which the next outcome accounts for."""
        self.calls += 1
        self.asked = True
        return await call

    async def shown(self, client: Contacts, index: ContactIndex, contact: ContactId) -> ActualContact:
        """The contact as it is now, which the index takes up. Raises NotFound."""
        try:
            actual = await self.counted(client.contact(contact))
        except NotFound:
            index.gone(contact)
            raise
        index.saw(actual)
        return actual

    def ended(self, vendor: Said) -> Paid:
        assert self.last is not None
        return Paid(self.last, vendor)
