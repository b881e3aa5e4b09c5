"""The lists a company starts with. `fieldId`s are those of a real account; BambooHR fixes two employment statuses."""

from __future__ import annotations

from datetime import UTC, datetime

from stream.sandbox.bamboohr import people
from stream.sandbox.bamboohr.lists import ListField

_FOUNDED = datetime(2012, 1, 2, 9, tzinfo=UTC)
_FIXED = ("Terminated", "Contractor")
_LISTS: tuple[tuple[int, int, str, str | None, str, bool, tuple[str, ...]], ...] = (
    (3443, 4, "department", "department", "Department", True, people.DEPARTMENTS),
    (3444, 17, "jobTitle", "jobTitle", "Job Title", True, people.JOB_TITLES),
    (3445, 18, "location", "location", "Location", False, people.LOCATIONS),
    (3446, 1355, "division", "division", "Division", True, people.DIVISIONS),
    (
        3447,
        16,
        "employmentHistoryStatus",
        "employmentHistoryStatus",
        "Employment Status",
        True,
        people.EMPLOYMENT_STATUSES,
    ),
    (3448, 4102, "customWorkMode", None, "Work Mode", True, people.WORK_MODES),
)


def founding_lists() -> dict[str, ListField]:
    """By the key of the field whose values they hold."""
    lists: dict[str, ListField] = {}
    for list_id, field_id, key, alias, name, manageable, names in _LISTS:
        lists[key] = ListField(list_id, field_id, key, alias, name, manageable, next_option=field_id * 1000 + 1)
        for option in names:
            lists[key].add(option, _FOUNDED, manageable=manageable and option not in _FIXED)
    return lists
