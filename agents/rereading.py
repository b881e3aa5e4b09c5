"""Has people read again for a reason of our own: no webhook tells of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from stream.records import ConnectionId, EmployeeId, HrEvent, HrEventKind

AT_ONCE = 100
"""Employees an event names: so many rows are one fold."""


async def reread(
    connection: ConnectionId,
    employees: Sequence[EmployeeId],
    kind: HrEventKind,
    append: Callable[[HrEvent], Awaitable[object]],
    now: datetime,
) -> None:
    """Once this returns, the events that say so are on the log. Raises LogUnavailable."""
    for first in range(0, len(employees), AT_ONCE):
        named = tuple(employees[first : first + AT_ONCE])
        await append(HrEvent(connection=connection, employees=named, kind=kind, received_at=now))
