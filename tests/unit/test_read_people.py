"""The work of the BambooHR lane: one reading, one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from stream.bamboohr.lane import ReadPeople
from stream.codec import canonical, fingerprint
from stream.core.debt import Debt
from stream.core.mapping import FIELDS
from stream.core.rows import Person
from stream.due import BACKFILL, JOINER
from stream.errors import NotFound, RateLimited, RecordRefused, Unavailable
from stream.flood import Flood, FloodGuard, FloodPolicy
from stream.lane import Paid
from stream.records import EmployeeId, EmployeeSnapshot, LogPosition, Mapping
from stream.topics import EMPLOYEES as EMPLOYEES_TOPIC
from tests.fake_clock import START, FakeClock
from tests.small_world import ACME, EMPLOYEES, HR_EVENTS, at, person

ADA = EmployeeId("1")
DEFAULT = Mapping()


class Desk:
    """The rows, the log and BambooHR's answer; `meanwhile` happens while the request is under way."""

    def __init__(
        self,
        answer: dict[str, str] | Exception,
        meanwhile: Callable[[], None] = lambda: None,
        mapping: Mapping = DEFAULT,
        time_zone: str = "UTC",
    ) -> None:
        self.people = {ADA: Person(debt=Debt(wanted=7, settled=3), live=7, insisted=3)}
        self.answer = answer
        self.meanwhile = meanwhile
        self.asked: list[tuple[EmployeeId, Sequence[str]]] = []
        self.appended: list[EmployeeSnapshot] = []
        self.guard = FloodGuard(FloodPolicy(run=2))
        self.work = ReadPeople(
            ACME,
            self,
            mapping=mapping,
            person_of=self.people.get,
            event_at=lambda offset: at(HR_EVENTS, offset),
            append=self.append,
            guard=self.guard,
            clock=FakeClock(),
            time_zone=time_zone,
        )

    async def employee(self, employee: EmployeeId, fields: Sequence[str]) -> dict[str, str]:
        self.asked.append((employee, fields))
        self.meanwhile()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def append(self, snapshot: EmployeeSnapshot) -> LogPosition:
        if len(canonical(snapshot)) > EMPLOYEES_TOPIC.max_record_bytes:
            raise RecordRefused("A record of so many bytes is over the limit of rosterbook.employees.")
        self.appended.append(snapshot)
        return at(EMPLOYEES, 0)


async def test_a_reading_becomes_a_snapshot_with_its_cause() -> None:
    desk = Desk(person())
    assert await desk.work.pay(ADA) == Paid(at(EMPLOYEES, 0), "accepted")
    assert desk.asked == [(ADA, FIELDS)]
    assert desk.appended == [
        EmployeeSnapshot(
            connection=ACME,
            employee=ADA,
            through=7,
            cause=at(HR_EVENTS, 7),
            mapping_version=fingerprint(DEFAULT),
            read_at=START,
            state="read",
            fields=person(),
        )
    ]


async def test_a_snapshot_tells_the_day_where_the_company_is() -> None:
    desk = Desk(person(), time_zone="Pacific/Pago_Pago")
    await desk.work.pay(ADA)
    (snapshot,) = desk.appended
    assert snapshot.read_at.date() - snapshot.day == timedelta(days=1), "it is yesterday there"


async def test_a_change_that_comes_while_the_request_is_under_way_stays_owed() -> None:
    desk = Desk(person())

    def another_event() -> None:
        desk.people[ADA] = desk.people[ADA].model_copy(update={"debt": Debt(wanted=9, settled=3), "insisted": 9})

    desk.meanwhile = another_event
    await desk.work.pay(ADA)
    (snapshot,) = desk.appended
    assert snapshot.through == 7
    assert not snapshot.insists


@pytest.mark.parametrize(("insisted", "insists"), [(3, False), (4, True), (7, True)])
async def test_a_snapshot_insists_when_an_event_since_the_last_reading_did(insisted: int, insists: bool) -> None:
    desk = Desk(person())
    desk.people[ADA] = desk.people[ADA].model_copy(update={"insisted": insisted})
    await desk.work.pay(ADA)
    assert desk.appended[0].insists is insists


@pytest.mark.parametrize(("live", "backfill", "priority"), [(3, True, BACKFILL), (4, False, JOINER)])
async def test_a_reading_that_only_a_sweep_asked_for_comes_after_all_others(
    live: int, backfill: bool, priority: int
) -> None:
    desk = Desk(person())
    desk.people[ADA] = desk.people[ADA].model_copy(update={"live": live})
    row = desk.work.look(ADA)
    assert row is not None
    assert row.priority == priority
    await desk.work.pay(ADA)
    assert desk.appended[0].backfill is backfill


async def test_an_employee_that_is_not_there_any_more_is_gone() -> None:
    desk = Desk(NotFound("gone", status=404))
    await desk.work.pay(ADA)
    assert (desk.appended[0].state, desk.appended[0].fields) == ("gone", {})


async def test_an_employee_that_may_not_be_read_is_unreadable_with_the_reason() -> None:
    desk = Desk(RecordRefused("Give the key's user access.", status=403))
    assert await desk.work.pay(ADA) == Paid(at(EMPLOYEES, 0), "refused")
    said = desk.appended[0]
    assert (said.state, said.reason, said.error) == ("unreadable", "Give the key's user access.", "RecordRefused")


async def test_an_employee_of_whom_there_is_more_than_a_record_may_be_is_unreadable_with_the_reason() -> None:
    desk = Desk(person() | {"location": "x" * EMPLOYEES_TOPIC.max_record_bytes})
    assert await desk.work.pay(ADA) == Paid(at(EMPLOYEES, 0), "refused")
    (said,) = desk.appended
    assert (said.state, said.fields, said.through) == ("unreadable", {}, 7)
    assert said.reason == "A record of so many bytes is over the limit of rosterbook.employees."


async def test_when_too_many_cannot_be_read_the_next_ones_stay_owed() -> None:
    desk = Desk(RecordRefused("Give the key's user access.", status=403))
    for _ in range(2):
        await desk.work.pay(ADA)
    with pytest.raises(Flood, match=r"2 records in a row failed for good.*Give the key's user access\."):
        await desk.work.pay(ADA)
    assert len(desk.appended) == 2


async def test_a_reading_that_may_work_later_appends_nothing() -> None:
    desk = Desk(Unavailable("down"))
    with pytest.raises(Unavailable):
        await desk.work.pay(ADA)
    assert desk.appended == []


async def test_an_employee_about_whom_no_answer_ever_comes_is_unreadable_after_the_last_try() -> None:
    desk = Desk(Unavailable("no usable answer", status=500))
    assert await desk.work.pay(ADA, last=True) == Paid(at(EMPLOYEES, 0), "silent")
    (said,) = desk.appended
    assert (said.state, said.error, said.through) == ("unreadable", "NeverAnswered", 7)
    await desk.work.pay(ADA, last=True)
    with pytest.raises(Flood):
        await desk.work.pay(ADA, last=True)


async def test_a_last_try_that_is_answered_is_a_reading_and_one_at_the_limit_is_made_again() -> None:
    desk = Desk(RateLimited("later"))
    with pytest.raises(RateLimited):
        await desk.work.pay(ADA, last=True)
    desk.answer = person()
    assert await desk.work.pay(ADA, last=True) == Paid(at(EMPLOYEES, 0), "accepted")
    assert [one.state for one in desk.appended] == ["read"]


async def test_who_owes_no_reading_is_not_read() -> None:
    desk = Desk(person())
    desk.people[ADA] = Person(debt=Debt(wanted=7, settled=7))
    assert await desk.work.pay(ADA) is None
    assert await desk.work.pay("2") is None
    assert desk.asked == []


def test_the_lane_sees_what_the_row_owes() -> None:
    desk = Desk(person())
    row = desk.work.look(ADA)
    assert row is not None
    assert row.owed
    assert desk.work.look("2") is None


async def test_a_reading_asks_for_what_the_mapping_needs_and_names_the_mapping() -> None:
    mapping = Mapping.model_validate({"fields": {"cf_cost_center": "customCostCenter"}})
    desk = Desk(person(), mapping=mapping)
    await desk.work.pay(ADA)
    assert desk.asked == [(ADA, (*FIELDS, "customCostCenter"))]
    assert desk.appended[0].mapping_version == fingerprint(mapping)
