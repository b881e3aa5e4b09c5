"""Whether every change reached us: BambooHR's change feed and the log of its webhook, joined with what we heard.

A change counts as told when an event of its time or later, by BambooHR's clock, named its employee. The webhook's log
holds at most 200 deliveries (BambooHR API, `/webhooks/{id}/log`): what lies before them it cannot tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from stream.core.changes import Changed, Feed
from stream.records import DeliveryFate, EmployeeId, HrEvent, HrEventKind, PollOutcome

LATE = timedelta(minutes=5)
"""A notice that comes later than this after its change was repeated, or held up."""
NEAR = timedelta(minutes=2)
"""Between a delivery in BambooHR's log and the event that it brought."""


@dataclass(frozen=True)
class Delivery:
    """A line of the webhook's log. attempted_at, succeeded_at: the last time, by BambooHR's clock; None for words.

    accepted: whether its last attempt was answered with a 2xx.
    """

    employees: tuple[EmployeeId, ...]
    attempted_at: datetime | None
    succeeded_at: datetime | None
    accepted: bool


@dataclass(frozen=True)
class DeliveryLog:
    """full: it holds as many lines as it can, so that there may have been others before them.

    parts: the logs of which it was joined, each of another webhook, and each full by itself or not.
    """

    lines: tuple[Delivery, ...]
    full: bool = False
    parts: tuple[DeliveryLog, ...] = ()

    @classmethod
    def of_several(cls, logs: Sequence[DeliveryLog]) -> DeliveryLog:
        if len(logs) == 1:
            return logs[0]
        lines = tuple(line for log in logs for line in log.lines)
        return cls(lines, any(log.full for log in logs), tuple(logs))

    @property
    def since(self) -> datetime | None:
        """From when on all deliveries are in it; None where it is not full, or tells no times."""
        if not self.parts:
            times = [line.attempted_at for line in self.lines if line.attempted_at is not None]
            return min(times, default=None) if self.full else None
        farthest = [log.since for log in self.parts if log.full]
        known = [one for one in farthest if one is not None]
        return max(known, default=None) if len(known) == len(farthest) else None

    def reaches(self, at: datetime) -> bool:
        """Whether all deliveries since then are in it."""
        return not self.full or (self.since is not None and self.since <= at)


@dataclass(frozen=True)
class Heard:
    """What the report needs of an event. received_at: by our clock; occurred_at: by BambooHR's."""

    employees: tuple[EmployeeId, ...]
    kind: HrEventKind
    occurred_at: datetime | None
    received_at: datetime
    digest: str | None

    @classmethod
    def of(cls, event: HrEvent) -> Heard:
        return cls(event.employees, event.kind, event.occurred_at, event.received_at, event.digest)


@dataclass(frozen=True)
class Late:
    employee: EmployeeId
    changed_at: datetime
    came_after: timedelta


@dataclass(frozen=True)
class Missing:
    """A change that no notice told of. fetched_at: when the employee was read again for another reason, if so."""

    employee: EmployeeId
    action: str
    changed_at: datetime | None
    delivery: DeliveryFate
    fetched_at: datetime | None


@dataclass(frozen=True)
class Report:
    """looked_at: changes in the feed, of which each is delivered, late or missing.

    duplicates: deliveries that came more than once, beyond the first. unheard: what BambooHR's log calls accepted, and
    is not on ours.
    """

    looked_at: int
    delivered: int
    late: tuple[Late, ...]
    missing: tuple[Missing, ...]
    duplicates: int
    unheard: tuple[Delivery, ...]


def joined(feed: Feed, heard: Sequence[Heard], log: DeliveryLog | None, since: datetime) -> Report:
    """since: from when on events were looked at. log: None where it could not be read."""
    notices, others = _by_employee(heard, told=True), _by_employee(heard, told=False)
    delivered, late, missing = 0, [], []
    for change in feed.changes:
        came = _first(change, notices.get(change.employee, ()), feed.ahead)
        if came is None:
            fetched = _first(change, others.get(change.employee, ()), feed.ahead)
            known = fate(change.employee, change.at, log)
            missing.append(Missing(change.employee, change.action, change.at, known, fetched))
        elif change.at is not None and (after := came - feed.ahead - change.at) > LATE:
            late.append(Late(change.employee, change.at, after))
        else:
            delivered += 1
    copies = Counter(event.digest for event in heard if event.kind == "webhook" and event.digest is not None)
    unheard = () if log is None else tuple(_unheard(log, notices, feed.ahead, since))
    duplicates = sum(count - 1 for count in copies.values())
    return Report(len(feed.changes), delivered, tuple(late), tuple(missing), duplicates, unheard)


def recalled(report: Report, polls: Iterable[PollOutcome]) -> Report:
    """With what earlier readings of BambooHR's log said of deliveries that have left it since."""
    said = {
        (change.employee, change.changed_at): change.delivery
        for poll in polls
        for change in poll.missed
        if change.delivery not in ("before the log", "unknown")
    }
    missing = tuple(
        replace(one, delivery=said.get((one.employee, one.changed_at), one.delivery))
        if one.delivery == "before the log"
        else one
        for one in report.missing
    )
    return replace(report, missing=missing)


def fate(employee: EmployeeId, changed_at: datetime | None, log: DeliveryLog | None) -> DeliveryFate:
    """What BambooHR's log says of the delivery for a change of which we heard nothing."""
    if log is None or changed_at is None:
        return "unknown"
    lines = [
        line
        for line in log.lines
        if employee in line.employees and (line.attempted_at is None or line.attempted_at >= changed_at)
    ]
    if any(line.accepted for line in lines):
        return "accepted"
    if lines:
        return "failed"
    return "not sent" if log.reaches(changed_at) else "before the log"


def _by_employee(heard: Iterable[Heard], *, told: bool) -> dict[EmployeeId, list[Heard]]:
    """told: the notices of BambooHR; else all other reasons to read somebody."""
    found: dict[EmployeeId, list[Heard]] = {}
    for event in heard:
        if (event.kind == "webhook" or (event.kind == "redrive" and event.digest is not None)) == told:
            for employee in event.employees:
                found.setdefault(employee, []).append(event)
    return found


def _first(change: Changed, events: Iterable[Heard], ahead: timedelta) -> datetime | None:
    """When the first of these came that covers the change; a change without a time is covered by none."""
    if change.at is None:
        return None
    return min(
        (event.received_at for event in events if (event.occurred_at or event.received_at - ahead) >= change.at),
        default=None,
    )


def _unheard(
    log: DeliveryLog, notices: dict[EmployeeId, list[Heard]], ahead: timedelta, since: datetime
) -> Iterable[Delivery]:
    for line in log.lines:
        if line.accepted and line.succeeded_at is not None and line.succeeded_at >= since + NEAR:
            came = [event.received_at - ahead for employee in line.employees for event in notices.get(employee, ())]
            if not any(abs(moment - line.succeeded_at) <= NEAR for moment in came):
                yield line
