"""The report whether every change reached us: the change feed is polled from further back, which fetches what is
missing, and held against BambooHR's log of its deliveries and the events on ours.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from pydantic import JsonValue

from agents.drift import Differing, said, told
from agents.operations import Done
from agents.reconciling import Reconciler
from stream.bamboohr.poll import Polled
from stream.clock import Clock
from stream.core.changes import OVERLAP
from stream.core.completeness import Delivery, Heard, Late, Missing, Report, joined, recalled
from stream.core.rows import Asked
from stream.errors import RecordRefused
from stream.records import PollOutcome

REPORT = "reconcile report"
MOST_HOURS = 14 * 24
"""BambooHR's log of its deliveries goes back no further."""
SHOWN = 2000
"""Entries of a list that the answer holds; it says how many there are in all."""


class Completeness:
    """Of one connection. heard_since, polls_since: its events, and the records of its polls, that were appended at or
    after a moment. drifted: by the rows as they are now.
    """

    def __init__(
        self,
        reconciler: Reconciler,
        heard_since: Callable[[datetime], Awaitable[Sequence[Heard]]],
        polls_since: Callable[[datetime], Awaitable[Sequence[PollOutcome]]],
        *,
        drifted: Callable[[], Awaitable[Differing]],
        clock: Clock,
    ) -> None:
        self._reconciler = reconciler
        self._heard_since = heard_since
        self._polls_since = polls_since
        self._drifted = drifted
        self._clock = clock

    async def carry_out(self, asked: Asked) -> Done:
        """Raises Retriable with the reason when BambooHR cannot be asked, LogUnavailable."""
        hours = asked.arguments.get("hours", "")
        if not hours.isascii() or not hours.isdigit() or not 1 <= int(hours[:4]) <= MOST_HOURS:
            raise RecordRefused(f"A report looks back 1 to {MOST_HOURS} hours: ask for so many.")
        since = self._clock.now() - timedelta(hours=int(hours))
        polled = await self._reconciler.look_back(since, asked, REPORT)
        events = await self._heard_since(polled.since - OVERLAP)
        report = joined(polled.feed, events, polled.log, polled.since)
        if any(one.delivery == "before the log" for one in report.missing):
            report = recalled(report, await self._polls_since(polled.since - OVERLAP))
        found = await self._drifted()
        return Done(_told(report, polled) + said(found), _result(report, polled) | told(found))


def _told(report: Report, polled: Polled) -> str:
    said = (
        f"Changed since {polled.since:%Y-%m-%d %H:%M:%S} UTC: {report.looked_at}; told of in time: {report.delivered}, "
        f"late: {len(report.late)}, missing: {len(report.missing)}; came twice: {report.duplicates}."
    )
    if report.unheard:
        said += f" BambooHR calls {len(report.unheard)} more deliveries accepted, which did not come here."
    if polled.log is None:
        return f"{said} The log of its deliveries was not read: {polled.reading.problem}"
    if not _reaches_back(polled):
        since = polled.log.since
        to = "so far" if since is None else f"farther than {since:%Y-%m-%d %H:%M:%S} UTC"
        said += (
            f" The {polled.reading.lines} deliveries in BambooHR's log do not reach back {to}: what was sent before "
            "them is not known."
        )
    return said


def _reaches_back(polled: Polled) -> bool:
    """Whether the log of deliveries tells of all that the report looks back on."""
    return polled.log is not None and polled.log.reaches(polled.since)


def _result(report: Report, polled: Polled) -> dict[str, JsonValue]:
    """Lists in full up to SHOWN. The log's `whole` is about all that the report looks back on, not about the poll."""
    fetched = sum(one.fetched_at is not None for one in report.missing)
    return {
        "since": polled.since.isoformat(),
        "looked_at": report.looked_at,
        "delivered": report.delivered,
        "late": len(report.late),
        "missing": len(report.missing),
        "fetched": fetched,
        "duplicates": report.duplicates,
        "unheard": len(report.unheard),
        "log": polled.reading.model_copy(update={"whole": _reaches_back(polled)}).model_dump(mode="json"),
        "late_changes": [_late(one) for one in report.late[:SHOWN]],
        "missing_changes": [_missing(one) for one in report.missing[:SHOWN]],
        "unheard_deliveries": [_unheard(one) for one in report.unheard[:SHOWN]],
    }


def _late(one: Late) -> JsonValue:
    return {
        "employee": one.employee,
        "changed_at": one.changed_at.isoformat(),
        "came_after_s": round(one.came_after.total_seconds()),
    }


def _missing(one: Missing) -> JsonValue:
    return {
        "employee": one.employee,
        "action": one.action,
        "changed_at": _time(one.changed_at),
        "delivery": one.delivery,
        "fetched_at": _time(one.fetched_at),
    }


def _unheard(one: Delivery) -> JsonValue:
    return {"employees": list(one.employees), "accepted_at": _time(one.succeeded_at)}


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
