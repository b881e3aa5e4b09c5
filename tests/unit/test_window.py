"""The days before somebody starts and after they left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest

from agents.dates import Dates
from stream.core.employment import employment
from stream.core.rows import Person
from stream.core.window import Presence, presence
from stream.records import EmployeeId, HrEvent, Mapping
from tests.fake_clock import START, FakeClock
from tests.small_world import ACME, SmallWorld, person

MAPPING = Mapping(days_before_start=14, days_after_leaving=30)
TODAY = date(2026, 11, 26)


def present(fields: dict[str, str], mapping: Mapping = MAPPING, today: date = TODAY) -> Presence:
    return presence(employment(fields, today), fields, mapping, today)


def starts(day: str) -> dict[str, str]:
    return person(status="Inactive", employmentHistoryStatus="", hireDate=day)


def left(day: str) -> dict[str, str]:
    return person(status="Inactive", employmentHistoryStatus="Terminated", terminationDate=day)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        (person(), Presence(True)),
        (starts("2026-12-11"), Presence(False, date(2026, 11, 27))),
        (starts("2026-12-10"), Presence(True, date(2026, 12, 12))),
        (starts("2026-11-27"), Presence(True, date(2026, 11, 29))),
        (starts("2026-11-25"), Presence(True, date(2026, 11, 27))),
        (starts("2026-11-24"), Presence(False)),
        (starts("9999-12-31"), Presence(False, date(9999, 12, 17))),
        (left("2026-11-26"), Presence(True, date(2026, 12, 27), left=True)),
        (left("2026-10-27"), Presence(True, date(2026, 11, 27), left=True)),
        (left("2026-10-26"), Presence(False)),
        (left("9999-12-31"), Presence(True, date.max, left=True)),
        (left(""), Presence(False)),
        (left("unknown"), Presence(False)),
        (person(status="Inactive"), Presence(False)),
    ],
)
def test_somebody_counts_as_at_work_within_a_window_and_until_a_day_that_is_told(
    fields: dict[str, str], found: Presence
) -> None:
    assert present(fields) == found
    assert present(fields, Mapping()) == Presence(fields["status"] == "Active")


def test_at_every_day_the_next_deciding_day_is_when_it_changes_and_not_before() -> None:
    for fields in (starts("2026-12-24"), left("2026-12-01")):
        day, before = date(2026, 11, 1), None
        while day < date(2027, 3, 1):
            now = present(fields, today=day)
            if before is not None and before.until != day:
                assert now == before, "nobody would have looked"
            elif before is not None:
                assert now.at_work != before.at_work
            before, day = now, day + timedelta(days=1)


def test_a_newcomer_has_a_contact_before_the_first_day_and_a_leaver_for_a_while_after_the_last() -> None:
    world = SmallWorld(MAPPING)
    ada, today = EmployeeId("1"), world.clock.now().date()
    first = today + timedelta(days=20)
    world.hire("1", starts(first.isoformat()))
    world.settle()
    assert world.zoho.contacts == {}
    opens = world.tables.people[ada].decides_on
    assert opens == first - timedelta(days=14)

    world.clock.advance((opens - today).days * 86400.0)
    world.notice("1", kind="date")
    world.settle()
    (contact,) = world.zoho.contacts.values()
    assert contact.active
    assert world.tables.people[ada].decides_on == first + timedelta(days=2)

    last = world.clock.now().date()
    world.hire("1", left(last.isoformat()))
    world.settle()
    assert contact.active
    closes = world.tables.people[ada].decides_on
    assert closes == last + timedelta(days=31)
    world.change("1", {**left(last.isoformat()), "status": ""})
    world.settle()
    assert world.tables.people[ada].decides_on == closes, "an unclear reading forgets no day"
    world.truth[ada] = left(last.isoformat())
    world.clock.advance(31 * 86400.0)
    world.notice("1", kind="date")
    world.settle()
    assert not contact.active
    assert world.tables.people[ada].decides_on is None


async def test_everybody_whose_day_has_come_is_read_once_for_it() -> None:
    clock, events = FakeClock(), list[HrEvent]()
    today = START.date()
    people = {
        "come": Person(decides_on=today),
        "past": Person(decides_on=today - timedelta(days=3)),
        "later": Person(decides_on=today + timedelta(days=1)),
        "never": Person(),
    }

    async def rows() -> AsyncIterator[tuple[EmployeeId, Person]]:
        for who, row in people.items():
            yield EmployeeId(who), row

    async def append(event: HrEvent) -> None:
        events.append(event)

    def crashed(error: BaseException) -> None:
        raise error

    dates = Dates(ACME, people=rows, append=append, crashed=crashed, clock=clock)
    assert await dates.look() == 2
    assert await dates.look() == 0
    assert [(event.kind, event.employees) for event in events] == [("date", ("come", "past"))]
    people["come"] = Person(decides_on=today + timedelta(days=1))
    clock.advance(86400.0)
    assert await dates.look() == 2
    assert events[-1].employees == ("come", "later")


@pytest.mark.parametrize(("zone", "found"), [("Pacific/Pago_Pago", 0), ("UTC", 1), ("Pacific/Kiritimati", 2)])
async def test_a_day_has_come_when_it_has_where_the_company_is(zone: str, found: int) -> None:
    today, clock = START.date(), FakeClock()
    clock.advance(3600.0 * 1.5)  # half past ten in UTC: yesterday in Pago Pago, tomorrow in Kiritimati

    async def rows() -> AsyncIterator[tuple[EmployeeId, Person]]:
        yield EmployeeId("1"), Person(decides_on=today)
        yield EmployeeId("2"), Person(decides_on=today + timedelta(days=1))

    async def append(event: HrEvent) -> None: ...

    dates = Dates(ACME, people=rows, append=append, crashed=pytest.fail, clock=clock, time_zone=zone)  # type: ignore[arg-type]
    assert await dates.look() == found
