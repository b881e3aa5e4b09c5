"""The rows of one connection, as its owner has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from stream.core.rows import Address, Company, ContactState, Person
from stream.records import ContactKey, Email, EmployeeId

K = TypeVar("K")

AT_ONCE = 500
"""Rows that are looked at before the loop gets a turn."""


@dataclass(frozen=True)
class ConnectionRows:
    """Each is as it is when it is asked for. employees: who has a row. keys: of all contacts."""

    company: Callable[[], Company | None]
    person: Callable[[EmployeeId], Person | None]
    address: Callable[[Email], Address | None]
    contact: Callable[[ContactKey], ContactState | None]
    employees: Callable[[], Iterator[EmployeeId]]
    keys: Callable[[], Iterator[ContactKey]]

    async def people(self) -> AsyncIterator[tuple[EmployeeId, Person]]:
        """Everybody."""
        async for employee in unhurried(self.employees()):
            if (person := self.person(employee)) is not None:
                yield employee, person

    async def contacts(self) -> AsyncIterator[tuple[ContactKey, ContactState]]:
        """All of them."""
        async for key in unhurried(self.keys()):
            if (state := self.contact(key)) is not None:
                yield key, state


async def unhurried(keys: Iterable[K]) -> AsyncIterator[K]:
    """All of them; the loop gets a turn now and then."""
    for count, key in enumerate(keys, 1):
        yield key
        if count % AT_ONCE == 0:
            await asyncio.sleep(0)
