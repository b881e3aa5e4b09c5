"""What a backlog will take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.core.forecast import Forecast, Limits, forecast

HUNDRED = Limits(per_minute=100)
EVENING = Limits(per_minute=100, left_today=300, per_day=1000, reserve=100, day_ends_in=60.0)


@pytest.mark.parametrize(
    ("live", "backfill", "limits", "expected"),
    [
        (0, 0, HUNDRED, Forecast(0, 0.0, None)),
        (10, 1000, HUNDRED, Forecast(2020, 20.2, None)),
        (0, 100, EVENING, Forecast(200, 2.0, 300)),
        (150, 0, EVENING, Forecast(300, 3.0, 300)),
        (0, 101, EVENING, Forecast(202, 60.0, 300)),
        (150, 50, EVENING, Forecast(400, 61.0, 300)),
        (0, 100 + 450 + 50, EVENING, Forecast(1200, 60 + 1440 + 1.0, 300)),
        (5, 0, Limits(per_minute=100, closed_for=58.0), Forecast(10, 58.1, None)),
    ],
)
def test_a_backlog_takes_as_long_as_the_minute_and_the_day_allow(
    live: int, backfill: int, limits: Limits, expected: Forecast
) -> None:
    assert forecast(live, backfill, limits) == expected


@given(
    st.integers(0, 5000),
    st.integers(0, 5000),
    st.builds(
        Limits,
        st.integers(1, 1000),
        st.none() | st.integers(0, 20_000),
        st.none() | st.integers(0, 20_000),
        st.integers(0, 3000),
        st.floats(0, 1440),
        st.floats(0, 60),
    ),
)
def test_more_people_never_take_less(live: int, backfill: int, limits: Limits) -> None:
    found = forecast(live, backfill, limits)
    assert found.minutes >= round(found.calls_needed / limits.per_minute, 1)
    assert forecast(live + 1, backfill, limits).minutes >= found.minutes
    assert forecast(live, backfill + 1, limits).minutes >= found.minutes
