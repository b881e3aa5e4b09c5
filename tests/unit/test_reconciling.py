"""When BambooHR is asked who has changed, who is read again for it, and what each run leaves on the log.

Time is virtual: a sleep lets so much of it pass, and costs none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, cast

import pytest

from agents.completeness import Completeness
from agents.connection_rows import ConnectionRows
from agents.drift import Differing
from agents.reconciling import BEFORE_OVERFLOW, FOLLOWED_S, Reconciler
from stream.bamboohr import poll
from stream.core import folds
from stream.core.changes import OVERLAP, Changed, Feed
from stream.core.completeness import Delivery, DeliveryLog, Heard
from stream.core.rows import Asked, Company, ContactState, Person
from stream.errors import CredentialsRefused, LogUnavailable, RateLimited, RecordRefused, RosterbookError, Unavailable
from stream.records import (
    BambooHrSettings,
    CommandOutcome,
    Connection,
    ContactKey,
    EmployeeId,
    HrEvent,
    LogPosition,
    PollOutcome,
    QuietHours,
    Reconciling,
    RepairOutcome,
    Sealed,
    ZohoSettings,
)
from stream.rereading import AT_ONCE
from tests.fake_clock import START
from tests.small_world import ACME, EMPLOYEES, HR_EVENTS, OUTCOMES, at
from tests.unit.test_folds import upsert
from tests.virtual_time import VirtualTime, run

SECRET = Sealed(key="1", box="x")
ASKED = Asked(cause=at("rosterbook.commands", 4))
QUARTER = timedelta(minutes=15)


def minutes(count: float) -> datetime:
    return START + timedelta(minutes=count)


class Owner:
    """The log, the rows and BambooHR's feed of one connection. Whoever is to be read is read at once, unless `busy`.

    differing: whose contact is another one after the reading; their contacts are right at once, unless `zoho_waits`.
    """

    def __init__(self, loop: VirtualTime, plan: Reconciling, mode: Any = "live") -> None:
        self.loop = loop
        self.company: Company | None = None
        self.people: dict[EmployeeId, Person] = {}
        self.contacts: dict[ContactKey, ContactState] = {}
        self.log: list[Any] = []
        self.since: list[datetime] = []
        self.feed: list[Changed] = []
        self.trouble: list[RosterbookError] = []
        self.trouble_at_once: list[RosterbookError] = []
        self.crashes: list[BaseException] = []
        self.differing: set[EmployeeId] = set()
        self.busy = self.zoho_waits = self.away = False
        self.slow = 0.0
        self.deliveries = DeliveryLog(())
        self.log_trouble: RosterbookError | None = None
        record = Connection(
            connection=ACME,
            mode=mode,
            bamboohr=BambooHrSettings(subdomain="acme", api_key=SECRET),
            zoho=ZohoSettings(
                region="eu", organization_id="1", client_id=SECRET, client_secret=SECRET, refresh_token=SECRET
            ),
            reconcile=plan,
            connected_at=START,
            saved_at=START,
        )
        rows = ConnectionRows(
            company=lambda: self.company,
            person=lambda employee: self.people.get(employee),
            address=lambda _: None,
            contact=lambda key: self.contacts.get(key),
            employees=lambda: iter(self.people),
            keys=lambda: iter(self.contacts),
        )
        self.reconciler = Reconciler(
            record, self, self, rows, append=self.append, clock=loop, crashed=self.crashes.append
        )

    async def changed(self, since: datetime) -> Feed:
        self.since.append(since)
        if self.trouble_at_once:
            raise self.trouble_at_once.pop(0)
        await asyncio.sleep(self.slow)
        if self.trouble:
            raise self.trouble.pop(0)
        return Feed(tuple(change for change in self.feed if change.at is None or change.at > since), self.loop.now())

    async def read(self) -> DeliveryLog:
        if self.log_trouble is not None:
            raise self.log_trouble
        return self.deliveries

    async def append(self, record: Any) -> LogPosition:
        if self.away:
            raise LogUnavailable("Kafka is away.")
        self.log.append(record)
        offset = len(self.log) - 1
        match record:
            case HrEvent():
                position = at(HR_EVENTS, offset)
                asyncio.get_running_loop().call_later(0.1, self.fold, record, position)
                return position
            case PollOutcome():
                self.company = folds.poll(self.company or Company(), record, at(OUTCOMES, offset))
        return at(OUTCOMES, offset)

    def fold(self, event: HrEvent, position: LogPosition) -> None:
        for employee in event.employees:
            self.people[employee] = folds.hear(self.people.get(employee) or Person(), event, position)
            self.reconciler.person_changed(employee)
            if not self.busy:
                asyncio.get_running_loop().call_later(1.0, self.is_read, employee)

    def is_read(self, employee: EmployeeId) -> None:
        person = self.people[employee]
        update: dict[str, Any] = {"debt": person.debt.settle(person.debt.wanted), "read_at": self.loop.now()}
        key = ContactKey(f"contact {employee}")
        if employee in self.differing:
            wish = upsert(len(self.log), title=f"At {len(self.log)}")
            contact = folds.wish(None, wish, at(EMPLOYEES, len(self.log)))
            self.contacts[key] = contact.model_copy(update={"employee": employee})
            update |= {"shown": wish.desired, "contact_key": key, "upsert": wish.cause.offset}
        self.people[employee] = person.model_copy(update=update)
        self.reconciler.person_changed(employee)
        if employee in self.differing and not self.zoho_waits:
            self.pay(key)

    def pay(self, key: ContactKey) -> None:
        contact = self.contacts[key]
        debt = contact.debt.settle(contact.debt.wanted)
        self.contacts[key] = contact.model_copy(update={"debt": debt})
        self.reconciler.contact_changed(key)

    def change(self, *employees: int, minute: float) -> None:
        self.feed += [Changed(EmployeeId(str(one)), "Updated", minutes(minute)) for one in employees]

    def of(self, kind: type[Any]) -> list[Any]:
        return [record for record in self.log if isinstance(record, kind)]

    @property
    def read_again(self) -> list[str]:
        return [employee for event in self.of(HrEvent) for employee in event.employees]


EVERY_QUARTER = Reconciling()


def lived(live: Callable[[Owner], Awaitable[Any]], *, plan: Reconciling = EVERY_QUARTER, mode: str = "live") -> Owner:
    loop = VirtualTime()

    async def main() -> Owner:
        owner = Owner(loop, plan, mode)
        owner.reconciler.open()
        await live(owner)
        await owner.reconciler.close()
        return owner

    return run(main(), loop)


async def an_hour(_: Owner) -> None:
    await asyncio.sleep(3601)


def test_the_feed_is_asked_every_quarter_of_an_hour_from_the_connection_on_with_an_overlap() -> None:
    owner = lived(an_hour)
    assert owner.since == [START - OVERLAP] * 4
    assert [record.began_at - START for record in owner.of(PollOutcome)] == pytest.approx(
        [QUARTER * number for number in (1, 2, 3, 4)], abs=timedelta(seconds=1)
    )
    assert owner.crashes == []


def test_whoever_was_missed_is_read_again_once_and_the_feed_is_asked_from_there_on() -> None:
    async def live(owner: Owner) -> None:
        owner.change(7, 8, minute=3)
        owner.differing = {EmployeeId("8")}
        await an_hour(owner)

    owner = lived(live)
    assert owner.read_again == ["7", "8"]
    (event,) = owner.of(HrEvent)
    assert (event.kind, event.types, event.occurred_at, event.insists) == ("poll", ("Updated",), minutes(3), False)
    assert owner.since[:2] == [START - OVERLAP, minutes(3) - OVERLAP]
    first, second, *_ = owner.of(PollOutcome)
    assert [(one.employee, one.why) for one in first.missed] == [("7", "not told"), ("8", "not told")]
    assert (second.looked_at, second.missed) == (2, ())
    repair, *_ = owner.of(RepairOutcome)
    assert (repair.read, repair.differed, repair.repaired, repair.unread) == (2, 1, 1, 0)
    assert repair.began_at == first.began_at


def test_how_far_the_feed_was_read_is_said_only_after_the_events_are_on_the_log() -> None:
    async def live(owner: Owner) -> None:
        owner.change(*range(1, 2 * AT_ONCE), minute=3)
        await asyncio.sleep(910)

    owner = lived(live)
    kinds = [type(record) for record in owner.log]
    assert kinds == [HrEvent, HrEvent, PollOutcome, RepairOutcome]


def test_the_parts_of_a_long_run_say_only_at_its_end_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll, "A_RECORD", 2)

    async def live(owner: Owner) -> None:
        owner.change(1, 2, 3, minute=3)
        await asyncio.sleep(901)

    first, last = lived(live).of(PollOutcome)
    assert (first.through, last.through) == (START, minutes(3))
    assert [len(part.missed) for part in (first, last)] == [2, 1]


def test_what_a_notice_told_of_is_not_read_again() -> None:
    async def live(owner: Owner) -> None:
        owner.change(7, minute=3)
        owner.people[EmployeeId("7")] = Person(heard_of=minutes(3), read_at=minutes(3.1))
        await an_hour(owner)

    assert lived(live).read_again == []


def test_a_run_is_made_up_once_after_the_worker_was_away_and_quiet_hours_are_kept() -> None:
    quiet = Reconciling(every=3600, quiet=(QuietHours(begin=10 * 60, end=12 * 60),))  # START is at 9:00 UTC

    async def live(owner: Owner) -> None:
        await owner.reconciler.close()
        await asyncio.sleep(4 * 3600)
        again = Owner(owner.loop, quiet)
        again.reconciler.open()
        await asyncio.sleep(10)
        owner.log = again.log
        await again.reconciler.close()

    assert [record.began_at for record in lived(live, plan=quiet).of(PollOutcome)] == [
        pytest.approx(minutes(240), abs=timedelta(seconds=1))
    ]
    kept = lived(lambda owner: asyncio.sleep(4 * 3600 + 10), plan=quiet)
    began = [round((record.began_at - START).total_seconds() / 60) for record in kept.of(PollOutcome)]
    assert began == [180, 240]


def test_a_new_owner_goes_on_where_the_log_says() -> None:
    async def live(owner: Owner) -> None:
        owner.change(7, minute=3)
        await asyncio.sleep(20 * 60)
        await owner.reconciler.close()
        again = Owner(owner.loop, EVERY_QUARTER)
        again.company, again.people = owner.company, owner.people
        again.reconciler.open()
        await asyncio.sleep(5 * 60)
        assert again.since == []
        await asyncio.sleep(6 * 60)
        assert again.since == [minutes(3) - OVERLAP]
        await again.reconciler.close()

    lived(live)


def test_a_run_that_is_cut_off_between_its_events_and_its_record_is_made_again_and_passes_nobody_over() -> None:
    async def live(owner: Owner) -> None:
        people = range(1, 2 * AT_ONCE)
        owner.change(*people, minute=3)
        while len(owner.of(HrEvent)) < 1:  # the second event waits until the first is folded
            await asyncio.sleep(0.01)
        await owner.reconciler.close()
        assert owner.of(PollOutcome) == []
        await asyncio.sleep(60)
        again = Owner(owner.loop, EVERY_QUARTER)
        again.people, again.feed = owner.people, owner.feed
        again.reconciler.open()
        await asyncio.sleep(20)
        assert again.since == [START - OVERLAP]
        assert {*owner.read_again, *again.read_again} == {str(one) for one in people}
        assert len(again.read_again) == len(people) - AT_ONCE, "the first ones are not read twice"
        await again.reconciler.close()

    lived(live)


def test_what_fails_is_tried_again_and_is_the_reason_until_it_works_and_moves_nothing() -> None:
    reasons = []

    async def live(owner: Owner) -> None:
        owner.change(7, minute=3)
        owner.trouble = [Unavailable("down"), CredentialsRefused("no access")]
        for wait in (902, 8, 300):
            await asyncio.sleep(wait)
            reasons.append(owner.reconciler.reason)

    owner = lived(live)
    assert reasons == ["down", "no access", None]
    assert owner.since == [START - OVERLAP] * 3
    assert owner.read_again == ["7"]


def test_the_log_away_ends_the_worker() -> None:
    async def live(owner: Owner) -> None:
        owner.away = True
        await asyncio.sleep(901)

    assert [type(error) for error in lived(live).crashes] == [LogUnavailable]


def test_an_operator_has_a_run_at_once_and_is_told_what_came_of_it() -> None:
    async def live(owner: Owner) -> None:
        owner.change(7, minute=-3)
        owner.differing = {EmployeeId("7")}
        done = await owner.reconciler.carry_out(ASKED)
        assert owner.loop.time() < 10
        assert "missed and read again: 1, differed: 1, put right: 1, waiting: 0" in done.says
        assert cast(Any, done.result["missed"])[0]["employee"] == "7"
        assert (done.result["looked_at"], done.result["repaired"]) == (1, 1)
        assert [record.by for record in owner.of(PollOutcome)] == ["operator"]
        await asyncio.sleep(900)
        assert len(owner.since) == 2  # the schedule counts from there on

    lived(live)


def test_an_operator_joins_the_run_that_is_under_way() -> None:
    async def live(owner: Owner) -> None:
        owner.slow = 5.0
        await asyncio.sleep(901)
        one, other = await asyncio.gather(owner.reconciler.carry_out(ASKED), owner.reconciler.carry_out(ASKED))
        assert one == other
        assert len(owner.since) == 1

    lived(live)


def test_a_run_without_a_schedule_is_had_by_asking() -> None:
    async def live(owner: Owner) -> None:
        await an_hour(owner)
        assert owner.since == []
        await owner.reconciler.carry_out(ASKED)

    assert len(lived(live, plan=Reconciling(every=None)).since) == 1


def test_the_operator_hears_of_what_is_still_to_be_done_and_the_run_ends_in_any_case() -> None:
    async def live(owner: Owner) -> None:
        owner.change(7, 8, minute=-3)
        owner.differing, owner.zoho_waits = {EmployeeId("7")}, True
        loop = asyncio.get_running_loop()
        loop.call_later(15, lambda: setattr(owner, "busy", True))
        owner.people[EmployeeId("8")] = Person()
        await owner.reconciler.carry_out(ASKED)
        assert owner.loop.time() == pytest.approx(FOLLOWED_S, abs=5)

    owner = lived(live)
    told = owner.of(CommandOutcome)
    assert {one.state for one in told} == {"progress"}
    assert told[0].says == "Still to be read or put right: 1."
    assert all(later.at - one.at < timedelta(seconds=60) for one, later in pairwise(told))
    (repair,) = owner.of(RepairOutcome)
    assert (repair.read, repair.differed, repair.repaired, repair.unread) == (2, 1, 0, 0)


def test_whoever_asks_while_a_run_is_under_way_hears_of_it_too() -> None:
    async def live(owner: Owner) -> None:
        owner.change(7, minute=-3)
        owner.busy = True
        run = asyncio.create_task(owner.reconciler.carry_out(ASKED))
        await asyncio.sleep(15)
        later = ASKED.model_copy(update={"cause": at("rosterbook.commands", 9)})
        owner.company = (owner.company or Company()).model_copy(update={"asked": {"reconcile": later}})
        await run

    told = lived(live).of(CommandOutcome)
    assert [one.cause.offset for one in told[:3]] == [4, 9, 9]


def test_who_cannot_be_read_in_time_is_counted() -> None:
    async def live(owner: Owner) -> None:
        owner.change(7, minute=-3)
        owner.busy = True
        done = await owner.reconciler.carry_out(ASKED)
        assert done.says.endswith("not read yet: 1.")

    (repair,) = lived(live).of(RepairOutcome)
    assert (repair.read, repair.unread) == (0, 1)


def test_a_failed_run_is_the_operators_answer() -> None:
    async def live(owner: Owner) -> None:
        owner.trouble = [CredentialsRefused("BambooHR does not tell who has changed.")]
        with pytest.raises(RosterbookError, match="does not tell who has changed"):
            await owner.reconciler.carry_out(ASKED)

    lived(live)


def test_a_run_that_fails_before_anybody_can_look_is_the_operators_answer_too_and_no_older_one() -> None:
    async def live(owner: Owner) -> None:
        await owner.reconciler.carry_out(ASKED)
        owner.trouble_at_once = [RateLimited("BambooHR's rate limit was hit.", retry_after=20.0)]
        with pytest.raises(RosterbookError, match="rate limit was hit"):
            await owner.reconciler.carry_out(ASKED)

    lived(live)


def test_while_a_connection_is_paused_nobody_is_asked() -> None:
    async def live(owner: Owner) -> None:
        await an_hour(owner)

    assert lived(live, mode="paused").since == []


def delivery(*employees: int, minute: float, accepted: bool) -> Delivery:
    moment = minutes(minute)
    return Delivery(tuple(EmployeeId(str(one)) for one in employees), moment, moment if accepted else None, accepted)


def test_a_run_says_what_became_of_the_notices_by_bamboohrs_own_log() -> None:
    async def live(owner: Owner) -> None:
        owner.change(7, 8, 9, minute=3)
        owner.deliveries = DeliveryLog((delivery(7, minute=4, accepted=False), delivery(8, minute=3, accepted=True)))
        await an_hour(owner)

    owner = lived(live)
    first, second, *_ = owner.of(PollOutcome)
    assert {one.employee: one.delivery for one in first.missed} == {"7": "failed", "8": "accepted", "9": "not sent"}
    assert (first.log.lines, first.log.whole, first.log.problem) == (2, True, None)
    assert second.log.whole


def test_a_run_says_that_the_log_does_not_reach_back_to_the_last_reading() -> None:
    async def live(owner: Owner) -> None:
        await asyncio.sleep(901)
        owner.change(7, minute=16)
        owner.deliveries = DeliveryLog((delivery(8, minute=20, accepted=True),), full=True)
        await asyncio.sleep(900)
        await asyncio.sleep(900)

    owner = lived(live)
    assert [record.log.whole for record in owner.of(PollOutcome)] == [True, False, True]
    assert [one.delivery for record in owner.of(PollOutcome) for one in record.missed] == ["before the log"]


def test_the_log_is_read_before_it_overflows_but_at_most_each_minute_and_never_where_no_run_may_be() -> None:
    async def delivered(owner: Owner, count: int) -> None:
        first = owner.reconciler._heard + 1
        for number in range(first, first + count):
            for employee in ("1", "2"):
                owner.people[EmployeeId(employee)] = Person(live=number)
                owner.reconciler.person_changed(EmployeeId(employee))
            await asyncio.sleep(0.1)

    async def live(owner: Owner) -> None:
        await delivered(owner, 3 * BEFORE_OVERFLOW)
        await asyncio.sleep(30)
        await delivered(owner, BEFORE_OVERFLOW)
        await asyncio.sleep(60)
        await delivered(owner, BEFORE_OVERFLOW - 1)
        await asyncio.sleep(60)

    def begun(plan: Reconciling) -> list[float]:
        return [(record.began_at - START).total_seconds() for record in lived(live, plan=plan).of(PollOutcome)]

    assert begun(EVERY_QUARTER) == pytest.approx([60.0, 120.0], abs=2.0)
    assert begun(Reconciling(quiet=(QuietHours(begin=9 * 60, end=12 * 60),))) == []
    assert begun(Reconciling(every=None)) == []


@pytest.mark.parametrize(
    ("trouble", "runs"),
    [(None, 1), (Unavailable("down"), 2), (CredentialsRefused("no webhooks for this key"), 1)],
)
def test_a_log_that_may_be_read_later_is_read_soon_while_it_is_about_to_overflow(
    trouble: RosterbookError | None, runs: int
) -> None:
    async def live(owner: Owner) -> None:
        owner.log_trouble = trouble
        for number in range(BEFORE_OVERFLOW):
            owner.people[EmployeeId("1")] = Person(live=number)
            owner.reconciler.person_changed(EmployeeId("1"))
        await asyncio.sleep(70)
        owner.log_trouble = None
        await asyncio.sleep(300)

    assert len(lived(live, plan=EVERY_QUARTER).of(PollOutcome)) == runs


def test_a_log_that_cannot_be_read_keeps_nobody_from_being_read_again() -> None:
    async def live(owner: Owner) -> None:
        owner.change(7, minute=3)
        owner.log_trouble = CredentialsRefused("no webhooks for this key")
        await an_hour(owner)

    owner = lived(live)
    assert owner.read_again == ["7"]
    first, *_ = owner.of(PollOutcome)
    assert (first.log.problem, first.missed[0].delivery) == ("no webhooks for this key", "unknown")
    assert owner.company is not None
    assert owner.company.polled is not None
    assert owner.company.polled.log_read_at is None
    assert owner.reconciler.reason is None


ADA_DIFFERS = {EmployeeId("11"): ("department", "notes"), EmployeeId("7"): ("contact",)}


def completeness(owner: Owner, heard_since: Any, drifted: Differing | None = None) -> Completeness:
    async def found() -> Differing:
        return drifted or {}

    async def polls(since: datetime) -> list[PollOutcome]:
        return [one for one in owner.of(PollOutcome) if one.began_at >= since]

    return Completeness(owner.reconciler, heard_since, polls, drifted=found, clock=owner.loop)


def report(hours: str = "24") -> Asked:
    return Asked(cause=at("rosterbook.commands", 4), arguments={"hours": hours})


def test_a_report_says_that_the_log_does_not_reach_back_as_far_as_it_looks_also_when_it_was_read_just_before() -> None:
    async def none_heard(_: datetime) -> list[Heard]:
        return []

    async def live(owner: Owner) -> None:
        owner.deliveries = DeliveryLog((delivery(8, minute=-5, accepted=True),), full=True)
        await owner.reconciler.carry_out(ASKED)
        done = await completeness(owner, none_heard).carry_out(report())
        assert owner.of(PollOutcome)[-1].log.whole, "nothing was sent since the poll"
        assert cast(Any, done.result)["log"]["whole"] is False
        assert "in BambooHR's log do not reach back farther than 20" in done.says
        owner.deliveries = DeliveryLog(owner.deliveries.lines)
        done = await completeness(owner, none_heard).carry_out(report())
        assert cast(Any, done.result)["log"]["whole"] is True
        assert "do not reach" not in done.says

    lived(live)


def test_a_report_knows_what_an_earlier_reading_of_the_log_said_of_deliveries_that_have_left_it() -> None:
    async def none_heard(_: datetime) -> list[Heard]:
        return []

    async def live(owner: Owner) -> None:
        owner.change(7, 8, minute=1)
        await asyncio.sleep(300)
        owner.deliveries = DeliveryLog((delivery(8, minute=2, accepted=False),))
        await owner.reconciler.carry_out(ASKED)
        owner.change(9, minute=6)
        owner.deliveries = DeliveryLog((delivery(9, minute=7, accepted=True),), full=True)
        await asyncio.sleep(300)
        done = await completeness(owner, none_heard).carry_out(report())
        found = {one["employee"]: one["delivery"] for one in cast(Any, done.result)["missing_changes"]}
        assert found == {"7": "not sent", "8": "failed", "9": "accepted"}

    lived(live)


def test_a_report_looks_back_and_names_what_was_missing_and_has_it_read() -> None:
    async def live(owner: Owner) -> None:
        owner.change(7, 8, minute=-60)
        owner.change(9, minute=-50)
        heard = [Heard((EmployeeId("7"),), "webhook", minutes(-60), minutes(-59), "d") for _ in range(2)]
        heard.append(Heard((EmployeeId("9"),), "webhook", minutes(-50), minutes(-30), "e"))
        owner.people[EmployeeId("9")] = Person(heard_of=minutes(-50), read_at=minutes(-30))
        asked_from = []

        async def heard_since(moment: datetime) -> list[Heard]:
            asked_from.append(moment)
            return [*heard, *(Heard.of(event) for event in owner.of(HrEvent))]

        done = await completeness(owner, heard_since, ADA_DIFFERS).carry_out(report())
        result = cast(Any, done.result)
        assert owner.since == [pytest.approx(START - timedelta(hours=24), abs=timedelta(seconds=1))]
        assert asked_from == [owner.since[0] - OVERLAP]
        assert (result["looked_at"], result["delivered"], result["late"], result["missing"]) == (3, 1, 1, 1)
        assert (result["duplicates"], result["fetched"]) == (1, 1)
        (missing,) = result["missing_changes"]
        assert (missing["employee"], missing["delivery"]) == ("8", "not sent")
        assert result["late_changes"][0]["came_after_s"] == 20 * 60
        assert "missing: 1; came twice: 1." in done.says
        assert done.says.endswith(" 2 contacts were changed in Zoho Books and left so.")
        assert (result["drifted"], result["drift"]) == (
            2,
            [{"employee": "7", "fields": ["contact"]}, {"employee": "11", "fields": ["department", "notes"]}],
        )
        assert "8" in owner.read_again
        assert "9" not in owner.read_again

    lived(live)


def test_a_report_comes_after_a_run_that_is_under_way() -> None:
    async def live(owner: Owner) -> None:
        async def nothing(_: datetime) -> list[Heard]:
            return []

        owner.slow = 5.0
        owner.log_trouble = CredentialsRefused("The key sees no webhooks.")
        await asyncio.sleep(901)
        done = await completeness(owner, nothing).carry_out(report("1"))
        assert len(owner.since) == 2
        assert done.says.endswith("The log of its deliveries was not read: The key sees no webhooks.")

    lived(live)


@pytest.mark.parametrize("hours", ["", "0", "337", "-1", "a day", "٣"])
def test_a_report_that_looks_too_far_back_is_refused(hours: str) -> None:
    async def live(owner: Owner) -> None:
        with pytest.raises(RecordRefused, match="1 to 336 hours"):
            await completeness(owner, cast(Any, None)).carry_out(report(hours))

    lived(live)
