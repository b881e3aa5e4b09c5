"""Which Zoho contact stands for a key: the one that is bound to it, one with the employee's id in the unique field that
contacts are matched by, or one that is found by its address.

A Zoho contact id is bound to one key: one that is found but bound to another is not adopted. The debt then waits for
that key's debts and looks again, and becomes a hold if the contact is still taken. One that holds another employee's id
is theirs, even where the answer to the call that made it was lost and it is not bound yet.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from stream.core.contact import ActualContact, ContactRow, adoptable, row_of, spellings
from stream.core.matching import may_stand_for
from stream.core.rows import ContactState
from stream.errors import NotFound, RecordRefused
from stream.lane import Waiting
from stream.records import ContactId, ContactKey, OutcomeAction
from stream.zoho.index import CLOCK_SKEW, ContactIndex
from stream.zoho.payment import Contacts, Payment
from stream.zoho.unique_field import UniqueField

LOOKS_BEFORE_HOLD = 3
LOOK_AGAIN_S = 1.0


class AddressTaken(RecordRefused):
    """The address of a debt is shown by a contact that is bound to somebody else, who owes nothing."""


class Known(NamedTuple):
    """Of an address. row: the contact to adopt, None where there is none."""

    row: ContactRow | None


class Lookup:
    """The contacts of one connection. Told of each row by `note` before anything is looked up, and when it changes."""

    def __init__(
        self,
        client: Contacts,
        state_of: Callable[[ContactKey], ContactState | None],
        index: ContactIndex,
        unique: UniqueField,
    ) -> None:
        """index: asked before Zoho where it is filled. unique: asked before both, where contacts are matched by it."""
        self._unique = unique
        self._client = client
        self._index = index
        self._state_of = state_of
        self._bound: dict[ContactId, ContactKey] = {}
        self._taken: dict[ContactKey, int] = {}
        self._identified: dict[str, ContactKey] = {}
        """By the value that the unique field is to have."""

    def note(self, key: ContactKey, state: ContactState) -> None:
        """What the key's row says."""
        if state.contact_id is not None:
            self.bind(state.contact_id, key)
        if (value := self._unique.value_in(state.desired)) is not None:
            self._identified[value] = key

    def bind(self, contact: ContactId, key: ContactKey) -> None:
        """The contact is this key's."""
        self._bound[contact] = key

    def looked_in_vain(self, key: ContactKey) -> bool:
        """Whether this key's address is shown by another key's contact, as far as was seen last."""
        return key in self._taken

    async def find(self, payment: Payment) -> tuple[ActualContact | None, OutcomeAction | None]:
        """The contact as it is now, and the outcome that binds it when it was not bound before."""
        contact = payment.state.contact_id
        if contact is not None:
            with suppress(NotFound):  # deleted by hand: looked for, and made anew where it is still wanted
                return await self.shown(payment, contact), None
        unresolved = payment.state.unresolved
        action: OutcomeAction = "created" if unresolved is not None and unresolved.operation == "create" else "adopted"
        value = self._unique.value_in(payment.desired)
        found = await self._made(payment)
        if found is None and value is not None:
            found = await self._unique.find(payment, value)
        if found is not None:
            self._unbound(payment, [row_of(found)])
            self._bound[found.contact_id] = payment.key
            self._index.saw(found)
            return found, action
        row = await self._search(payment)
        if row is None:
            return None, None
        self._bound[row.contact_id] = payment.key
        try:
            actual = await self.shown(payment, row.contact_id)
        except BaseException:
            self._bound.pop(row.contact_id, None)
            raise
        if value is not None and not may_stand_for(actual, self._unique.name, value):
            del self._bound[row.contact_id]
            if (owner := self._whose(actual)) is not None:
                self._bound[row.contact_id] = owner
                self._unbound(payment, [row])
            raise AddressTaken(
                f"A contact with this address holds another employee's id in {self._unique.name}: correct that in Zoho "
                "Books."
            )
        return actual, action

    async def _made(self, payment: Payment) -> ActualContact | None:
        """What a create made whose answer was lost, where this key has passed on to another employee since."""
        value, lost = self._unique.value_in(payment.desired), payment.state.unresolved
        former = None if lost is None else lost.identifier
        if value is None or former is None or former == value:
            return None
        found = await self._unique.find(payment, former)
        return found if found is not None and self._free(payment, [row_of(found)]) else None

    def _whose(self, actual: ActualContact) -> ContactKey | None:
        """The key of the employee whose id the contact holds, None where that is nobody's of ours."""
        value = actual.custom_fields.get(self._unique.name, "").strip()
        key = self._identified.get(value)
        state = None if key is None else self._state_of(key)
        return key if state is not None and self._unique.value_in(state.desired) == value else None

    async def find_rival(self, payment: Payment, contact: ContactId) -> None:
        """Look for another contact that holds this employee's id in the field that contacts are matched by.

        Raises Waiting while that is to change, AddressTaken when it stays so.
        """
        value = self._unique.value_in(payment.desired)
        found = None if value is None else await self._unique.find(payment, value)
        if found is None or found.contact_id == contact:
            self._taken.pop(payment.key, None)
            return
        self._unbound(payment, [row_of(found)])
        raise AddressTaken(
            f"Another contact holds this employee's id in {self._unique.name}: correct that in Zoho Books."
        )

    async def shown(self, payment: Payment, contact: ContactId) -> ActualContact:
        """The contact as it is now. Raises NotFound."""
        return await payment.shown(self._client, self._index, contact)

    async def _search(self, payment: Payment) -> ContactRow | None:
        """The contact with the person's address; after a lost create, first one with the address that it carried."""
        lost = payment.state.unresolved
        if lost is None and payment.desired.email and (known := await self._known(payment, payment.desired.email)):
            return known.row
        if lost is not None and lost.operation == "create" and lost.email:
            rows = await self._with_address(payment, lost.email)
            rows = rows or await payment.counted(self._client.newest(lost.at - CLOCK_SKEW, email=lost.email))
            # One that is another key's by now stands in nobody's way: the address may have moved on since.
            if (row := adoptable(self._free(payment, rows), payment.desired)) is not None:
                return row
            if lost.email == payment.desired.email:
                return self._unbound(payment, rows)
        rows = await self._with_address(payment, payment.desired.email) if payment.desired.email else []
        return self._unbound(payment, rows)

    async def _known(self, payment: Payment, email: str) -> Known | None:
        """What the index says; None where Zoho must be asked, also about contacts that are all another key's."""
        rows = await self._index.with_address(email, payment.counted)
        if rows is None or (rows and not self._free(payment, rows)):
            return None
        return Known(self._unbound(payment, rows))

    async def _with_address(self, payment: Payment, email: str) -> list[ContactRow]:
        for spelling in spellings(email):
            if rows := await payment.counted(self._client.find_by_email(spelling)):
                return list(rows)
        return []

    def _free(self, payment: Payment, rows: list[ContactRow]) -> list[ContactRow]:
        return [row for row in rows if self._bound.get(row.contact_id, payment.key) == payment.key]

    def _unbound(self, payment: Payment, rows: list[ContactRow]) -> ContactRow | None:
        """The row to adopt. Raises Waiting while what was found is another key's, AddressTaken when it stays so."""
        free = self._free(payment, rows)
        if free or not rows:
            self._taken.pop(payment.key, None)
            return adoptable(free, payment.desired)
        owners = [self._state_of(self._bound[row.contact_id]) for row in rows]
        settled = not any(owner is not None and owner.debt.owed for owner in owners)
        looks = self._taken[payment.key] = self._taken.get(payment.key, 0) + settled
        if looks < LOOKS_BEFORE_HOLD:
            raise Waiting("Another employee's contact still shows this address.", retry_after=LOOK_AGAIN_S)
        del self._taken[payment.key]
        raise AddressTaken("Another employee's contact shows this address: settle who holds it.")
