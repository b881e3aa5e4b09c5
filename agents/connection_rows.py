"""The rows of one connection, as its owner has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from stream.core.rows import Address, Company, ContactState, Person
from stream.records import ContactKey, Email, EmployeeId

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
        for count, employee in enumerate(self.employees(), 1):
            if (person := self.person(employee)) is not None:
                yield employee, person
            if count % AT_ONCE == 0:
                await asyncio.sleep(0)

    async def contacts(self) -> AsyncIterator[tuple[ContactKey, ContactState]]:
        """All of them."""
        for count, key in enumerate(self.keys(), 1):
            if (state := self.contact(key)) is not None:
                yield key, state
            if count % AT_ONCE == 0:
                await asyncio.sleep(0)
