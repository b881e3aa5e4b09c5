"""Answers lost, late, cut off and refused, tokens that end, and bytes in the topics that are no record."""

from __future__ import annotations

import pytest

from tests.simulation.seeds import assert_kept


@pytest.mark.parametrize("first", [2001, 2006])
def test_every_promise_is_kept(first: int) -> None:
    assert_kept(range(first, first + 5), {"vendor": 12, "outage": 1, "token": 1, "garbage": 1})
