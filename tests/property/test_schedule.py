"""Runs come when they are due, whatever the zone, the clock and the quiet hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from stream.core.schedule import covers_the_day, next_run
from stream.records import QuietHours, Reconciling

AMSTERDAM = "Europe/Amsterdam"
minutes = st.integers(0, 24 * 60 - 1)
quiet = st.lists(
    st.builds(QuietHours, begin=minutes, end=minutes).filter(lambda one: one.begin != one.end), max_size=3
).filter(lambda hours: not covers_the_day(hours))
crons = st.sampled_from(["0 3 * * *", "*/20 * * * *", "30 2 * * *", "0 9 * * 1-5", "15 1 1 * *"])
zones = st.sampled_from(["UTC", AMSTERDAM, "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Asia/Tokyo"])
plans = st.one_of(
    st.builds(Reconciling, every=st.integers(60, 90_000), quiet=quiet.map(tuple), time_zone=zones),
    st.builds(Reconciling, every=st.none(), cron=crons, quiet=quiet.map(tuple), time_zone=zones),
)
moments = st.timedeltas(timedelta(0), timedelta(days=730)).map(lambda past: datetime(2026, 1, 1, tzinfo=UTC) + past)


def is_quiet(plan: Reconciling, moment: datetime) -> bool:
    local = moment.astimezone(ZoneInfo(plan.time_zone))
    minute = local.hour * 60 + local.minute
    return any(
        one.begin <= minute < one.end if one.begin < one.end else not one.end <= minute < one.begin
        for one in plan.quiet
    )


@given(plan=plans, last=moments, away=st.timedeltas(timedelta(0), timedelta(days=40)))
@example(
    plan=Reconciling(every=60, quiet=(QuietHours(begin=60, end=165),), time_zone=AMSTERDAM),
    last=datetime(2026, 10, 25, 1, 30, tzinfo=UTC),  # 02:30 for the second time
    away=timedelta(0),
)
def test_a_run_is_never_in_the_past_nor_in_quiet_hours(plan: Reconciling, last: datetime, away: timedelta) -> None:
    now = last + away
    due = next_run(plan, last, now)
    assert due is not None
    assert due >= now
    assert not is_quiet(plan, due)
    if plan.every is not None and due > max(now, last + timedelta(seconds=plan.every)):
        assert is_quiet(plan, due - timedelta(minutes=1))  # it waits for nothing else


clock_changes = st.builds(
    lambda day, past: day + past,
    st.sampled_from([datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 11, 1, 4, tzinfo=UTC)]),
    st.timedeltas(timedelta(0), timedelta(hours=6)),
)


@given(plan=plans, last=st.one_of(moments, clock_changes))
@example(
    plan=Reconciling(cron="30 2 * * *", time_zone=AMSTERDAM), last=datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
)  # 02:10 for the second time
def test_a_run_that_has_just_begun_is_not_due_again_at_once(plan: Reconciling, last: datetime) -> None:
    due = next_run(plan, last, last)
    assert due is not None
    assert due > last


@given(cron=st.sampled_from(["30 2 * * *", "0 3 * * *", "30 1 * * *"]), zone=zones, last=clock_changes)
def test_a_time_of_each_day_comes_once_a_day_whenever_the_clocks_change(cron: str, zone: str, last: datetime) -> None:
    plan, days = Reconciling(cron=cron, time_zone=zone), []
    for _ in range(4):
        due = next_run(plan, last, last)
        assert due is not None
        last = due
        days.append(due.astimezone(ZoneInfo(zone)).date())
    assert [day - days[0] for day in days] == [timedelta(days=number) for number in range(4)]


@given(plan=plans, last=moments)
def test_what_was_missed_is_made_up_once(plan: Reconciling, last: datetime) -> None:
    now = last + timedelta(days=62)
    made_up = next_run(plan, last, now)
    assert made_up is not None
    assume(not is_quiet(plan, now))
    assert made_up == now
    after = next_run(plan, now, now)
    assert after is not None
    assert after > now


@given(plan=plans, now=moments, ahead=st.timedeltas(timedelta(0), timedelta(days=4000)))
def test_a_clock_that_was_ahead_does_not_put_a_run_off(plan: Reconciling, now: datetime, ahead: timedelta) -> None:
    assert next_run(plan, now + ahead, now) == next_run(plan, now, now)


@pytest.mark.parametrize(
    ("cron", "after", "runs"),
    [
        ("30 2 * * *", "2027-03-27T12:00", ["2027-03-28T03:00+02:00", "2027-03-29T02:30+02:00"]),
        ("30 2 * * *", "2026-10-24T12:00", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
        (
            "*/30 2 * * *",
            "2026-10-25T01:00",
            ["2026-10-25T02:00+02:00", "2026-10-25T02:30+02:00", "2026-10-25T02:00+01:00"],
        ),
    ],
    ids=["a time that the day does not have", "a time that it has twice", "both of the hour that comes twice"],
)
def test_a_cron_expression_keeps_to_the_clock_on_the_wall(cron: str, after: str, runs: list[str]) -> None:
    plan = Reconciling(every=None, cron=cron, time_zone=AMSTERDAM)
    last = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(AMSTERDAM)).astimezone(UTC)
    for wanted in runs:
        due = next_run(plan, last, last)
        assert due == datetime.fromisoformat(wanted)
        last = due


def test_quiet_hours_end_by_the_clock_on_the_wall_when_it_is_put_forward() -> None:
    plan = Reconciling(quiet=(QuietHours(begin=22 * 60, end=150),), time_zone=AMSTERDAM)  # until 02:30, which is not
    evening = datetime(2027, 3, 27, 21, 30, tzinfo=UTC)
    assert next_run(plan, evening, evening) == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)  # 03:30 in summer time


def test_without_a_schedule_nothing_runs() -> None:
    now = datetime(2026, 3, 4, tzinfo=UTC)
    assert next_run(Reconciling(every=None), now, now + timedelta(days=9)) is None
