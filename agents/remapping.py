"""Has people read anew whose last reading was made under another mapping: they do not change because of it themselves,
and no webhook tells of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable
from datetime import datetime

from stream.core.folds import is_outdated
from stream.core.rows import Person
from stream.records import ConnectionId, EmployeeId, HrEvent

AT_ONCE = 100
"""Employees an event names: so many rows are one fold."""


async def remap(
    connection: ConnectionId,
    people: AsyncIterable[tuple[EmployeeId, Person]],
    version: str,
    append: Callable[[HrEvent], Awaitable[object]],
    now: datetime,
    *,
    changed: bool,
) -> int:
    """How many must be read anew; the events that say so are on the log then. Raises LogUnavailable.

    people: all rows of the connection. changed: the mapping is another one than a moment ago.
    """
    outdated = [who async for who, person in people if is_outdated(person, version, changed=changed)]
    for first in range(0, len(outdated), AT_ONCE):
        named = tuple(outdated[first : first + AT_ONCE])
        await append(HrEvent(connection=connection, employees=named, kind="sweep", received_at=now))
    return len(outdated)
