"""The work of the Zoho Books lane: make one contact show what its row wants, and append what happened as outcomes.

Before every write stands an *attempting* outcome. If the answer is lost, or a former owner of the row left an attempt
without an end, nothing is written until the settle time has passed; then the contact is looked up by its address and
among the newest contacts, and what is found decides. So no contact is created twice, whatever is repeated.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Literal

from stream.clock import Clock
from stream.codec import fingerprint
from stream.core.contact import (
    ActualContact,
    Writes,
    address_alone,
    body_to_create,
    identifier_given_up,
    not_kept,
    renamed,
    writes,
)
from stream.core.mapping import with_activity
from stream.core.rows import ContactState
from stream.core.sharing import Sharing
from stream.due import BACKFILL, EDIT, JOINER, LEAVER
from stream.errors import (
    AnswerLost,
    ConnectionTrouble,
    NeverAnswered,
    NotFound,
    RecordRefused,
    Retriable,
    Unavailable,
)
from stream.flood import FloodGuard
from stream.lane import LaneClosed, Owed, Paid, Waiting
from stream.records import (
    ConnectionId,
    ContactId,
    ContactKey,
    DesiredContact,
    LogPosition,
    Mapping,
    OutcomeAction,
    SyncOutcome,
)
from stream.telemetry import OUTCOMES_TOTAL, log
from stream.zoho.errors import NameTaken, NotKept
from stream.zoho.index import ContactIndex
from stream.zoho.leavers import LIST_S, LeaverHeld, Leavers
from stream.zoho.lookup import AddressTaken, Lookup
from stream.zoho.models import moment
from stream.zoho.payment import Contacts, Payment
from stream.zoho.unique_field import UniqueField

logger = log("zoho")

SOON_S = 0.1

Operation = Literal["create", "update", "activate", "deactivate"]
DONE: dict[Operation, OutcomeAction] = {
    "create": "created",
    "update": "updated",
    "activate": "activated",
    "deactivate": "deactivated",
}


class KeepContacts:
    """Keys are contact keys; the debt is in employees offsets."""

    def __init__(
        self,
        connection: ConnectionId,
        client: Contacts,
        *,
        preview: bool,
        mapping: Mapping,
        state_of: Callable[[ContactKey], ContactState | None],
        append: Callable[[SyncOutcome], Awaitable[LogPosition]],
        guard: FloodGuard,
        leavers: Leavers,
        sharing: Sharing,
        clock: Clock,
        settle_time: float,
        index: ContactIndex,
    ) -> None:
        """index: asked before Zoho, where it is filled, and told of all that is written.

        settle_time: seconds, by the monotonic clock, from when this lane first saw that a write's end is unknown."""
        self._connection = connection
        self._client = client
        self._unique = UniqueField(client, mapping.match, index)
        self._lookup = Lookup(client, state_of, index, self._unique)
        self._index = index
        self._preview = preview
        self._mapping = mapping
        self._state_of = state_of
        self._append = append
        self._guard = guard
        self._leavers = leavers
        self._sharing = sharing
        self._clock = clock
        self._settle_time = settle_time
        self._unresolved_since: dict[ContactKey, tuple[int, float]] = {}
        self._not_applied: dict[ContactKey, int] = {}
        self._said: dict[ContactKey, LogPosition] = {}

    def look(self, key: str) -> Owed | None:
        state = self._state_of(ContactKey(key))
        if state is None:
            return None
        self._lookup.note(ContactKey(key), state)
        self._leavers.note(ContactKey(key), state)
        return Owed(self._owes(state), _class_of(state), state.folded)

    async def pay(self, key: str, *, last: bool = False) -> Paid | None:
        state = self._state_of(ContactKey(key))
        if state is None or not self._owes(state):
            return None
        payment = Payment(
            key=ContactKey(key),
            state=state,
            wanted=state.debt.wanted,
            fingerprint=fingerprint(state.desired),
            contact=state.contact_id,
            modified_at=state.modified_at,
        )
        self._wait_for_fold(payment)
        if self._sharing.is_unclear(state):
            raise Waiting("It is not known yet who shares the address.", retry_after=LIST_S)
        if self._preview and not state.debt.let_through:
            await self._say(payment, "previewed", parks=payment.wanted, reason="the connection is in preview")
            return payment.ended("not asked")
        self._wait_for_turn(payment)
        self._leavers.wait_for_the_list(state)
        try:
            await self._pay(payment)
        except NotFound as error:
            raise Retriable("The contact vanished while it was being kept: it is looked up again.") from error
        except LeaverHeld as error:
            await self._say(payment, "held", parks=payment.wanted, error=error, by_guard=True)
            return payment.ended("accepted" if payment.asked else "not asked")
        except RecordRefused as error:
            await self._give_up(payment, error)
            return payment.ended("refused")
        except Unavailable as error:
            if not last:
                raise
            sentence = "Zoho Books answers about others, never about this contact: look there, then redrive the letter."
            await self._give_up(payment, NeverAnswered(sentence, **error.context))
            return payment.ended("silent")
        return payment.ended("accepted" if payment.asked else "not asked")

    async def _give_up(self, payment: Payment, error: RecordRefused) -> None:
        """Park the debt. Raises Flood when too many were given up lately: then it stays owed."""
        held = isinstance(error, AddressTaken)
        if not held:
            self._guard.refused(error)
        status = error.context.get("status")
        await self._say(
            payment,
            "held" if held else "failed",
            parks=payment.wanted,
            error=error,
            status=status if isinstance(status, int) else None,
        )

    def _owes(self, state: ContactState) -> bool:
        return state.debt.unseen or state.debt.let_through if self._preview else state.debt.owed

    def _wait_for_fold(self, payment: Payment) -> None:
        """Raises Waiting while the row does not know all that was said of it, such as a write whose answer was lost."""
        said = self._said.get(payment.key)
        if said is not None and not payment.state.has_folded(said.topic, said.offset):
            raise Waiting("What was said last is not folded yet.", retry_after=SOON_S)
        self._said.pop(payment.key, None)

    def _wait_for_turn(self, payment: Payment) -> None:
        """Raises Waiting while another contact must give up its address first, or a lost write has not settled."""
        after = payment.state.after
        if after is not None and self._may_show_an_address(after):
            raise Waiting("Another contact gives up its address first.", retry_after=SOON_S)
        unresolved = payment.state.unresolved
        if unresolved is None or self._not_applied.get(payment.key) == unresolved.offset:
            return
        now = self._clock.monotonic()
        offset, since = self._unresolved_since.setdefault(payment.key, (unresolved.offset, now))
        if offset != unresolved.offset:
            since = now
            self._unresolved_since[payment.key] = (unresolved.offset, since)
        if (left := since + self._settle_time - now) > 0:
            raise Waiting("A write whose answer was lost has not settled yet.", retry_after=left)

    def _may_show_an_address(self, key: ContactKey) -> bool:
        """Whether the contact has a change to come. One that was looked up in vain has nothing to give up."""
        state = self._state_of(key)
        exists = state is not None and (state.contact_id is not None or state.unresolved is not None)
        return state is not None and exists and state.debt.owed and not self._lookup.looked_in_vain(key)

    async def _pay(self, payment: Payment) -> None:
        state = payment.state
        if state.is_shown(payment.fingerprint):
            await self._finish(payment, "unchanged", state.contact_id)
            return
        if state.active and payment.desired.active is False and self._only_leaves(payment):
            await self._leavers.ask(payment.key, state)  # before anything is asked of Zoho Books
        payment.modified_at = None
        actual, action = await self._lookup.find(payment)
        payment.attempt = state.unresolved.offset if state.unresolved else None
        if actual is None:
            if not payment.desired.active or not payment.desired.email:
                await self._finish(payment, "unchanged", None)  # who left, or has no address, needs no new contact
                return
            actual, action = await self._create(payment)
        wanted = writes(payment.desired, actual, state.employee)
        if wanted.none:
            payment.modified_at = moment(actual.last_modified_time)
            await self._finish(payment, action or "unchanged", actual.contact_id)
            return
        if action is not None:
            await self._say(payment, action, contact=actual.contact_id, active=actual.active)
        if wanted.deactivate:
            await self._ask_guard(payment, actual)
        if state.contact_id is not None and self._unique.name in wanted.changes:
            await self._find_rival(payment, actual)
        await self._write(payment, actual, wanted)

    def _only_leaves(self, payment: Payment) -> bool:
        """Whether all but the activity is known to be shown as wanted: then a hold leaves nothing to be done."""
        desired, state = payment.desired, payment.state
        before = with_activity(desired, self._mapping, active=True, email=desired.email)
        known = state.unresolved is None and not state.must_be_read
        return known and state.applied == fingerprint(before)

    async def _find_rival(self, payment: Payment, actual: ActualContact) -> None:
        """Raises Waiting, AddressTaken. Two contacts that wait for each other's id would do so for ever: so the one
        that this contact holds, which is somebody else's by now, is given up meanwhile.
        """
        try:
            await self._lookup.find_rival(payment, actual.contact_id)
        except Waiting:
            wish = identifier_given_up(payment.desired, actual, self._unique.name)
            if not (given_up := writes(wish, actual, payment.state.employee)).none:
                await self._write(payment, actual, given_up, ends=False)
            raise

    async def _create(self, payment: Payment) -> tuple[ActualContact, OutcomeAction | None]:
        """The new contact, and the outcome that is still to be said of it."""
        value = self._unique.value_in(payment.desired)
        create = self._client.create if value is None else partial(self._unique.upsert, value)
        body = body_to_create(payment.desired, payment.state.employee)
        try:
            actual = await self._attempt(payment, "create", lambda: create(body))
        except NameTaken:
            body = body_to_create(payment.desired, payment.state.employee, plain_name=False)
            actual = await self._attempt(payment, "create", lambda: create(body))
        self._lookup.bind(actual.contact_id, payment.key)
        self._index.saw(actual)
        payment.changes = {name: (None, value) for name, value in _shown(payment.desired).items()}
        if not_kept(payment.desired, None, actual, payment.state.employee):
            # The id is said first: a contact without its address could not be found again.
            await self._say(payment, "created", contact=actual.contact_id, active=actual.active)
            return await self._lookup.shown(payment, actual.contact_id), None
        return actual, "created"

    async def _ask_guard(self, payment: Payment, actual: ActualContact) -> None:
        """Raises LeaverHeld. The contact then stays as it is, but for its address: the old one may be another's by now,
        and who joins does not wait for those who leave.
        """
        try:
            await self._leavers.ask(payment.key, payment.state)
        except LeaverHeld:
            moved = writes(address_alone(payment.desired, actual), actual, payment.state.employee)
            if not moved.none:
                await self._write(payment, actual, moved, ends=False)
            raise

    async def _write(self, payment: Payment, actual: ActualContact, wanted: Writes, *, ends: bool = True) -> None:
        """A leaver is made inactive before anything else, a rehire active after everything else.

        ends: the debt is paid by that.
        """
        contact = actual.contact_id
        body = wanted.update
        steps: list[tuple[Operation, Callable[[], Coroutine[Any, Any, Any]]]] = []
        if wanted.deactivate:
            steps.append(("deactivate", lambda: self._client.mark_inactive(contact)))
        if body is not None:
            update = body
            steps.append(("update", lambda: self._client.update(contact, update)))
        if wanted.activate:
            steps.append(("activate", lambda: self._client.mark_active(contact)))
        payment.changes = wanted.changes
        kept = True
        for number, (operation, call) in enumerate(steps, 1):
            try:
                shown = await self._attempt(payment, operation, call)
            except NameTaken:
                assert body is not None
                second = partial(self._client.update, contact, renamed(body, payment.desired, payment.state.employee))
                shown = await self._attempt(payment, operation, second)
            if shown is not None:
                self._index.saw(shown)
                kept = not not_kept(payment.desired, actual, shown, payment.state.employee)
            payment.modified_at = None if shown is None else moment(shown.last_modified_time)
            if number == len(steps) and ends and kept:
                await self._finish(payment, DONE[operation], contact)
            else:
                active = {"activate": True, "deactivate": False}.get(operation)
                await self._say(payment, DONE[operation], contact=contact, active=active)
        if ends and not kept:
            await self._read_back(payment, actual)

    async def _read_back(self, payment: Payment, before: ActualContact) -> None:
        """An answer does not show what was sent: the contact itself decides. Raises NotKept."""
        actual = await self._lookup.shown(payment, before.contact_id)
        if fields := not_kept(payment.desired, before, actual, payment.state.employee):
            logger.warning("zoho.not_kept", connection=self._connection, contact_key=payment.key, fields=fields)
            raise NotKept(fields)
        payment.modified_at = moment(actual.last_modified_time)
        await self._finish(payment, "unchanged", actual.contact_id)

    async def _attempt(
        self, payment: Payment, operation: Operation, call: Callable[[], Coroutine[Any, Any, Any]]
    ) -> Any:
        """Say that the write begins, then begin it; the fence is checked in between, by the client's admission."""
        if operation == "create":
            payment.changes = {"email": (None, payment.desired.email)}
            if (value := self._unique.value_in(payment.desired)) is not None:
                payment.changes[self._unique.name] = (None, value)
        await self._say(payment, "attempting", operation=operation)
        assert payment.last is not None
        payment.attempt = payment.last.offset
        try:
            return await payment.counted(call())
        except AnswerLost:
            self._index.unsure()
            raise
        except (Retriable, RecordRefused, ConnectionTrouble, LaneClosed):
            self._not_applied[payment.key] = payment.attempt
            raise

    async def _finish(self, payment: Payment, action: OutcomeAction, contact: ContactId | None) -> None:
        shown = payment.fingerprint if contact is not None else None
        active = payment.desired.active if contact is not None else None
        await self._say(payment, action, contact=contact, settles=payment.wanted, shown=shown, active=active)
        self._unresolved_since.pop(payment.key, None)
        self._not_applied.pop(payment.key, None)

    async def _say(
        self,
        payment: Payment,
        action: OutcomeAction,
        *,
        operation: Operation | None = None,
        contact: ContactId | None = None,
        settles: int | None = None,
        parks: int | None = None,
        shown: str | None = None,
        active: bool | None = None,
        by_guard: bool = False,
        reason: str | None = None,
        error: RecordRefused | None = None,
        status: int | None = None,
    ) -> None:
        ends = action != "attempting"
        payment.contact = contact or payment.contact
        payment.last = self._said[payment.key] = await self._append(
            SyncOutcome(
                connection=self._connection,
                contact_key=payment.key,
                employee=payment.state.employee,
                contact_id=payment.contact,
                action=action,
                operation=operation,
                settles=settles,
                parks=parks,
                attempt=payment.attempt if ends else None,
                changes=payment.changes if ends or operation == "create" else {},
                fingerprint=shown,
                active=active,
                by_guard=by_guard,
                modified_at=payment.modified_at if shown is not None else None,
                reason=error.message if error is not None else reason,
                error=type(error).__name__ if error is not None else None,
                chain=payment.state.chain,
                calls=payment.calls if ends else 0,
                status=status,
                at=self._clock.now(),
            )
        )
        if ends:
            payment.calls, payment.changes = 0, {}
        OUTCOMES_TOTAL.labels(self._connection, action).inc()


def _class_of(state: ContactState) -> int:
    """Who left is urgent however that came to light."""
    if state.contact_id is not None and state.desired.active is False:
        return LEAVER
    if state.owes_backfill:
        return BACKFILL
    return JOINER if state.contact_id is None else EDIT


def _shown(desired: DesiredContact) -> dict[str, str]:
    fields = desired.model_dump(exclude={"custom_fields"})
    return {name: value for name, value in fields.items() if isinstance(value, str)}
