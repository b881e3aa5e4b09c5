"""When a connection is reconciled next: at an interval or by a cron expression, not in its quiet hours.

All of it is in the connection's time zone, daylight saving included (cronsim: a time that a day does not have is kept
just after the gap, one that it has twice the first time). Runs that were missed are made up by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from stream.records import QuietHours, Reconciling

DAY_MINUTES = 24 * 60


def next_run(plan: Reconciling, last: datetime, now: datetime) -> datetime | None:
    """The moment, in UTC, of the run after the one that began at `last`; None when the schedule is off.

    Never before `now`. A `last` that lies ahead, by a clock that was wrong, counts as now.
    """
    last = min(last, now)
    if plan.cron is not None:
        zone = ZoneInfo(plan.time_zone)
        times = (time.astimezone(UTC) for time in CronSim(plan.cron, last.astimezone(zone)))
        wanted = next(time for time in times if time > last)  # from within an hour that comes twice it looks back
    elif plan.every is not None:
        wanted = last + timedelta(seconds=plan.every)
    else:
        return None
    return _after_quiet(plan, max(wanted, now))


def next_sweep(plan: Reconciling, last: datetime, now: datetime) -> datetime | None:
    """The same of the run in which everybody is read; quiet hours are nothing to it, since it is set to its own."""
    return None if plan.sweep is None else next_run(Reconciling(cron=plan.sweep, time_zone=plan.time_zone), last, now)


def covers_the_day(quiet: Sequence[QuietHours]) -> bool:
    """Whether no minute of the day is left in which something may run."""
    return all(any(_holds(hours, minute) for hours in quiet) for minute in range(DAY_MINUTES))


def _after_quiet(plan: Reconciling, moment: datetime) -> datetime:
    """The first moment from this one on that is in no quiet hours; there is one every day (`covers_the_day`)."""
    zone = ZoneInfo(plan.time_zone)
    while True:
        local = moment.astimezone(zone)
        minute = local.hour * 60 + local.minute
        hours = next((one for one in plan.quiet if _holds(one, minute)), None)
        if hours is None:
            return moment.astimezone(UTC)
        moment = _next_time(local, hours.end)


def _holds(hours: QuietHours, minute: int) -> bool:
    """Hours may pass midnight; the end is not among them."""
    if hours.begin < hours.end:
        return hours.begin <= minute < hours.end
    return minute >= hours.begin or minute < hours.end


def _next_time(local: datetime, minute: int) -> datetime:
    """The next moment at which the clock on the wall shows this minute of a day, or would but for a gap."""
    for days in (0, 1):
        day = local.date() + timedelta(days=days)
        for fold in (0, 1):  # an hour that comes twice: the first of both that is still to come
            shown = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=local.tzinfo, fold=fold)
            if shown.astimezone(UTC) > local.astimezone(UTC):
                return shown.astimezone(UTC)
    raise AssertionError("every minute of a day comes again within two days")
