"""What the change feed says against what was heard: nobody is passed over, and nobody is read for ever."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream.core.changes import DOUBT, OVERLAP, RESOLUTION, Changed, Feed, missed, reached
from stream.core.debt import Debt
from stream.core.rows import Person
from stream.records import EmployeeId
from stream.settings import Settings
from tests.fake_clock import START

ADA = EmployeeId("42")


def second(number: float) -> datetime:
    return START + timedelta(seconds=number)


def shown(moment: float) -> datetime:
    """As the feed and the notices write it: in whole seconds."""
    return second(moment // 1)


moments = st.floats(0, 60)


@given(
    changes=st.lists(moments, min_size=1, max_size=6).map(sorted),
    told=st.lists(st.booleans(), min_size=6, max_size=6),
    delay=st.floats(0, 30),
    reading=st.floats(0, 30),
    skew=st.floats(-300, 300),
)
@example(changes=[10.1, 10.9], told=[True, False, False, False, False, False], delay=0.0, reading=0.0, skew=0.0)
def test_a_change_that_was_not_read_is_always_missed(
    changes: list[float], told: list[bool], delay: float, reading: float, skew: float
) -> None:
    """Some changes are told by a notice, after which the person is read. skew: how far our clock is ahead."""
    notices = [moment for moment, heard in zip(changes, told, strict=False) if heard]
    read = max((moment + delay + reading for moment in notices), default=None)
    person = Person(
        heard_of=max((shown(moment) for moment in notices), default=None),
        read_at=None if read is None else second(read + skew),
    )
    told_at = shown(120)
    feed = Feed((Changed(ADA, "Updated", shown(changes[-1])),), told_at, ahead=timedelta(seconds=skew))
    found = missed(feed, lambda _: person)
    if read is None or read < changes[-1]:
        assert found
    if notices and notices[-1] == changes[-1] and read is not None:
        late = shown(changes[-1]) + RESOLUTION + DOUBT
        assert bool(found) == (second(read) < late) or abs((second(read) - late).total_seconds()) < 0.001


@pytest.mark.parametrize(
    ("heard_of", "read_at", "why"),
    [
        (None, None, "not told"),
        (-1, 100, "told of earlier ones"),
        (0, 2.9, "read in that moment"),
        (0, None, "read in that moment"),
        (0, 3, None),
        (1, None, None),
    ],
)
def test_why_somebody_is_read_again(heard_of: int | None, read_at: float | None, why: str | None) -> None:
    person = Person(
        heard_of=None if heard_of is None else second(heard_of),
        read_at=None if read_at is None else second(read_at),
        debt=Debt(wanted=3, settled=3),
    )
    found = missed(Feed((Changed(ADA, "Updated", START),), second(9)), lambda _: person)
    assert [change.why for change in found] == ([] if why is None else [why])


def test_somebody_of_whom_nothing_is_known_and_a_change_without_a_time_are_missed() -> None:
    feed = Feed((Changed(ADA, "Inserted", START), Changed(EmployeeId("43"), "", None)), second(9))
    assert [change.why for change in missed(feed, lambda _: None)] == ["not told", "no time given"]


@given(cursor=moments, changes=st.lists(st.none() | st.floats(-100, 10_000), max_size=5), told=moments)
def test_the_feed_is_never_taken_as_read_beyond_its_answer_nor_backwards(
    cursor: float, changes: list[float | None], told: float
) -> None:
    entries = tuple(
        Changed(EmployeeId(str(number)), "Updated", None if at is None else second(at))
        for number, at in enumerate(changes, 1)
    )
    moved = reached(second(cursor), Feed(entries, second(told)))
    assert moved >= second(cursor)
    assert moved <= max(second(cursor), second(told))


@given(cursor=moments)
def test_an_empty_feed_moves_nothing(cursor: float) -> None:
    assert reached(second(cursor), Feed((), second(10_000))) == second(cursor)


def test_the_overlap_is_longer_than_clocks_may_differ_without_a_warning() -> None:
    assert timedelta(seconds=Settings().clock_tolerance) < OVERLAP
