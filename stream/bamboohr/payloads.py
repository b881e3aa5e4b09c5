"""What a delivery says: whom it names.

Both families (event-based: one event; field-based: a batch of employees, with plain or `{"value": ...}` fields) in both
formats (JSON, form-encoded). Only ids, names of changed fields and times are taken: the values are stale by the time
they arrive, the reading of the employee decides. So unknown fields, types and actions do no harm, and of a batch
everything that names somebody is taken, even beside parts that cannot be understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from stream.bamboohr.formats import parsed
from stream.bamboohr.signature import instant
from stream.errors import UndecodableRecord
from stream.records import EmployeeId

PEOPLE = ("employee.", "employee_with_fields.")
NOT_PEOPLE = ("company.", "company-integrations.")
"""Beginnings of the event types that must name an employee, and of those that never do."""

EMPLOYEE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Ids are short numbers today. Text that could leave its place in a URL is none."""
TYPE = re.compile(r"[A-Za-z_.-]{1,64}")
"""What a type or an action looks like; anything else is not worth keeping beside the raw bytes."""
OF_THE_CALLER = "0"
"""BambooHR reads employee 0 as the user whose credentials ask: it is never the person a notice means."""


class Notice(NamedTuple):
    """employees: whom the delivery names, each once, in its order; none when it does not concern employees.

    types: what BambooHR calls it ("employee.created", "Updated"), each once. occurred_at: the earliest time in it.
    refused: why a part of it could not be understood, None when all was.
    """

    employees: tuple[EmployeeId, ...]
    changed_fields: tuple[str, ...] = ()
    occurred_at: datetime | None = None
    refused: str | None = None
    types: tuple[str, ...] = ()


def understand(body: bytes, content_type: str | None = None, content_encoding: str | None = None) -> Notice:
    """Read a delivery; the two arguments are the texts of its headers.

    Raises UndecodableRecord when it names nobody and something in it could not be understood.
    """
    found = _Reading()
    found.delivery(parsed(body, content_type, content_encoding))
    if found.refused is not None and not found.employees:
        raise UndecodableRecord(found.refused)
    return Notice(
        employees=tuple(found.employees),
        changed_fields=tuple(found.changed_fields),
        occurred_at=found.earliest,
        refused=found.refused,
        types=tuple(found.types),
    )


class _Reading:
    """What has been read so far. Dictionaries keep order and drop repeats."""

    def __init__(self) -> None:
        self.employees: dict[EmployeeId, None] = {}
        self.types: dict[str, None] = {}
        self.changed_fields: dict[str, None] = {}
        self.earliest: datetime | None = None
        self.refused: str | None = None

    def delivery(self, content: Any) -> None:
        for part in content if isinstance(content, list) else [content]:
            if not isinstance(part, dict):
                self.refuse("A delivery is neither an event nor a batch of employees.")
            elif "employees" in part:
                self._batch(part["employees"])
            elif isinstance(kind := part.get("type"), str) and kind:
                self._event(kind, part)
            elif "id" in part:
                self._employee(part["id"], part.get("action"), part)
            else:
                self.refuse("A delivery has neither a type nor employees.")

    def refuse(self, reason: str) -> None:
        self.refused = self.refused or reason

    def _batch(self, employees: Any) -> None:
        if isinstance(employees, dict):  # of a form: by index; or one employee alone
            employees = [employees] if "id" in employees else list(employees.values())
        if not isinstance(employees, list):
            self.refuse("The employees of a delivery are no list.")
            return
        for entry in employees:
            if isinstance(entry, dict):
                self._employee(entry.get("id"), entry.get("action"), entry)
            else:
                self.refuse("An employee of a delivery is no object.")

    def _event(self, kind: str, event: dict[str, Any]) -> None:
        if kind.startswith(NOT_PEOPLE):
            return
        data = event.get("data")
        about = data if isinstance(data, dict) else {}
        if (named := about.get("employeeId")) is not None:
            self._employee(named, kind, about, event.get("timestamp"))
        elif kind.startswith(PEOPLE):
            self.refuse("An event about an employee does not say which.")

    def _employee(self, named: Any, kind: Any, about: dict[str, Any], timestamp: Any = None) -> None:
        employee = _employee_id(named)
        if employee is None:
            self.refuse("An employee id is none that BambooHR gives.")
            return
        self.employees[employee] = None
        if isinstance(kind, str) and TYPE.fullmatch(kind):
            self.types[kind] = None
        if changed_fields := about.get("changedFields"):
            for name in _names(changed_fields):
                self.changed_fields[name] = None
        if (moment := _time(timestamp or about.get("timestamp"))) is not None and (
            self.earliest is None or moment < self.earliest
        ):
            self.earliest = moment


def _employee_id(value: Any) -> EmployeeId | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**64 else ""
    if not isinstance(value, str):
        return None
    text = value.strip()
    return EmployeeId(text) if EMPLOYEE_ID.fullmatch(text) and text != OF_THE_CALLER else None


def _names(value: Any) -> Iterable[str]:
    """Names of fields: a list, by index in a form, or one alone. Half a surrogate pair is no text that can be kept."""
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    for name in values:
        if isinstance(name, str | int) and not isinstance(name, bool) and name != "":
            text = str(name)
            yield text if text.isascii() else text.encode("utf-8", "replace").decode()


def _time(value: Any) -> datetime | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return instant(value) if isinstance(value, str) else None
