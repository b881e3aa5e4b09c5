"""What a field of a person reads as: stored values, names behind options, and everything BambooHR computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any

from stream.sandbox.bamboohr.company import Company
from stream.sandbox.bamboohr.employee import Employee
from stream.sandbox.bamboohr.fields import Field

_OWN_IDS_FROM = 900_000
"""Where the ids start that are no option ids (the quirk `field_option_ids`)."""
_DAYS_A_YEAR = 365.25


@dataclass(frozen=True)
class Reading:
    """One person as read today. ahead: with the values of planned changes (`onlyCurrent=false`)."""

    company: Company
    employee: Employee
    ahead: bool = False

    @property
    def stored(self) -> Mapping[str, str]:
        return self.employee.latest() if self.ahead and self.employee.planned else self.employee.values

    def text(self, field: Field) -> Any:
        """As a JSON value: text, or null where there is none; flags are booleans, amounts objects."""
        if (compute := _COMPUTED.get(field.key)) is not None:
            return compute(self)
        value = self.stored.get(field.key, "")
        if field.key == "status" and not value:
            return "" if self.company.quirks.empty_status == "empty text" else None
        if field.choices:
            value = self.company.option_name(field.key, value)
        return value or None

    def get(self, key: str) -> str:
        return self.stored.get(key, "")

    def named(self, key: str) -> str:
        return self.company.option_name(key, self.get(key))

    def option_id(self, key: str) -> str | None:
        value = self.get(key)
        if not value or self.company.quirks.field_option_ids == "option ids":
            return value or None
        return str(_OWN_IDS_FROM + int(value) % 1000)

    def manager(self) -> Reading | None:
        boss = self.company.people.get(self.get("supervisorId"))
        return Reading(self.company, boss) if boss else None

    def years_since(self, key: str) -> str | None:
        value = self.get(key)
        if not value:
            return None
        return f"{(self.company.today() - date.fromisoformat(value)).days / _DAYS_A_YEAR:.2f}"


def _joined(*parts: str) -> str | None:
    return " ".join(part for part in parts if part) or None


def _age(person: Reading) -> str | None:
    years = person.years_since("dateOfBirth")
    return str(int(float(years))) if years else None


def _manager_name(person: Reading) -> str | None:
    boss = person.manager()
    return _joined(boss.get("firstName"), boss.get("lastName")) if boss else None


def _called(person: Reading) -> str:
    return person.get("preferredName") or person.get("firstName")


_COMPUTED: Mapping[str, Callable[[Reading], Any]] = {
    "id": lambda p: p.employee.id,
    "displayName": lambda p: _joined(_called(p), p.get("lastName")),
    "fullName1": lambda p: _joined(p.get("firstName"), p.get("lastName")),
    "fullName5": lambda p: _joined(p.get("firstName"), p.get("middleName"), p.get("lastName")),
    "firstNameLastName": lambda p: _joined(p.get("firstName"), p.get("lastName")),
    "preferredNameLastName": lambda p: _joined(_called(p), p.get("lastName")),
    "firstNameMiddleInitial": lambda p: _joined(p.get("firstName"), p.get("middleName")[:1]),
    "employeeName": lambda p: f"{p.get('lastName')}, {p.get('firstName')}",
    "nickName": lambda p: _called(p) or None,
    "middleInitial": lambda p: p.get("middleName")[:1] or None,
    "bestEmail": lambda p: p.get("workEmail") or p.get("homeEmail") or None,
    "employmentStatus": lambda p: p.named("employmentHistoryStatus") or None,
    "employmentStatusId": lambda p: p.option_id("employmentHistoryStatus"),
    "employmentStatusEffectiveDate": lambda p: p.get("employeeStatusDate") or None,
    "jobTitleId": lambda p: p.option_id("jobTitle"),
    "departmentId": lambda p: p.option_id("department"),
    "divisionId": lambda p: p.option_id("division"),
    "locationId": lambda p: p.option_id("location"),
    "reportsTo": _manager_name,
    "supervisor": _manager_name,
    "supervisorEId": lambda p: p.get("supervisorId") or None,
    "isManager": lambda p: p.employee.id in p.company.managers(),
    "photoUrl": lambda p: None,
    "photoUploaded": lambda p: False,
    "canUploadPhoto": lambda p: True,
    "age": _age,
    "tenure": lambda p: p.years_since("hireDate"),
    "lastChanged": lambda p: p.employee.changed_at.astimezone(UTC).isoformat(timespec="seconds"),
    "teams": lambda p: None,
    "userId": lambda p: None,
}
