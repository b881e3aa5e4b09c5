"""What a BambooHR employee answer says. A field that was withheld stays absent and one that is empty becomes an empty
text: the two must never be mixed up, since BambooHR drops forbidden fields without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from stream.bamboohr.payloads import EMPLOYEE_ID, OF_THE_CALLER, TYPE
from stream.bamboohr.signature import instant
from stream.core.changes import Changed
from stream.records import EmployeeId

NO_DATE = "0000-00-00"
"""How BambooHR writes a date that is not set, where it does not write null."""


def reading(body: Mapping[str, Any], employee: EmployeeId, fields: Sequence[str]) -> dict[str, str] | None:
    """Those of `fields` that the answer held, as text; None when it is not about this employee or cannot be kept.

    Fields that the answer itself names as restricted count as withheld although they are there, as null (BambooHR API,
    employees: `_restrictedFields`).
    """
    found = body.get("id")
    if isinstance(found, bool) or not isinstance(found, str | int) or str(found) != employee:
        return None
    restricted = body.get("_restrictedFields")
    withheld = {name for name in restricted if isinstance(name, str)} if isinstance(restricted, list) else set()
    try:
        return {name: _text(body[name]) for name in fields if name in body and name not in withheld}
    except orjson.JSONEncodeError:  # nested deeper than can be written again
        return None


def change_feed(body: Mapping[str, Any]) -> tuple[Changed, ...] | None:
    """The entries of the change feed that name an employee; None when it is no such feed (BambooHR API, changed).

    An empty map may be written as an empty list, as PHP does.
    """
    entries = body.get("employees")
    if entries == []:
        return ()
    if not isinstance(entries, dict):
        return None
    found = []
    for key, entry in entries.items():
        if not isinstance(entry, dict):
            return None
        employee = str(entry.get("id", key))
        if EMPLOYEE_ID.fullmatch(employee) and employee != OF_THE_CALLER:
            action, at = entry.get("action"), entry.get("lastChanged")
            found.append(
                Changed(
                    EmployeeId(employee),
                    action if isinstance(action, str) and TYPE.fullmatch(action) else "",
                    instant(at) if isinstance(at, str) else None,
                )
            )
    return tuple(found)


@dataclass(frozen=True)
class HrField:
    """A field that an employee may be asked for, by its alias or its id. kind: "date", "list" and such."""

    id: str
    alias: str | None
    kind: str


def hr_fields(rows: Iterable[object]) -> tuple[HrField, ...]:
    """What `/meta/fields` lists; an id comes as a number or as a text (BambooHR API, field metadata)."""
    return tuple(
        HrField(str(row["id"]), alias if isinstance(alias := row.get("alias"), str) else None, str(row.get("type")))
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("id"), str | int)
    )


@dataclass(frozen=True)
class EmployeePage:
    """Rows as `reading` gives them, under the list's own names. restricted: names withheld for somebody. total: of all
    pages, None when it is not said. next: what asks for the page after this one, None at the end.
    """

    rows: tuple[tuple[EmployeeId, dict[str, str]], ...]
    restricted: frozenset[str]
    total: int | None
    next: str | None


def employee_page(body: Mapping[str, Any]) -> EmployeePage | None:
    """None when it is no such page (BambooHR API, list employees)."""
    data, meta = body.get("data"), body.get("meta")
    page = meta.get("page") if isinstance(meta, dict) else None
    if not isinstance(data, list) or not isinstance(page, dict):
        return None
    rows: list[tuple[EmployeeId, dict[str, str]]] = []
    restricted: set[str] = set()
    for row in data:
        if not isinstance(row, dict) or not isinstance(found := row.get("employeeId"), str | int):
            return None
        employee = EmployeeId(str(found))
        read = reading({**row, "id": found}, employee, tuple(row))
        if read is None:
            return None
        rows.append((employee, read))
        restricted.update(row.keys() - read.keys())
    assert isinstance(meta, dict)
    cursor, total = page.get("nextCursor"), meta.get("total")
    return EmployeePage(
        tuple(rows),
        frozenset(restricted),
        total if isinstance(total, int) else None,
        cursor if isinstance(cursor, str) and cursor else None,
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return "" if value.strip() == NO_DATE else value
    return orjson.dumps(value).decode()
