"""Finds what somebody changed by hand in Zoho Books, for a connection that has it reported and not put back: each
contact that has moved is read once, and what it shows is on the log. Nothing is written to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from pydantic import JsonValue

from agents.connection_rows import ConnectionRows
from stream.clock import Clock
from stream.core.contact import ActualContact
from stream.core.drift import differing, is_to_be_looked_at
from stream.core.folds import on_employees
from stream.core.order import in_order
from stream.core.rows import ContactState
from stream.errors import NotFound
from stream.patience import Patience
from stream.records import ConnectionId, ContactId, ContactKey, DriftOutcome, EmployeeId
from stream.telemetry import log
from stream.zoho.index import ContactIndex
from stream.zoho.models import moment

logger = log("drift")

SHOWN = 2000
"""People whom an answer names; it says how many there are in all."""
Differing = dict[EmployeeId, tuple[str, ...]]
"""Whose contact does not show what we wrote -> in which fields."""


class FindDrift:
    """Of one connection. index: filled; it tells which contacts have moved."""

    def __init__(
        self,
        connection: ConnectionId,
        *,
        read: Callable[[ContactId], Awaitable[ActualContact]],
        index: ContactIndex,
        rows: ConnectionRows,
        append: Callable[[DriftOutcome], Awaitable[object]],
        clock: Clock,
    ) -> None:
        """read: a contact in full; raises NotFound."""
        self._connection = connection
        self._read = read
        self._index = index
        self._rows = rows
        self._append = append
        self._clock = clock

    async def __call__(self, patience: Patience) -> Differing:
        """All that differ now, those included that were found earlier. Raises what the client and the log raise."""
        found: Differing = {}
        async for key, state in self._rows.contacts():
            if state.contact_id is not None and (fields := await self._of(key, state, state.contact_id, patience)):
                found[state.employee] = fields
        logger.info("drift.done", connection=self._connection, people=len(found))
        return found

    async def _of(
        self, key: ContactKey, state: ContactState, contact: ContactId, patience: Patience
    ) -> tuple[str, ...]:
        there, modified_at = self._index.seen(contact)
        if not is_to_be_looked_at(state, there, modified_at):
            return () if state.drifted is None else state.drifted.fields
        actual: ActualContact | None = None
        try:  # also one that the list does not show: it may lag behind what was made
            actual = await patience(partial(self._read, contact))
        except NotFound:
            self._index.gone(contact)
            modified_at = None
        wish = on_employees(state.chain)
        outcome = DriftOutcome(
            connection=self._connection,
            contact_key=key,
            employee=state.employee,
            fields=differing(state, actual),
            settled=state.debt.settled,
            chain=() if wish is None else (wish,),
            modified_at=modified_at if actual is None else moment(actual.last_modified_time),
            at=self._clock.now(),
        )
        await self._append(outcome)
        return outcome.fields


async def drifted(rows: ConnectionRows) -> Differing:
    """Whose contact differed when it was looked at last."""
    return {
        state.employee: state.drifted.fields
        async for _, state in rows.contacts()
        if state.drifted is not None and state.drifted.fields
    }


def told(found: Differing) -> dict[str, JsonValue]:
    """For machines: drifted = how many; drift = employee and the names of fields, up to SHOWN, no values."""
    named: list[JsonValue] = [
        {"employee": employee, "fields": list(fields)}
        for employee, fields in sorted(found.items(), key=lambda one: in_order(one[0]))[:SHOWN]
    ]
    return {"drifted": len(found), "drift": named}


def said(found: Differing) -> str:
    """A sentence about them, with a space before it; empty where there are none."""
    some = len(found) > 1
    contacts = f"{len(found)} contacts were" if some else "1 contact was"
    return f" {contacts} changed in Zoho Books and left so." if found else ""
