"""Whatever is lost, cut off or done by others: in the end one webhook of ours is there, and we have its key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from stream.bamboohr.keep_webhook import KeepWebhook
from stream.core.mapping import FIELDS
from stream.core.webhook import EVENTS, Listed
from stream.errors import AnswerLost, NotFound, RateLimited, Retriable
from stream.records import ConnectionId, Sealed, WebhookConfiguration, WebhookOutcome, WebhookRegistration
from stream.telemetry import Masked
from tests.fake_clock import FakeClock

ACME = ConnectionId("acme")
URL = "https://books.example/webhooks/bamboohr/acme"
SETTLE_S = 60.0


@dataclass
class There:
    """A webhook at BambooHR, with the key that nobody is told again."""

    listed: Listed
    shown: WebhookConfiguration
    key: str


class Crash(Exception):
    """The worker ends here."""


@dataclass
class BambooHr:
    """Ids are given again, as the least favourable reading of the vendor has it. faults: what befalls the next changes.

    other_form: it shows what it was asked for in a form of its own.
    refused: certainly not applied. lost before, lost after: no answer. late: no answer, and applied only later.
    """

    clock: FakeClock
    webhooks: dict[str, There] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    late: list[There] = field(default_factory=list)
    other_form: bool = False
    keys: count[int] = field(default_factory=count)

    async def monitored(self) -> Mapping[str, str]:
        return {name: name for name in FIELDS}

    async def listed(self) -> list[Listed]:
        return [there.listed for there in self.webhooks.values()]

    async def shown(self, webhook: str, names: Mapping[str, str]) -> WebhookConfiguration:
        shown = self._get(webhook).shown
        return shown.model_copy(update={"url": f"{shown.url}/"}) if self.other_form else shown

    async def create(self, asked: WebhookConfiguration) -> tuple[str, str, Masked]:
        fault = self._fault()
        there = self.made(asked)
        if fault == "late":
            self.late.append(self.webhooks.pop(there.listed.id))
        self._answer(fault)
        return there.listed.id, there.listed.created, Masked(there.key)

    async def change(self, webhook: str, asked: WebhookConfiguration) -> None:
        there, fault = self._get(webhook), self._fault()
        there.shown, there.listed = asked, replace(there.listed, name=asked.name, url=asked.url)
        self._answer(fault)

    async def delete(self, webhook: str) -> None:
        self._get(webhook)
        fault = self._fault()
        del self.webhooks[webhook]
        self._answer(fault)

    def made(self, asked: WebhookConfiguration) -> There:
        number = max(map(int, self.webhooks), default=0) + 1
        listed = Listed(str(number), asked.name, asked.url, self.clock.now().isoformat(), self.clock.now().isoformat())
        there = self.webhooks[listed.id] = There(listed, asked, f"key {next(self.keys)}")
        return there

    def take_effect(self) -> None:
        for there in self.late:
            self.made(there.shown)
        self.late.clear()

    def _get(self, webhook: str) -> There:
        if webhook not in self.webhooks:
            raise NotFound("gone")
        return self.webhooks[webhook]

    def _fault(self) -> str:
        fault = self.faults.pop(0) if self.faults else "none"
        if fault == "refused":
            raise RateLimited("later")
        if fault == "lost before":
            raise AnswerLost("lost")
        return fault

    def _answer(self, fault: str) -> None:
        if fault in ("lost after", "late"):
            raise AnswerLost("lost")
        if fault == "crash":
            raise Crash


@dataclass
class Log:
    """crashes: after how many appends the worker ends, the append itself done or not."""

    registration: WebhookRegistration | None = None
    outcomes: list[WebhookOutcome] = field(default_factory=list)
    crashes: list[tuple[int, bool]] = field(default_factory=list)

    async def append(self, record: WebhookRegistration | WebhookOutcome) -> None:
        after, done = self.crashes[0] if self.crashes else (1, True)
        if self.crashes:
            self.crashes[0] = (after - 1, done)
        if after > 0 or done:
            if isinstance(record, WebhookOutcome):
                self.outcomes.append(record)
            else:
                self.registration = record
        if after <= 0:
            self.crashes.pop(0)
            raise Crash


class World:
    """One worker after the other keeps the webhook."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.bamboohr = BambooHr(self.clock)
        self.log = Log()
        self.by_us = True
        self.url = URL
        self.keeper = self.worker()

    def worker(self) -> KeepWebhook:
        return KeepWebhook(
            ACME,
            self.bamboohr,
            by_us=self.by_us,
            url=self.url,
            fields=FIELDS,
            kept=self.log.registration,
            mark="3f9a",
            append=self.log.append,
            seal=lambda key: Sealed(key="none", box=key.reveal),
            clock=self.clock,
            settle_time=SETTLE_S,
        )

    def check(self) -> float:
        """One check; a worker that ends in it is followed by another one."""
        self.clock.advance(1)
        try:
            return asyncio.run(self.keeper.check())
        except Crash:
            self.keeper = self.worker()
        except Retriable:
            pass
        return 0.0

    def settle(self) -> None:
        """No more faults, and time enough."""
        self.bamboohr.faults.clear()
        self.log.crashes.clear()
        self.check()
        self.clock.advance(SETTLE_S)
        self.check()
        self.check()

    @property
    def ours(self) -> list[There]:
        return [there for there in self.bamboohr.webhooks.values() if "Rosterbook acme 3f9a" in there.listed.name]

    @property
    def known(self) -> list[str]:
        """The keys that the gateway accepts."""
        return [one.key.box for one in self.log.registration.webhooks] if self.log.registration else []


def foreign(world: World) -> There:
    """Somebody makes a webhook by hand."""
    asked = WebhookConfiguration(name="Rosterbook", url=URL, format="json", events=EVENTS, fields=FIELDS)
    return world.bamboohr.made(asked)


FAULTS = st.lists(st.sampled_from(["none", "refused", "lost before", "lost after", "late", "crash"]), max_size=6)
CRASHES = st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=4)
ACTS = st.sampled_from(["check", "wait", "late", "rotate", "delete", "alter", "rename", "foreign", "new address"])


@given(faults=FAULTS, crashes=CRASHES, acts=st.lists(ACTS, max_size=12))
def test_in_the_end_exactly_one_of_ours_is_there_with_a_key_that_we_have_and_nobody_elses_is_touched(
    faults: list[str], crashes: list[tuple[int, bool]], acts: list[str]
) -> None:
    world = World()
    world.bamboohr.faults, world.log.crashes = faults, crashes
    theirs: list[There] = []
    for act in ["check", *acts]:
        ours = world.ours
        match act:
            case "wait":
                world.clock.advance(SETTLE_S)
            case "late":
                world.bamboohr.take_effect()
            case "rotate":
                world.keeper.rotate(world.clock.now())
            case "delete" if ours:
                del world.bamboohr.webhooks[ours[0].listed.id]
            case "alter" if ours:
                ours[0].shown = ours[0].shown.model_copy(update={"events": EVENTS[:1]})
            case "rename" if ours:
                ours[0].listed = replace(ours[0].listed, name="mine")
                ours[0].shown = ours[0].shown.model_copy(update={"name": "mine"})
            case "foreign":
                theirs.append(foreign(world))
            case "new address":
                world.url = f"https://other.example/{len(world.url)}/webhooks/bamboohr/acme"
                world.keeper = world.worker()
        world.check()
    world.bamboohr.take_effect()
    world.settle()

    (one,) = world.ours
    assert one.shown == WebhookConfiguration(
        name=one.listed.name, url=world.url, format="json", events=EVENTS, fields=tuple(sorted(FIELDS))
    )
    assert world.known[0] == one.key
    assert world.log.registration is not None
    assert not world.log.registration.pending
    assert [there for there in world.bamboohr.webhooks.values() if there in theirs] == theirs
    outcomes, made = len(world.log.outcomes), next(world.bamboohr.keys)
    world.check()
    assert len(world.log.outcomes) == outcomes, "nothing is left to do or to say"
    assert next(world.bamboohr.keys) == made + 1


@given(faults=FAULTS, crashes=CRASHES)
def test_while_one_may_be_there_whose_key_is_unknown_the_registration_says_so(
    faults: list[str], crashes: list[tuple[int, bool]]
) -> None:
    world = World()
    world.bamboohr.faults, world.log.crashes = faults, crashes
    for _ in range(8):
        world.check()
        unknown = [there.key for there in world.ours if there.key not in world.known]
        assert world.log.registration is None or world.log.registration.pending or not unknown
        world.clock.advance(20)


def test_a_creation_without_an_answer_has_its_time_to_take_effect_before_another_is_made() -> None:
    world = World()
    world.bamboohr.faults = ["late"]
    world.check()
    world.clock.advance(SETTLE_S - 10)
    wait = world.check()
    assert 0 < wait < 10
    world.bamboohr.take_effect()
    (late,) = world.ours
    assert world.log.registration is not None
    assert world.log.registration.pending, "its deliveries must not be refused for good"
    world.clock.advance(wait)
    world.check()
    (one,) = world.ours
    assert world.known == [one.key] != [late.key]


def test_a_key_is_replaced_with_both_accepted_and_the_old_one_forgotten_a_day_later() -> None:
    world = World()
    world.settle()
    (first,) = world.ours
    world.keeper.rotate(world.clock.now() + timedelta(seconds=1))
    assert not world.keeper.has_rotated(world.clock.now() + timedelta(seconds=1))
    world.check()
    (second,) = world.ours
    assert world.known == [second.key, first.key]
    assert [outcome.action for outcome in world.log.outcomes] == ["registered", "registered", "removed"]
    world.clock.advance(25 * 3600)
    world.check()
    assert world.known == [second.key]


def test_ours_is_deleted_when_a_person_keeps_one_and_nothing_is_called_after_that() -> None:
    world = World()
    world.settle()
    world.by_us = False
    world.keeper = world.worker()
    world.check()
    assert world.ours == []
    world.bamboohr.webhooks = None  # type: ignore[assignment]  # whoever calls now fails
    assert world.check() > 60


def test_a_former_owner_that_writes_late_is_written_over() -> None:
    world = World()
    world.settle()
    ours = world.log.registration
    assert ours is not None
    assert not world.keeper.heard(ours)
    late = ours.model_copy(update={"webhooks": (), "pending": True})
    world.log.registration = late
    assert world.keeper.heard(late)
    world.check()
    assert world.log.registration is not None
    assert world.known == [world.ours[0].key]


def test_what_only_a_person_can_mend_is_said_once_and_stands_as_the_reason() -> None:
    world = World()
    world.settle()
    there = foreign(world)
    for _ in range(3):
        world.check()
    assert [outcome.action for outcome in world.log.outcomes] == ["registered", "reported"]
    assert world.keeper.reason is not None
    assert f"Webhook {there.listed.id} in BambooHR calls this connection's address too" in world.keeper.reason
    world.ours[0].listed = replace(world.ours[0].listed, last_sent=None)
    world.clock.advance(4 * 86400)
    world.check()
    assert "has not been delivered once" in world.keeper.reason
    del world.bamboohr.webhooks[there.listed.id]
    world.ours[0].listed = replace(world.ours[0].listed, last_sent="now")
    world.check()
    assert world.keeper.reason is None


def test_a_form_of_its_own_in_which_bamboohr_shows_a_webhook_is_taken_for_right_after_one_change() -> None:
    world = World()
    world.bamboohr.other_form = True
    for _ in range(3):
        world.settle()
    assert [outcome.action for outcome in world.log.outcomes] == ["registered", "repaired"]
    world.ours[0].shown = world.ours[0].shown.model_copy(update={"events": EVENTS[:1]})
    world.settle()
    assert world.ours[0].shown.events == EVENTS
    assert [outcome.action for outcome in world.log.outcomes] == ["registered", "repaired", "repaired"]
