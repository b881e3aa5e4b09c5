"""All that can go wrong, at once."""

from __future__ import annotations

import pytest

from tests.simulation.script import FAULTS
from tests.simulation.seeds import assert_kept


@pytest.mark.parametrize("first", [1, 11])
def test_every_promise_is_kept(first: int) -> None:
    assert_kept(range(first, first + 10), FAULTS)
