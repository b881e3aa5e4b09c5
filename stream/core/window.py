"""The days before somebody starts and after they left in which the mapping lets them count as at work."""

from __future__ import annotations

from collections.abc import Mapping as Fields
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from stream.core.employment import Employment
from stream.records import Mapping

FIRST_DAYS = 2


@dataclass(frozen=True)
class Presence:
    """until: the first day on which `at_work` will be another by the date alone; None = it will not.

    left: only the days after leaving let them count as at work.
    """

    at_work: bool
    until: date | None = None
    left: bool = False


def day_in(zone: str, moment: datetime) -> date:
    """The calendar day there. zone: an IANA name."""
    return moment.astimezone(ZoneInfo(zone)).date()


def day_told(zone: str, moment: datetime) -> date | None:
    """The calendar day there as a reading tells it: None in UTC, where its time tells it."""
    return None if zone == "UTC" else day_in(zone, moment)


def presence(kind: Employment, fields: Fields[str, str], mapping: Mapping, today: date) -> Presence:
    """kind: what the reading shows, not "unclear". today: the day of the reading where the company is.

    A day that is missing or withheld opens no window. The window before a start stays open for the FIRST_DAYS: a
    connection may not tell its time zone, and BambooHR makes newcomers active during the day.
    """
    if kind == "active":
        return Presence(True)
    if kind in ("not started", "inactive") and mapping.days_before_start:
        start = _day(fields.get("hireDate", ""))
        if start is not None and today < (settled := _later(start, FIRST_DAYS)):
            opens = _later(start, -mapping.days_before_start)
            return Presence(True, settled) if opens <= today else Presence(False, opens)
    if kind in ("terminated", "inactive") and mapping.days_after_leaving:
        left = _day(fields.get("terminationDate", ""))
        if left is not None and today < (closes := _later(left, mapping.days_after_leaving + 1)):
            return Presence(True, closes, left=True)
    return Presence(False)


def _later(day: date, days: int) -> date:
    """As far as the calendar goes."""
    return date.fromordinal(max(date.min.toordinal(), min(day.toordinal() + days, date.max.toordinal())))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
