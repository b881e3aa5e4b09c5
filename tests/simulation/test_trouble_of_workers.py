"""Workers killed, frozen, stopped and without their disks, and writes to the log that are lost or not confirmed."""

from __future__ import annotations

import pytest

from tests.simulation.seeds import assert_kept


@pytest.mark.parametrize("first", [1001, 1011])
def test_every_promise_is_kept(first: int) -> None:
    assert_kept(range(first, first + 10), {"kill": 5, "wipe": 3, "freeze": 6, "hold": 2, "stop": 2, "log": 3})
