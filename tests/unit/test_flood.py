"""When the flood guard lets a record be given up, and when it keeps the rest."""

from __future__ import annotations

import pytest

from stream.errors import ConnectionTrouble, RecordRefused
from stream.flood import Flood, FloodGuard, FloodPolicy

REFUSED = RecordRefused("Fill in the field.")


def told(guard: FloodGuard, results: str) -> str:
    """x = refused, o = accepted. What became of each: x = given up, - = kept, o = accepted."""
    found = ""
    for result in results:
        if result == "o":
            guard.accepted()
            found += "o"
            continue
        try:
            guard.refused(REFUSED)
            found += "x"
        except Flood:
            found += "-"
    return found


def test_a_run_of_refusals_is_given_up_until_it_is_too_long() -> None:
    guard = FloodGuard(FloodPolicy())
    assert told(guard, "x" * 13) == "x" * 10 + "---"
    assert guard.stopped is not None
    assert "10 records in a row" in guard.stopped


def test_refusals_among_successes_are_given_up_until_they_are_more_than_half() -> None:
    guard = FloodGuard(FloodPolicy())
    assert told(guard, "xxo" * 8) == "xxoxxoxxoxxoxxoxxox-o--o"
    assert told(FloodGuard(FloodPolicy()), "xo" * 50) == "xo" * 50


def test_the_reason_says_what_happened_what_to_do_and_the_last_error_and_stays_the_same() -> None:
    guard = FloodGuard(FloodPolicy(run=2))
    told(guard, "xx")
    with pytest.raises(ConnectionTrouble) as first:
        guard.refused(REFUSED)
    with pytest.raises(ConnectionTrouble) as second:
        guard.refused(RecordRefused("Something else."))
    assert first.value.message == second.value.message
    assert first.value.message == (
        "2 records in a row failed for good, so the rest is kept and tried one at a time until one succeeds: mend what "
        "they have in common. The last one: Fill in the field."
    )


def test_a_success_ends_the_stop_and_makes_room_for_few_more_failures() -> None:
    guard = FloodGuard(FloodPolicy())
    told(guard, "x" * 11)
    assert told(guard, "o") == "o"
    assert guard.stopped is None
    assert told(guard, "o" * 4 + "x" * 20).count("x") <= 10


def test_a_stop_that_a_former_owner_left_holds_until_the_first_success() -> None:
    guard = FloodGuard(FloodPolicy(), "kept")
    assert told(guard, "xxox") == "--ox"
