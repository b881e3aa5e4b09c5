"""BambooHR's status fields -> one of five standings. The reading decides; dates never override `status`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal

Employment = Literal["active", "inactive", "terminated", "not started", "unclear"]

FIELDS = ("status", "employmentHistoryStatus", "hireDate")


def employment(fields: Mapping[str, str], today: date) -> Employment:
    """The standing that a reading shows.

    Active is `status` Active with an `employmentHistoryStatus` that is not Terminated (BambooHR fixes that option's
    name). An empty or withheld status is unclear and must change nothing. Any other status means: not at work; `today`
    and the hire date only tell those who have not started yet from the others.
    """
    status = fields.get("status", "").strip().lower()
    if not status:
        return "unclear"
    if fields.get("employmentHistoryStatus", "").strip().lower() == "terminated":
        return "terminated"
    if status == "active":
        return "active"
    if status == "terminated":
        return "terminated"
    return "not started" if _day(fields.get("hireDate", "")) > today else "inactive"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return date.min
