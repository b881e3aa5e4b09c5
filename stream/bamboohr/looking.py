"""Reads people as they are now and puts nothing on the log: for plans. Whoever is read that way settles nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from stream.bamboohr.client import PageMoved
from stream.bamboohr.listed import MOVES, READINGS, Listed, must_be_whole, must_go_on
from stream.bamboohr.models import EmployeePage, HrField
from stream.core.trial import Reading
from stream.errors import NotFound, RecordRefused
from stream.patience import Patience
from stream.records import EmployeeId


class People(Protocol):
    """What is asked of the client."""

    async def employee(self, employee: EmployeeId, fields: Sequence[str]) -> dict[str, str]: ...
    async def page(self, fields: Sequence[str], after: str | None) -> EmployeePage: ...
    async def fields(self) -> tuple[HrField, ...]: ...


@dataclass
class Looked:
    """How far it has come: people read, of so many where BambooHR says it."""

    people: int = 0
    total: int | None = None


class LookAtPeople:
    """Of one connection. fields: all that is to be read of each."""

    def __init__(self, client: People, fields: Sequence[str], patience: Patience) -> None:
        self._client = client
        self._fields = tuple(fields)
        self._listed = Listed(fields)
        self._patience = patience
        self.looked = Looked()

    async def listed(self, chosen: Callable[[EmployeeId], bool] = lambda employee: True) -> dict[EmployeeId, Reading]:
        """Everybody on the list who is chosen; who needs a field that it does not show is read alone.

        Raises RecordRefused where the list does not stand still, and what the client raises.
        """
        for _ in range(READINGS):
            try:
                rows = await self._pages()
            except PageMoved:
                continue
            found: dict[EmployeeId, Reading] = {}
            for employee, row in rows.items():
                if chosen(employee):
                    fields = self._listed.shown(employee, row)
                    whole = self._listed.tells_all(fields)
                    found[employee] = Reading(employee, "read", fields) if whole else await self.alone(employee)
            return found
        raise RecordRefused(f"{MOVES}: run this again later.")

    async def alone(self, employee: EmployeeId) -> Reading:
        """One employee; "gone" where BambooHR has no such one. Raises what the client raises, but RecordRefused."""
        try:
            fields = await self._patience(partial(self._client.employee, employee, self._fields))
        except NotFound:
            return Reading(employee, "gone", {})
        except RecordRefused as error:
            return Reading(employee, "unreadable", {}, error.message)
        return Reading(employee, "read", fields)

    async def _pages(self) -> dict[EmployeeId, Mapping[str, str]]:
        rows: dict[EmployeeId, Mapping[str, str]] = {}
        after: str | None = None
        while True:
            page = await self._patience(partial(self._client.page, self._listed.names, after))
            new = {employee: row for employee, row in page.rows if employee not in rows}
            must_go_on(new, page.next)
            rows |= new
            self.looked = Looked(len(rows), page.total)
            if page.next is None:
                break
            after = page.next
        must_be_whole(len(rows), self.looked.total)
        return rows


def within(reading: Reading, fields: Sequence[str]) -> Reading:
    """The same with these fields alone."""
    return replace(reading, fields={name: reading.fields[name] for name in fields if name in reading.fields})
