"""What the lane begins, when it waits, what it says, and how it ends. In virtual time, with work that only counts."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Literal

import pytest
from structlog.testing import capture_logs

from stream.core.day import Day
from stream.core.rows import Suspension
from stream.due import BACKFILL, JOINER, RISE_S
from stream.errors import AnswerLost, CredentialsRefused, LogUnavailable, RateLimited, RecordRefused, Unavailable
from stream.fence import Fence
from stream.flood import FloodPolicy
from stream.lane import Lane, LaneClosed, LanePolicy, Owed, Paid, Waiting
from stream.pace import Pace
from stream.quota import KeptForLive, Quota, QuotaLedger
from stream.records import LaneOutcome
from stream.telemetry import REGISTRY
from stream.trouble import RetryPolicy
from tests.fake_clock import START
from tests.small_world import ACME, OUTCOMES, at
from tests.virtual_time import VirtualTime, run

HOUR_S = 3600.0

Pay = Callable[[str], Coroutine[Any, Any, None]]


class Desk:
    """A lane, its rows (key -> priority while owed), and what it said and did. It folds what it appends at once."""

    def __init__(
        self,
        loop: VirtualTime,
        pay: Pay | None = None,
        *,
        folds: bool = True,
        in_flight: int = 5,
        quota: Quota | None = None,
        day: Day | None = None,
        vendor: Literal["accepted", "refused", "not asked"] = "accepted",
        suspended: Suspension | None = None,
    ) -> None:
        self.loop = loop
        self.fence = Fence(loop, session_timeout=8.0, call_deadline=5.0)
        self.owed: dict[str, int] = {}
        self.folded: dict[str, int] = {}
        self.folds = folds
        self.begun: list[tuple[str, float]] = []
        self.paid: dict[str, float] = {}
        self.given_up: list[str] = []
        self.said: list[LaneOutcome] = []
        self.errors: list[BaseException] = []
        self.vendor = vendor
        self.offset = 0
        self.do = pay or self._done
        self.lane = Lane(
            ACME,
            "zoho",
            ledger=QuotaLedger(quota or Quota(per_minute=6000, in_flight=in_flight), loop, day=day),
            fence=self.fence,
            token_pace=Pace(loop, 0.2),
            clock=loop,
            append=self.append,
            crashed=self.errors.append,
            policy=LanePolicy(),
            suspended=suspended,
        )

    async def append(self, outcome: LaneOutcome) -> None:
        self.said.append(outcome)

    async def _done(self, key: str) -> None:
        await asyncio.sleep(0.2)

    def look(self, key: str) -> Owed | None:
        return Owed(key in self.owed, self.owed.get(key, 0), {OUTCOMES: self.folded.get(key, -1)})

    async def pay(self, key: str, *, last: bool = False) -> Paid | None:
        self.begun.append((key, self.loop.monotonic()))
        if key not in self.owed:
            return None
        silent = False
        try:
            await self.do(key)
        except Unavailable:
            if not last:
                raise
            self.given_up.append(key)
            silent = True
        self.offset += 1
        self.paid[key] = self.loop.monotonic()
        if self.folds:
            self.loop.call_soon(self.fold, key, self.offset)
        return Paid(at(OUTCOMES, self.offset), "silent" if silent else self.vendor)

    def fold(self, key: str, offset: int) -> None:
        self.folded[key] = offset
        self.owed.pop(key, None)
        self.lane.notice(key)

    def owe(self, *keys: str, priority: int = 1) -> None:
        for key in keys:
            self.owed[key] = priority
            self.lane.notice(key)

    async def until_idle(self) -> None:
        async with asyncio.timeout(10_000.0):
            while not self.lane.idle:
                await asyncio.sleep(0.05)

    @property
    def keys(self) -> list[str]:
        return [key for key, _ in self.begun]

    @property
    def states(self) -> list[tuple[str, str | None]]:
        return [(outcome.state, outcome.reason) for outcome in self.said]


def played(scene: Callable[[Desk], Coroutine[Any, Any, None]], **desk: Any) -> Desk:
    """Play the scene with an open lane, close it, and return what was seen."""
    loop = VirtualTime()

    async def main() -> Desk:
        found = Desk(loop, **desk)
        found.lane.open(found)
        await scene(found)
        await found.lane.close()
        return found

    return run(main(), loop)


def failing(*errors: Exception | None) -> Pay:
    """The first payments end so."""
    coming = iter(errors)

    async def pay(key: str) -> None:
        await asyncio.sleep(0.2)
        if (error := next(coming, None)) is not None:
            raise error

    return pay


# -- what it begins ----------------------------------------------------------------------------------------------------


def test_the_most_urgent_debt_is_paid_first_and_then_the_oldest() -> None:
    async def scene(desk: Desk) -> None:
        desk.owe("first load", priority=3)
        desk.owe("edit", priority=2)
        desk.owe("joiner", priority=1)
        desk.owe("leaver", priority=0)
        desk.owe("joiner 2", priority=1)
        await desk.until_idle()

    assert played(scene, in_flight=1).keys == ["leaver", "joiner", "joiner 2", "edit", "first load"]


def test_no_more_payments_at_once_than_calls_in_flight() -> None:
    now = most = 0

    async def pay(key: str) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(1.0)
        now -= 1

    async def scene(desk: Desk) -> None:
        desk.owe(*map(str, range(12)))
        await desk.until_idle()

    assert len(played(scene, pay=pay).keys) == 12
    assert most == 5


def test_a_key_is_not_paid_again_before_what_was_said_of_it_is_folded() -> None:
    async def scene(desk: Desk) -> None:
        desk.owe("a")
        await asyncio.sleep(5.0)
        desk.lane.notice("a")
        await asyncio.sleep(5.0)
        assert desk.keys == ["a"]
        assert not desk.lane.idle
        desk.folded["a"] = desk.offset
        desk.lane.notice("a")
        await asyncio.sleep(5.0)
        assert desk.keys == ["a", "a"]

    played(scene, folds=False)


def test_a_key_that_becomes_owed_while_it_is_paid_is_paid_again() -> None:
    async def scene(desk: Desk) -> None:
        desk.owe("a")
        await asyncio.sleep(0.3)
        desk.owe("a")
        await desk.until_idle()
        assert desk.keys == ["a", "a"]

    played(scene)


def test_no_more_is_begun_while_fifty_records_are_unfolded() -> None:
    async def scene(desk: Desk) -> None:
        desk.owe(*map(str, range(80)))
        await asyncio.sleep(60.0)
        begun = len(desk.begun)
        assert LanePolicy().unfolded <= begun < LanePolicy().unfolded + 5
        for key in desk.keys[:10]:
            desk.fold(key, 10_000)
        await asyncio.sleep(60.0)
        assert begun < len(desk.begun) <= begun + 10

    played(scene, folds=False)


def test_a_key_that_waits_for_something_else_is_tried_again_when_it_said() -> None:
    async def scene(desk: Desk) -> None:
        desk.owe("a")
        await desk.until_idle()

    desk = played(scene, pay=failing(Waiting("not yet", retry_after=40.0)))
    (_, first), (_, second) = desk.begun
    assert second - first == pytest.approx(40.2, abs=0.1)
    assert desk.said == []


def test_trouble_of_one_key_delays_no_other_key() -> None:
    async def pay(key: str) -> None:
        await asyncio.sleep(0.1)
        if key == "lost" and desk_of[0].loop.monotonic() < 100.0:
            raise AnswerLost("lost")

    desk_of: list[Desk] = []

    async def scene(desk: Desk) -> None:
        desk_of.append(desk)
        desk.owe("lost", *map(str, range(20)))
        await asyncio.sleep(2.0)
        assert desk.owed == {"lost": 1}
        await desk.until_idle()

    desk = played(scene, pay=pay)
    assert desk.said == []
    moments = [moment for key, moment in desk.begun if key == "lost"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert gaps[0] < 1.0
    assert max(gaps) > 4 * gaps[0]


# -- the day's calls ---------------------------------------------------------------------------------------------------


def test_while_the_rest_of_the_day_is_kept_for_live_changes_a_backfill_waits_and_nobody_else() -> None:
    async def call(key: str) -> None:
        async with desk_of[0].lane.admit("read", False):
            await asyncio.sleep(0.1)

    desk_of: list[Desk] = []

    async def scene(desk: Desk) -> None:
        desk_of.append(desk)
        beating = asyncio.create_task(beat(desk))
        desk.owe(*map(str, range(95)), priority=BACKFILL)
        await asyncio.sleep(60.0)
        assert len(desk.owed) == 5
        assert not desk.lane.at_work
        desk.owe("edit", "joiner", priority=JOINER)
        await asyncio.sleep(10.0)
        assert len(desk.owed) == 5
        assert desk.lane.suspended is None
        await asyncio.sleep(600.0)
        assert desk.owed == {}
        beating.cancel()

    async def beat(desk: Desk) -> None:
        while True:
            desk.fence.accepted(desk.loop.monotonic())
            await asyncio.sleep(0.5)

    day = Day(ends=START + timedelta(seconds=600))
    desk = played(scene, pay=call, quota=Quota(per_minute=6000, in_flight=1, per_day=100), day=day)
    assert desk.said == []


def test_a_debt_that_becomes_urgent_may_use_what_is_kept() -> None:
    async def scene(desk: Desk) -> None:
        desk.owe("a", priority=BACKFILL)
        await asyncio.sleep(60.0)
        assert desk.keys == []
        desk.owe("a", priority=JOINER)
        await asyncio.sleep(1.0)
        assert desk.keys == ["a"]

    played(scene, quota=Quota(per_minute=6000, in_flight=1, per_day=100), day=Day(95, ends=START + timedelta(days=1)))


def test_who_reads_for_everybody_lets_what_is_due_go_first_and_uses_nothing_that_is_kept() -> None:
    seen: list[str] = []

    async def call(key: str) -> None:
        async with desk_of[0].lane.admit("update", False):
            await asyncio.sleep(0.2)
            seen.append(key)

    async def read(desk: Desk, pages: int) -> None:
        with desk.lane.in_bulk():
            for _ in range(pages):
                async with desk.lane.admit("listed", False):
                    await asyncio.sleep(0.2)
                    seen.append("page")

    async def scene(desk: Desk) -> None:
        desk_of.append(desk)
        desk.fence.accepted(float("inf"))
        await asyncio.sleep(1.0)
        reading = asyncio.create_task(read(desk, 2))
        await asyncio.sleep(0.1)
        desk.owe(*map(str, range(6)), priority=JOINER)
        desk.owe("first load", priority=BACKFILL)
        await reading
        await desk.until_idle()
        assert seen[0] == "page"
        assert seen.index("page", 1) > max(seen.index(str(one)) for one in range(5)), "what is due goes first"

    desk_of: list[Desk] = []
    played(scene, pay=call, quota=Quota(per_minute=6000, in_flight=2))

    async def kept(desk: Desk) -> None:
        desk.fence.accepted(float("inf"))
        with pytest.raises(KeptForLive), desk.lane.in_bulk():
            async with desk.lane.admit("listed", False):
                raise AssertionError("sent")
        async with desk.lane.admit("contact", False):
            pass

    day = Day(95, ends=START + timedelta(days=1))
    played(kept, quota=Quota(per_minute=6000, in_flight=1, per_day=100), day=day)


def test_who_reads_for_everybody_waits_for_what_is_due_no_longer_than_a_debt_waits_to_rise() -> None:
    async def scene(desk: Desk) -> None:
        desk.fence.accepted(float("inf"))
        desk.owe(*map(str, range(5000)), priority=JOINER)
        began = desk.loop.monotonic()
        with desk.lane.in_bulk():
            async with desk.lane.admit("listed", False):
                assert RISE_S <= desk.loop.monotonic() - began < RISE_S + 60

    played(scene, pay=failing(*[None] * 5000), in_flight=1, quota=Quota(per_minute=60, in_flight=1))


# -- trouble of the whole connection -----------------------------------------------------------------------------------


def test_a_lane_in_trouble_pauses_and_then_probes_with_one_key() -> None:
    async def scene(desk: Desk) -> None:
        desk.owe(*map(str, range(10)))
        await desk.until_idle()

    desk = played(scene, pay=failing(*[Unavailable("down", retry_after=20.0)] * 6))
    moments = [moment for _, moment in desk.begun]
    assert moments[4] < 1.0
    assert moments[5] >= 20.0
    assert moments[6] - moments[5] >= 20.0
    assert desk.lane.suspended is None


def test_calls_that_fail_together_are_one_failure() -> None:
    async def scene(desk: Desk) -> None:
        desk.owe(*map(str, range(5)))
        await desk.until_idle()

    assert played(scene, pay=failing(*[Unavailable("down")] * 5)).said == []


def test_trouble_that_lasts_is_said_once_and_so_is_its_end() -> None:
    async def scene(desk: Desk) -> None:
        desk.owe(*map(str, range(5)))
        await desk.until_idle()

    desk = played(scene, pay=failing(*[Unavailable("down")] * 12))
    assert desk.states == [("suspended", "down"), ("resumed", None)]


def test_a_debt_that_is_no_longer_owed_is_no_sign_that_the_connection_works() -> None:
    async def scene(desk: Desk) -> None:
        desk.owe("a", "b")
        await asyncio.sleep(1.0)
        desk.owed.clear()
        await asyncio.sleep(40.0)
        assert len(desk.keys) > 1
        assert desk.lane.suspended == "connect again"

    desk = played(scene, pay=failing(CredentialsRefused("connect again")), in_flight=1)
    assert desk.states == [("suspended", "connect again")]


def test_refused_credentials_suspend_the_lane_at_once_and_it_probes() -> None:
    refused = CredentialsRefused("connect again")

    async def scene(desk: Desk) -> None:
        desk.owe("a", "b", "c")
        await asyncio.sleep(1.0)
        assert desk.lane.suspended == "connect again"
        await desk.until_idle()

    desk = played(scene, pay=failing(*[refused] * 5), in_flight=1)
    assert desk.states == [("suspended", "connect again"), ("resumed", None)]
    moments = [moment for _, moment in desk.begun]
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments[:6])]
    assert all(gap >= RetryPolicy().probe_every for gap in gaps)


def test_a_debt_that_is_paid_without_asking_is_no_sign_that_the_connection_works() -> None:
    async def scene(desk: Desk) -> None:
        desk.owe("a", "b", "c")
        await asyncio.sleep(100.0)
        assert desk.owed == {}
        assert desk.lane.suspended == "connect again"

    desk = played(scene, pay=failing(CredentialsRefused("connect again")), vendor="not asked", in_flight=1)
    assert desk.states == [("suspended", "connect again")]


def test_a_record_that_is_refused_shows_that_the_connection_works() -> None:
    async def scene(desk: Desk) -> None:
        desk.owe("a", "b", "c")
        await desk.until_idle()

    desk = played(scene, pay=failing(CredentialsRefused("connect again")), vendor="refused", in_flight=1)
    assert desk.states == [("suspended", "connect again"), ("resumed", None)]


def test_a_lane_that_a_former_owner_left_suspended_probes_and_says_when_it_goes_on() -> None:
    async def scene(desk: Desk) -> None:
        assert desk.lane.suspended == "connect again"
        assert gauge() == 1
        desk.owe(*map(str, range(10)))
        await asyncio.sleep(0.1)
        assert len(desk.begun) == 1
        await desk.until_idle()
        assert gauge() == 0

    def gauge() -> float | None:
        return REGISTRY.get_sample_value("rosterbook_lane_suspended", {"connection": ACME, "api": "zoho"})

    desk = played(scene, suspended=Suspension(reason="connect again", since=START))
    assert desk.states == [("resumed", None)]


def test_a_key_that_was_tried_before_keeps_its_age_and_one_that_probed_goes_behind() -> None:
    async def scene(desk: Desk) -> None:
        desk.owe("first")
        await asyncio.sleep(0.05)
        desk.owe(*map(str, range(200)))
        await desk.until_idle()

    for error, begun_before in ((AnswerLost("lost"), 20), (Unavailable("down"), 200)):
        desk = played(scene, pay=failing(error), in_flight=1)
        assert desk.keys[0] == "first"
        again = desk.keys.index("first", 1)
        assert again <= begun_before if isinstance(error, AnswerLost) else again == begun_before + 1


def test_a_limit_that_lasts_an_hour_is_said_and_nothing_is_asked_before() -> None:
    async def scene(desk: Desk) -> None:
        desk.owe("a", "b")
        await desk.until_idle()

    desk = played(scene, pay=failing(RateLimited("blocked", retry_after=3600.0)), in_flight=1)
    assert desk.states == [("suspended", "blocked"), ("resumed", None)]
    assert [moment < 3600.0 for _, moment in desk.begun] == [True, False, False]


def test_the_log_being_away_or_a_bug_is_told_to_the_worker() -> None:
    async def scene(desk: Desk) -> None:
        desk.owe("a", "b")
        await asyncio.sleep(1.0)

    away, bug = LogUnavailable("away"), ZeroDivisionError()
    assert played(scene, pay=failing(away, bug)).errors[:2] == [away, bug]


# -- one key that the vendor never answers about -----------------------------------------------------------------------


# All time here is virtual: a sleep takes none, and lets the lane's own clock go on by so much.


def never_about(*keys: str) -> Pay:
    async def pay(key: str) -> None:
        await asyncio.sleep(0.2)
        if key in keys:
            raise Unavailable("no usable answer", status=500)

    return pay


@pytest.mark.parametrize("every", [2.0, 10.0, 200.0])
def test_one_key_without_an_answer_holds_no_other_key_up_and_is_given_up(every: float) -> None:
    waited: list[float] = []

    async def scene(desk: Desk) -> None:
        desk.owe("sick")
        for number in range(2500):
            owed = desk.loop.monotonic()
            desk.owe(f"healthy {number}")
            await asyncio.sleep(every)
            if (paid := desk.paid.get(f"healthy {number}")) is not None:
                waited.append(paid - owed)
            if desk.given_up:
                break
        await desk.until_idle()

    desk = played(scene, pay=never_about("sick"))
    assert desk.given_up == ["sick"]
    assert desk.keys.count("sick") > RetryPolicy().failures_to_give_up
    assert desk.paid["sick"] > 20 * 60
    assert len(waited) >= RetryPolicy().failures_to_give_up - 1
    assert max(waited) < 2.0
    assert desk.lane.suspended is None
    assert desk.owed == {}


def test_an_outage_of_hours_gives_nobody_up_however_often_it_is_interrupted() -> None:
    async def scene(desk: Desk) -> None:
        number = 0
        while desk.loop.monotonic() < 12 * HOUR_S:
            desk.owe(f"{number}")
            number += 1
            await asyncio.sleep(30.0)
        await desk.until_idle()

    async def down(key: str) -> None:
        await asyncio.sleep(0.2)
        now = desk_of[0].loop.monotonic()
        if now < 12 * HOUR_S and now % HOUR_S > 30.0:
            raise Unavailable("down")

    async def noted(desk: Desk) -> None:
        desk_of.append(desk)
        await scene(desk)

    desk_of: list[Desk] = []
    desk = played(noted, pay=down)
    assert desk.given_up == []
    assert desk.owed == {}
    assert len(desk.begun) < 2 * 12 * 60 + 2 * len(desk.paid), "the lane pauses for all of them"
    assert ("suspended", "down") in desk.states


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_calls_that_fail_by_chance_give_nobody_up(share: float) -> None:
    chance = random.Random(1)

    async def pay(key: str) -> None:
        await asyncio.sleep(0.2)
        if chance.random() < share:
            raise Unavailable("down")

    async def scene(desk: Desk) -> None:
        desk.owe(*map(str, range(100)))
        await desk.until_idle()

    desk = played(scene, pay=pay)
    assert (desk.given_up, desk.owed) == ([], {})


def test_a_key_is_not_given_up_while_it_is_not_known_that_the_vendor_answers_at_all() -> None:
    async def scene(desk: Desk) -> None:
        desk.owe("sick")
        await asyncio.sleep(12 * HOUR_S)
        assert desk.given_up == []
        assert desk.lane.suspended == "no usable answer"
        desk.owe("healthy")
        await asyncio.sleep(2.0)
        assert "healthy" in desk.paid, "it need not wait as long as the other one does"

    desk = played(scene, pay=never_about("sick"))
    assert desk.given_up == []


def test_the_log_names_the_key_that_failed() -> None:
    async def scene(desk: Desk) -> None:
        desk.owe("42")
        await desk.until_idle()

    with capture_logs() as said:
        played(scene, pay=failing(Unavailable("down", status=500)))
    (failed,) = [line for line in said if line["event"] == "lane.call_failed"]
    assert (failed["key"], failed["status"]) == ("42", 500)


# -- too many records that fail for good -------------------------------------------------------------------------------


def test_a_flood_of_refused_records_stops_the_lane_which_probes_and_goes_on_with_the_first_success() -> None:
    desk_of: list[Desk] = []
    parked: list[str] = []

    async def pay(key: str) -> None:
        await asyncio.sleep(0.1)
        desk = desk_of[0]
        desk.vendor = "refused" if desk.loop.monotonic() < 300.0 else "accepted"
        if desk.vendor == "refused":
            desk.lane.guard.refused(RecordRefused("Fill in the field."))
            parked.append(key)

    async def scene(desk: Desk) -> None:
        desk_of.append(desk)
        desk.owe(*map(str, range(60)))
        await asyncio.sleep(299.0)
        assert len(parked) == FloodPolicy().run
        assert len(desk.owed) == 60 - FloodPolicy().run
        probes = [(key, moment) for key, moment in desk.begun if moment > 20.0]
        assert [later - earlier >= RetryPolicy().probe_every for (_, earlier), (_, later) in itertools.pairwise(probes)]
        assert len({key for key, _ in probes}) == len(probes), "each probe is another record"
        assert 7 <= len(probes) <= 10
        await desk.until_idle()

    desk = played(scene, pay=pay)
    assert desk.owed == {}
    assert len(parked) == FloodPolicy().run
    assert [state for state, _ in desk.states] == ["suspended", "resumed"]
    assert [outcome.flood for outcome in desk.said] == [True, False]
    reason = desk.said[0].reason or ""
    assert "10 records in a row failed for good" in reason
    assert reason.endswith("Fill in the field.")


def test_a_flood_stays_stopped_over_a_change_of_owner() -> None:
    parked: list[str] = []
    desk_of: list[Desk] = []

    async def pay(key: str) -> None:
        desk_of[0].lane.guard.refused(RecordRefused("Fill in the field."))
        parked.append(key)

    async def scene(desk: Desk) -> None:
        desk_of.append(desk)
        desk.owe(*map(str, range(20)))
        await asyncio.sleep(100.0)
        assert desk.lane.suspended == "kept"

    desk = played(scene, pay=pay, vendor="refused", suspended=Suspension(reason="kept", since=START, flood=True))
    assert parked == []
    assert desk.said == []


def test_a_success_elsewhere_in_a_lane_that_is_stopped_by_a_flood_and_a_dead_token_ends_both() -> None:
    async def scene(desk: Desk) -> None:
        desk.owe("a", "b")
        await asyncio.sleep(1.0)
        assert desk.lane.suspended == "connect again"
        await desk.until_idle()

    desk = played(
        scene,
        pay=failing(CredentialsRefused("connect again")),
        in_flight=1,
        suspended=Suspension(reason="kept", since=START, flood=True),
    )
    assert desk.states == [("suspended", "connect again"), ("resumed", None)]
    assert [outcome.flood for outcome in desk.said] == [True, False]


# -- admission and the end ---------------------------------------------------------------------------------------------


def test_a_call_that_changes_something_waits_for_the_fence_and_a_reading_does_not() -> None:
    moments: dict[bool, float] = {}

    async def scene(desk: Desk) -> None:
        async def call(changes: bool) -> None:
            async with desk.lane.admit("call", changes):
                moments[changes] = desk.loop.monotonic()

        desk.fence.accepted(desk.loop.monotonic())
        desk.loop.call_later(4.0, lambda: desk.fence.accepted(desk.loop.monotonic()))
        await asyncio.sleep(3.0)
        await call(False)
        await call(True)

    played(scene)
    assert moments[False] < 3.1
    assert moments[True] >= 4.0


def test_token_requests_of_all_lanes_begin_one_after_the_other_and_no_lane_counts_as_at_work_while_it_waits() -> None:
    begun: list[float] = []
    at_work: list[bool] = []

    async def scene(desk: Desk) -> None:
        async def pay(key: str) -> None:
            async with desk.lane.admit_token("token", True):
                begun.append(desk.loop.monotonic())

        desk.do = pay
        desk.fence.accepted(desk.loop.monotonic() + 60.0)
        desk.owe(*"abcde")
        await asyncio.sleep(0.3)
        at_work.append(desk.lane.at_work)
        await desk.until_idle()

    played(scene)
    assert [later - earlier for earlier, later in itertools.pairwise(begun)] == pytest.approx([0.2] * 4, abs=0.001)
    assert at_work == [False]


def test_a_closed_lane_lets_no_call_through_and_begins_nothing() -> None:
    async def scene(desk: Desk) -> None:
        await desk.lane.close()
        desk.owe("a")
        await asyncio.sleep(5.0)
        with pytest.raises(LaneClosed):
            async with desk.lane.admit("call", False):
                pass

    assert played(scene).begun == []


def test_a_call_that_waits_for_the_fence_is_not_begun_once_the_lane_closes() -> None:
    sent: list[str] = []

    async def scene(desk: Desk) -> None:
        async def pay(key: str) -> None:
            async with desk.lane.admit("create", True):
                sent.append(key)

        desk.do = pay
        desk.owe("a")
        await asyncio.sleep(1.0)
        closing = asyncio.create_task(desk.lane.close())
        await asyncio.sleep(0.5)
        desk.fence.accepted(desk.loop.monotonic())
        await closing

    desk = played(scene)
    assert desk.keys == ["a"]
    assert sent == []
    assert desk.errors == []


def test_calls_in_flight_get_their_grace_and_the_rest_is_cut_off() -> None:
    ended: list[str] = []

    async def pay(key: str) -> None:
        await asyncio.sleep(2.0 if key == "short" else 60.0)
        ended.append(key)

    async def scene(desk: Desk) -> None:
        desk.owe("short", "long")
        await asyncio.sleep(0.5)
        before = desk.loop.monotonic()
        await desk.lane.close()
        assert desk.loop.monotonic() - before == pytest.approx(LanePolicy().close_grace, abs=0.1)
        await desk.lane.close()

    played(scene, pay=pay)
    assert ended == ["short"]
