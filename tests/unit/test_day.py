"""How an organization's calls of the day are counted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stream.core.day import DailyBudget, Day
from tests.fake_clock import START

HOUR = timedelta(hours=1)


def after(day: Day, calls: int) -> Day:
    for _ in range(calls):
        day = day.with_call(START)
    return day


def test_without_a_word_from_zoho_a_day_lasts_24_hours_from_its_first_call() -> None:
    day = after(Day(), 3)
    assert (day.calls, day.ends) == (3, START + 24 * HOUR)
    assert day.at(START + 23 * HOUR).calls == 3
    assert day.at(START + 24 * HOUR).calls == 0
    assert day.at(START + 50 * HOUR) == Day(0, ends=START + 72 * HOUR)


def test_what_an_answer_says_holds_for_all_programs_and_ends_with_the_organizations_day() -> None:
    day = after(Day(), 3).told(DailyBudget(limit=1000, remaining=400, reset=7200), START, in_flight=2)
    assert (day.calls, day.limit, day.ends) == (602, 1000, START + 2 * HOUR)
    assert day.left() == 398
    anew = day.at(START + 2 * HOUR)
    assert (anew.left(), anew.ends) == (1000, START + 26 * HOUR)


@pytest.mark.parametrize(
    ("limit", "given", "left"), [(None, None, None), (None, 10, 7), (5, None, 2), (5, 10, 2), (10, 5, 2), (2, None, 0)]
)
def test_what_is_left_is_of_the_lower_limit_and_never_below_nothing(
    limit: int | None, given: int | None, left: int | None
) -> None:
    assert Day(3, limit).left(given) == left


def test_used_up_means_closed_until_the_count_begins_anew() -> None:
    day = after(Day(), 3).used_up(START, 3600.0)
    assert day.closed_until == day.ends == START + HOUR
    assert day.at(START + HOUR) == Day(0, ends=START + 25 * HOUR)


def test_a_block_leaves_the_count_alone() -> None:
    day = after(Day(), 3).closed(START, 3600.0)
    assert (day.calls, day.closed_until, day.ends) == (3, START + HOUR, START + 24 * HOUR)
    assert day.at(START + HOUR).closed_until is None


@pytest.mark.parametrize(
    ("kept", "covered"),
    [
        (Day(5, 1000, START + HOUR), True),
        (Day(9, 1000, START + 1.5 * HOUR), True),
        (Day(4, 1000, START + HOUR), False),
        (Day(9, 500, START + HOUR), False),
        (Day(9, 1000, START + 9 * HOUR), False),
        (Day(9, 1000, START - HOUR), False),
        (Day(9, 1000, None), False),
        (Day(9, 1000, START + HOUR, closed_until=START + HOUR), False),
    ],
)
def test_what_is_kept_covers_a_day_if_nobody_who_reads_it_would_call_more(kept: Day, covered: bool) -> None:
    assert Day(5, 1000, START + HOUR).is_covered_by(kept, START) is covered
