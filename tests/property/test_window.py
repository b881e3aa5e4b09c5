"""The days of a mapping begin and end at midnight where the company is, whatever its clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from stream.core.claim import brought
from stream.core.window import FIRST_DAYS, day_in
from stream.records import EmployeeId, EmployeeSnapshot, Mapping
from tests.small_world import ACME, HR_EVENTS, at, person

ZONES = st.sampled_from(
    (
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Pacific/Kiritimati",
        "Pacific/Pago_Pago",
        "Africa/Cairo",
        "Asia/Beirut",
    )
)
"""Cairo puts its clocks forward at midnight: that day has none."""
DAYS = st.dates(date(2020, 1, 1), date(2030, 12, 31))
SECOND = timedelta(seconds=1)


def beginning(day: date, zone: str) -> datetime:
    """The first second of the day there, found without what is tested."""
    there = ZoneInfo(zone)
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)
    step = timedelta(hours=1)
    while step >= SECOND:
        while (moment + step).astimezone(there).date() < day:
            moment += step
        step /= 2 if step > timedelta(minutes=1) else 60
    while moment.astimezone(there).date() < day:
        moment += SECOND
    return moment.replace(microsecond=0)


def at_work(fields: dict[str, str], moment: datetime, zone: str, mapping: Mapping) -> bool:
    """Of a reading at that moment, as the roster fold takes it."""
    snapshot = EmployeeSnapshot(
        connection=ACME,
        employee=EmployeeId("1"),
        through=1,
        cause=at(HR_EVENTS, 1),
        mapping_version="m",
        read_at=moment,
        read_on=None if zone == "UTC" else day_in(zone, moment),
        state="read",
        fields=fields,
    )
    claim = brought(snapshot, mapping, None, None).claim
    assert claim is not None
    return claim.desired.active is True


@given(DAYS, ZONES, st.integers(1, 366))
@example(date(2024, 4, 27), "Africa/Cairo", 1)
@example(date(2026, 3, 30), "Europe/Berlin", 1)
@example(date(2026, 10, 26), "Europe/Berlin", 1)
def test_a_window_before_a_start_opens_and_closes_at_midnight_there(start: date, zone: str, days: int) -> None:
    mapping = Mapping(days_before_start=days)
    fields = person(status="Inactive", employmentHistoryStatus="", hireDate=start.isoformat())
    opens = beginning(start - timedelta(days=days), zone)
    closes = beginning(start + timedelta(days=FIRST_DAYS), zone)
    found = [at_work(fields, moment, zone, mapping) for moment in (opens - SECOND, opens, closes - SECOND, closes)]
    assert found == [False, True, True, False]


@given(DAYS, ZONES, st.integers(1, 366))
@example(date(2024, 4, 25), "Africa/Cairo", 1)
def test_a_window_after_an_end_closes_at_midnight_there(left: date, zone: str, days: int) -> None:
    mapping = Mapping(days_after_leaving=days)
    fields = person(status="Inactive", employmentHistoryStatus="Terminated", terminationDate=left.isoformat())
    closes = beginning(left + timedelta(days=days + 1), zone)
    assert [at_work(fields, moment, zone, mapping) for moment in (closes - SECOND, closes)] == [True, False]
