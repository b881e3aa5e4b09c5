"""Whatever comes in which order: what is given up never exceeds the policy, and a lane in good health never stops."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.errors import RecordRefused
from stream.flood import Flood, FloodGuard, FloodPolicy

policies = st.builds(FloodPolicy, run=st.integers(1, 12), share=st.floats(0.1, 1.0), window=st.integers(2, 25))
results = st.lists(st.booleans(), max_size=120)


def given_up(policy: FloodPolicy, refusals: list[bool]) -> list[bool]:
    """Of the records whose end was decided, in order: whether each was given up."""
    guard = FloodGuard(policy)
    decided = []
    for refused in refusals:
        try:
            guard.refused(RecordRefused("refused")) if refused else guard.accepted()
            decided.append(refused)
        except Flood:
            assert refused
            assert guard.stopped is not None
    return decided


@given(policies, results)
def test_no_more_is_given_up_than_the_policy_says(policy: FloodPolicy, refusals: list[bool]) -> None:
    decided = given_up(policy, refusals)
    runs = "".join("x" if failed else " " for failed in decided).split()
    assert max(map(len, runs), default=0) <= policy.run
    for start in range(len(decided) - policy.window + 1):
        window = decided[start : start + policy.window]
        assert sum(window) <= policy.share * policy.window or not window[-1]


@given(results)
def test_single_failures_among_successes_never_stop_the_lane(refusals: list[bool]) -> None:
    spread = [result for refused in refusals for result in (refused, False)]
    assert given_up(FloodPolicy(), spread) == spread
