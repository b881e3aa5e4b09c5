"""Status fields -> standing."""

from __future__ import annotations

from datetime import date

import pytest

from stream.core.employment import Employment, employment

TODAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("fields", "standing"),
    [
        ({"status": "Active", "employmentHistoryStatus": "Full-Time"}, "active"),
        ({"status": "Active", "employmentHistoryStatus": ""}, "active"),
        ({"status": "Active"}, "active"),
        ({"status": " active "}, "active"),
        ({"status": "Active", "employmentHistoryStatus": "Terminated"}, "terminated"),
        ({"status": "Inactive", "employmentHistoryStatus": "Terminated"}, "terminated"),
        ({"status": "Terminated"}, "terminated"),
        ({"status": "Inactive"}, "inactive"),
        ({"status": "On leave"}, "inactive"),
        ({"status": "Inactive", "hireDate": "2026-03-03"}, "not started"),
        ({"status": "Inactive", "hireDate": "2026-03-02"}, "inactive"),
        ({"status": "Inactive", "hireDate": "0000-00-00"}, "inactive"),
    ],
)
def test_standing_follows_from_the_status_fields(fields: dict[str, str], standing: Employment) -> None:
    assert employment(fields, TODAY) == standing


@pytest.mark.parametrize("hire_date", ["2019-01-01", "2026-12-31", ""])
def test_a_date_never_overrides_an_active_status(hire_date: str) -> None:
    assert employment({"status": "Active", "hireDate": hire_date}, TODAY) == "active"


@pytest.mark.parametrize("fields", [{}, {"status": ""}, {"status": "  ", "employmentHistoryStatus": "Terminated"}])
def test_an_empty_or_withheld_status_is_unclear_whatever_else_is_known(fields: dict[str, str]) -> None:
    assert employment(fields, TODAY) == "unclear"
