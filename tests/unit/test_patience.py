"""A reading is repeated while that may help, after as long a wait as was asked for."""

from __future__ import annotations

import pytest

from stream.errors import CredentialsRefused, LogUnavailable, RateLimited, RosterbookError, Unavailable
from stream.patience import Patience
from tests.virtual_time import VirtualTime, run


class Vendor:
    def __init__(self, loop: VirtualTime, *errors: RosterbookError) -> None:
        self.loop = loop
        self.errors = list(errors)
        self.asked: list[float] = []

    async def __call__(self) -> str:
        self.asked.append(self.loop.monotonic())
        if self.errors:
            raise self.errors.pop(0)
        return "page"


def test_a_vendor_that_is_away_is_asked_again_until_it_answers() -> None:
    loop = VirtualTime()
    vendor = Vendor(loop, *[Unavailable("It is down.")] * 10, RateLimited("Slow down.", retry_after=500.0))
    assert run(Patience()(vendor), loop) == "page"
    waits = [later - earlier for earlier, later in zip(vendor.asked, vendor.asked[1:], strict=False)]
    assert waits[0] < 1.0
    assert all(30.0 <= wait <= 90.0 for wait in waits[7:10]), "a minute at the longest, more or less"
    assert waits[10] >= 500.0


def test_it_says_what_it_waits_for_as_long_as_it_does() -> None:
    loop, patience, seen = VirtualTime(), Patience(), []

    async def call() -> None:
        seen.append(patience.waits_for)
        if len(seen) < 3:
            raise Unavailable("It is down.")

    run(patience(call), loop)
    assert seen == [None, "It is down.", "It is down."]
    assert patience.waits_for is None


@pytest.mark.parametrize("error", [CredentialsRefused("Give access."), LogUnavailable("Kafka is away.")])
def test_what_no_repetition_would_help_is_told_at_once(error: RosterbookError) -> None:
    loop = VirtualTime()
    vendor = Vendor(loop, error)
    with pytest.raises(type(error)):
        run(Patience()(vendor), loop)
    assert len(vendor.asked) == 1
