"""Joining what BambooHR says it told with what was heard: nothing told goes as missing, nothing missing as told."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.core.changes import Changed, Feed
from stream.core.completeness import LATE, NEAR, Delivery, DeliveryLog, Heard, fate, joined
from stream.records import EmployeeId, HrEventKind
from tests.fake_clock import START

ADA, BEA = EmployeeId("42"), EmployeeId("43")
SINCE = START - timedelta(hours=24)


def second(number: float) -> datetime:
    return START + timedelta(seconds=number)


def feed(*changes: tuple[EmployeeId, float], ahead: float = 0.0) -> Feed:
    entries = tuple(Changed(employee, "Updated", second(at)) for employee, at in changes)
    return Feed(entries, second(10_000), ahead=timedelta(seconds=ahead))


def heard(
    *employees: EmployeeId,
    of: float | None,
    at: float,
    kind: HrEventKind = "webhook",
    digest: str | None = "d",
) -> Heard:
    return Heard(employees, kind, None if of is None else second(of), second(at), digest)


seconds = st.integers(0, 2000)


@given(
    changes=st.dictionaries(st.integers(1, 30), seconds, max_size=12),
    lost=st.sets(st.integers(1, 30)),
    delays=st.lists(st.integers(0, 1000), min_size=30, max_size=30),
    copies=st.lists(st.integers(1, 3), min_size=30, max_size=30),
    skew=st.integers(-300, 300),
    shuffled=st.randoms(use_true_random=False),
)
def test_each_change_is_told_late_or_missing_as_its_notice_came_or_not(
    changes: dict[int, int], lost: set[int], delays: list[int], copies: list[int], skew: int, shuffled: object
) -> None:
    events = [
        heard(EmployeeId(str(one)), of=at, at=at + delays[one - 1] + skew, digest=str(one))
        for one, at in changes.items()
        if one not in lost
        for _ in range(copies[one - 1])
    ]
    shuffled.shuffle(events)  # type: ignore[attr-defined]
    entries = feed(*((EmployeeId(str(one)), at) for one, at in changes.items()), ahead=skew)
    report = joined(entries, events, None, SINCE)
    assert report.looked_at == report.delivered + len(report.late) + len(report.missing) == len(changes)
    assert {int(one.employee) for one in report.missing} == changes.keys() & lost
    late = {one for one in changes.keys() - lost if delays[one - 1] > LATE.total_seconds()}
    assert {int(one.employee) for one in report.late} == late
    assert report.duplicates == sum(copies[one - 1] - 1 for one in changes.keys() - lost)


def test_a_notice_of_an_earlier_change_tells_nothing_of_a_later_one() -> None:
    report = joined(feed((ADA, 10)), [heard(ADA, of=9, at=20), heard(BEA, of=11, at=12)], None, SINCE)
    assert [one.employee for one in report.missing] == [ADA]


@pytest.mark.parametrize(
    ("event", "fetched"),
    [
        (heard(ADA, of=30, at=31, kind="poll", digest=None), second(31)),
        (heard(ADA, of=None, at=12, kind="operator", digest=None), second(12)),
        (heard(ADA, of=9, at=31, kind="poll", digest=None), None),
    ],
    ids=["by a poll", "by an operator", "by a poll that came before"],
)
def test_what_is_missing_says_when_it_was_fetched(event: Heard, fetched: datetime | None) -> None:
    (missing,) = joined(feed((ADA, 10)), [event], None, SINCE).missing
    assert missing.fetched_at == fetched


def test_a_notice_that_was_set_aside_and_redriven_was_told() -> None:
    report = joined(feed((ADA, 10)), [heard(ADA, of=10, at=11, kind="redrive")], None, SINCE)
    assert report.delivered == 1


def test_a_notice_without_a_time_tells_of_what_changed_before_it_came() -> None:
    assert joined(feed((ADA, 10)), [heard(ADA, of=None, at=12)], None, SINCE).delivered == 1
    assert joined(feed((ADA, 10)), [heard(ADA, of=None, at=9)], None, SINCE).missing


def line(*employees: EmployeeId, at: float | None, accepted: bool) -> Delivery:
    moment = None if at is None else second(at)
    return Delivery(employees, moment, moment if accepted else None, accepted)


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (None, "unknown"),
        (DeliveryLog(()), "not sent"),
        (DeliveryLog((line(ADA, at=5, accepted=True),)), "not sent"),
        (DeliveryLog((line(BEA, at=15, accepted=True),)), "not sent"),
        (DeliveryLog((line(BEA, at=15, accepted=True),), full=True), "before the log"),
        (DeliveryLog((line(BEA, at=5, accepted=True),), full=True), "not sent"),
        (DeliveryLog((line(BEA, at=None, accepted=False),), full=True), "before the log"),
        (DeliveryLog((line(ADA, at=15, accepted=False),)), "failed"),
        (DeliveryLog((line(ADA, at=None, accepted=False),)), "failed"),
        (DeliveryLog((line(ADA, at=15, accepted=False), line(BEA, ADA, at=10, accepted=True))), "accepted"),
    ],
)
def test_what_became_of_a_notice(log: DeliveryLog | None, told: str) -> None:
    assert fate(ADA, second(10), log) == told


@given(oldest=seconds, at=seconds, full=st.booleans())
def test_the_log_reaches_back_to_its_oldest_line_and_for_ever_where_it_is_not_full(
    oldest: int, at: int, full: bool
) -> None:
    log = DeliveryLog((line(ADA, at=3000, accepted=True), line(BEA, at=oldest, accepted=False)), full)
    assert log.reaches(second(at)) == (not full or oldest <= at)


@given(logs=st.lists(st.tuples(st.none() | seconds, st.booleans()), min_size=1, max_size=3), at=seconds)
def test_the_logs_of_several_webhooks_reach_back_as_far_as_each_of_them_does(
    logs: list[tuple[int | None, bool]], at: int
) -> None:
    parts = [
        DeliveryLog((line(ADA, at=3000, accepted=True), line(BEA, at=oldest, accepted=True)) if oldest else (), full)
        for oldest, full in logs
    ]
    assert DeliveryLog.of_several(parts).reaches(second(at)) == all(part.reaches(second(at)) for part in parts)


@given(at=seconds, came=seconds, skew=st.integers(-300, 300))
def test_a_delivery_that_bamboohr_calls_accepted_is_on_our_log_or_named(at: int, came: int, skew: int) -> None:
    log = DeliveryLog((line(ADA, at=at, accepted=True), line(BEA, at=at, accepted=False)))
    report = joined(feed(ahead=skew), [heard(ADA, of=at, at=came + skew)], log, SINCE)
    assert bool(report.unheard) == (abs(came - at) > NEAR.total_seconds())


def test_deliveries_before_the_span_of_the_report_are_not_looked_at() -> None:
    log = DeliveryLog((Delivery((ADA,), SINCE, SINCE, accepted=True),))
    assert joined(feed(), [], log, SINCE).unheard == ()
