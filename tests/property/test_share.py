"""What is left to us of a minute, whatever answers and refusals say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.share import LONGEST_PAUSE_S, MARGIN, WINDOW_S, Share

LIMIT = 100
waits = st.sampled_from([0.0, 0.3, 5.0, 60.0, 4000.0])
steps = st.lists(
    st.tuples(
        waits,
        st.one_of(
            st.tuples(st.just("told"), st.integers(0, 10_000), st.integers(0, 200), st.integers(0, 10)),
            st.tuples(st.just("refused"), st.integers(0, LIMIT), st.none() | st.floats(0, 100)),
        ),
    ),
    max_size=30,
)


@given(steps)
def test_it_is_never_nothing_and_never_more_than_the_limit_and_a_pause_ends(happenings: list[tuple]) -> None:
    share, now = Share(LIMIT), 1000.0
    for wait, what in happenings:
        now += wait
        if what[0] == "told":
            _, made, begun, in_flight = what
            share.told(now, made, begun=begun + in_flight, answered=begun)
        else:
            assert 0.0 <= share.refused(now, what[1], what[2]) <= LONGEST_PAUSE_S
        assert 1 <= share.allowed(now) <= LIMIT


@given(st.integers(0, 60), st.integers(1, 4), st.integers(0, 4000))
def test_what_others_take_evenly_is_left_to_them_and_alone_all_is_ours(
    others: int, in_flight: int, made_before: int
) -> None:
    share = Share(LIMIT)
    for second in range(200):
        ours = second + 1
        begun, answered = ours + in_flight - 1, ours
        share.told(float(second), made_before + ours + second * others // 60, begun=begun, answered=answered)
    allowed = share.allowed(200.0)
    if others == 0:
        assert allowed == LIMIT
    elif others * WINDOW_S / 60 > in_flight + 1:
        assert abs(allowed - (LIMIT - others - MARGIN)) <= 2


@given(st.integers(10, LIMIT))
def test_in_two_hours_without_a_refusal_all_is_ours_again(ours: int) -> None:
    share = Share(LIMIT)
    share.refused(0.0, ours, 60.0)
    assert share.allowed(60.0) < LIMIT
    assert share.allowed(7200.0) == LIMIT


@given(st.integers(0, LIMIT), st.lists(st.floats(0.0, 15.0), max_size=3))
def test_refusals_of_one_minute_count_once_and_later_ones_halve_at_most(ours: int, waits: list[float]) -> None:
    share = Share(100 * LIMIT)
    now = 0.0
    share.refused(now, ours, 1.0)
    for wait in waits:
        now += wait
        share.refused(now, ours, 1.0)
    assert share.allowed(now) >= 10 * LIMIT
    share.refused(now + 61.0, ours, 1.0)
    assert 5 * LIMIT <= share.allowed(now + 61.0) < 10 * LIMIT
