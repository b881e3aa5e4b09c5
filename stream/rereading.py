"""Has people read again for a reason of our own: no webhook tells of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from stream.core.changes import in_batches
from stream.records import ConnectionId, EmployeeId, HrEvent, HrEventKind

AT_ONCE = 100
"""Employees an event names: so many rows are one fold, and more would keep other connections' records waiting."""


async def reread(
    connection: ConnectionId,
    employees: Sequence[EmployeeId],
    kind: HrEventKind,
    append: Callable[[HrEvent], Awaitable[object]],
    now: datetime,
    *,
    insists: bool = False,
) -> None:
    """Once this returns, the events that say so are on the log. Raises LogUnavailable."""
    for batch in in_batches(employees, AT_ONCE):
        named = tuple(batch)
        await append(HrEvent(connection=connection, employees=named, kind=kind, insists=insists, received_at=now))
