"""When the webhook is looked at, what comes of a failure, and how the upkeep ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from agents.rounds import CLOSE_GRACE_S
from agents.upkeep import Upkeep
from stream.bamboohr.keep_webhook import CHECK_EVERY_S
from stream.errors import CredentialsRefused, LogUnavailable, RateLimited, Retriable, Unavailable
from stream.lane import LaneClosed
from stream.records import ConnectionId, WebhookRegistration
from tests.fake_clock import START
from tests.virtual_time import VirtualTime, run

KEPT = WebhookRegistration(connection=ConnectionId("acme"), mark="m")


class Keeper:
    """Each check does the next thing of a script, and then nothing."""

    def __init__(self, loop: VirtualTime, script: list[Exception | float]) -> None:
        self.kept = KEPT
        self.looked_at: Any = None
        self.reason: str | None = None
        self.busy = False
        self.checks: list[float] = []
        self.overwritten = False
        self.rotated = False
        self.needs_old_keys = False
        self._asked = False
        self._loop = loop
        self._script = script

    async def check(self) -> float:
        self.checks.append(round(self._loop.time(), 1))
        told = self._script.pop(0) if self._script else 0.0
        asked = self._asked
        if isinstance(told, Exception):
            raise told
        try:
            await asyncio.sleep(told)
        finally:
            self.busy = False
        self.rotated = asked
        self.needs_old_keys = False
        return CHECK_EVERY_S

    def rotate(self, _: datetime) -> None:
        self._asked = True

    def has_rotated(self, _: datetime) -> bool:
        return self.rotated

    def heard(self, _: WebhookRegistration) -> bool:
        return self.overwritten


def kept(
    script: list[Exception | float],
    live: Callable[[Upkeep, Keeper], Any],
    *,
    looked_at: timedelta | None = None,
    saved: timedelta = timedelta(hours=1),
) -> tuple[Keeper, list[BaseException]]:
    """An upkeep's life in virtual time. looked_at, saved: how long ago."""
    loop, crashes = VirtualTime(), list[BaseException]()
    keeper = Keeper(loop, script)

    async def main() -> None:
        keeper.looked_at = None if looked_at is None else loop.now() - looked_at
        upkeep = Upkeep(cast(Any, keeper), loop, loop.now() - saved, crashes.append)
        upkeep.open()
        await live(upkeep, keeper)
        await upkeep.close()

    run(main(), loop)
    return keeper, crashes


async def two_hours(*_: Any) -> None:
    await asyncio.sleep(7300)


def test_the_webhook_is_looked_at_at_the_start_and_every_hour() -> None:
    keeper, crashes = kept([], two_hours)
    assert keeper.checks == [0.0, 3600.0, 7200.0]
    assert crashes == []


@pytest.mark.parametrize(
    ("looked_at", "saved", "first"),
    [(60, 3600, 3600.0), (60, 30, 0.0), (400, 3600, 0.0), (-60, 3600, 0.0)],
    ids=["a moment ago", "before the settings were saved", "long ago", "by a clock that is ahead"],
)
def test_a_new_owner_looks_at_once_unless_the_former_one_just_did(looked_at: int, saved: int, first: float) -> None:
    keeper, _ = kept([], two_hours, looked_at=timedelta(seconds=looked_at), saved=timedelta(seconds=saved))
    assert keeper.checks[0] == first


def test_a_failed_check_is_made_again_ever_later_or_when_told_and_is_the_reason_until_one_succeeds() -> None:
    reasons = []

    async def live(upkeep: Upkeep, _: Keeper) -> None:
        for _minute in range(5):
            await asyncio.sleep(50)
            reasons.append(upkeep.reason)

    keeper, crashes = kept([Unavailable("down"), Unavailable("down"), RateLimited("slow", retry_after=90)], live)
    assert keeper.checks == [0.0, 5.0, 15.0, 105.0]
    assert reasons == ["slow", "slow", None, None, None]
    assert crashes == []


def test_trouble_that_a_person_must_mend_is_tried_every_five_minutes() -> None:
    keeper, _ = kept([CredentialsRefused("no"), CredentialsRefused("no")], two_hours)
    assert keeper.checks[:3] == [0.0, 300.0, 600.0]


def test_what_another_worker_wrote_is_mended_at_once() -> None:
    async def live(upkeep: Upkeep, keeper: Keeper) -> None:
        await asyncio.sleep(100)
        upkeep.heard(KEPT)
        await asyncio.sleep(100)
        keeper.overwritten = True
        upkeep.heard(KEPT)
        await asyncio.sleep(100)

    keeper, _ = kept([], live)
    assert keeper.checks == [0.0, 200.0]


@pytest.mark.parametrize(("begins", "checks"), [(0.5, 2), (100, 2)], ids=["while one looks", "at rest"])
def test_a_key_is_replaced_at_once_even_when_a_look_was_under_way(begins: float, checks: int) -> None:
    async def live(upkeep: Upkeep, keeper: Keeper) -> None:
        await asyncio.sleep(begins)
        await asyncio.wait_for(upkeep.rotate(START), 10)
        assert keeper.rotated

    keeper, _ = kept([2.0, 2.0], live)
    assert len(keeper.checks) == checks


def test_a_key_that_cannot_be_replaced_now_is_said() -> None:
    async def live(upkeep: Upkeep, keeper: Keeper) -> None:
        await asyncio.sleep(100)
        with pytest.raises(Retriable, match="down"):
            await upkeep.rotate(START)

    kept([0.0, Unavailable("down")], live)


@pytest.mark.parametrize("error", [LogUnavailable("away"), ValueError("bug")])
def test_the_log_being_away_or_a_bug_ends_the_worker(error: Exception) -> None:
    keeper, crashes = kept([error], two_hours)
    assert crashes == [error]
    assert keeper.checks == [0.0]


def test_a_lane_that_closes_ends_it_quietly() -> None:
    keeper, crashes = kept([LaneClosed("webhooks.list")], two_hours)
    assert crashes == []
    assert keeper.checks == [0.0]


@pytest.mark.parametrize(("busy", "takes", "ends"), [(False, 2, 1.0), (True, 2, 2.0), (True, 60, 1.0 + CLOSE_GRACE_S)])
def test_only_a_change_under_way_gets_its_grace_when_the_connection_goes(busy: bool, takes: float, ends: float) -> None:
    ended = []

    async def live(upkeep: Upkeep, keeper: Keeper) -> None:
        await asyncio.sleep(1)
        keeper.busy = busy
        await asyncio.wait_for(upkeep.close(), 100)
        ended.append(asyncio.get_running_loop().time())

    kept([takes, LaneClosed("webhooks.list")], live)
    assert ended == [pytest.approx(ends, abs=0.01)]


def test_what_an_older_vault_key_sealed_is_sealed_anew_at_once() -> None:
    async def live(upkeep: Upkeep, keeper: Keeper) -> None:
        await asyncio.sleep(60)
        keeper.needs_old_keys = True
        await upkeep.seal_anew()
        assert not keeper.needs_old_keys

    keeper, _ = kept([], live)
    assert keeper.checks == [0.0, 60.0]
