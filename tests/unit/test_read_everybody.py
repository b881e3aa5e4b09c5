"""Everybody is read from the list, page after page, each once, and what the list leaves out decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import orjson
import pytest

from stream.bamboohr.client import PageMoved
from stream.bamboohr.everybody import BATCH, ReadEverybody, Sweep
from stream.bamboohr.listed import LISTED_AS
from stream.bamboohr.models import EmployeePage
from stream.core.debt import Debt
from stream.core.mapping import FIELDS, desired_contact
from stream.core.repair import Known, Missed
from stream.core.rows import ContactState, Person
from stream.core.sharing import Sharing
from stream.errors import Unavailable
from stream.patience import Patience
from stream.records import AnyRecord, EmployeeId, EmployeeSnapshot, HrEvent, LogPosition, Mapping, Source
from stream.trouble import RetryPolicy
from tests.fake_clock import FakeClock
from tests.small_world import ACME, EMPLOYEES, HR_EVENTS, Tables, at, person
from tests.unit.test_sharing import LOADING

LISTED = tuple(LISTED_AS.get(name, name) for name in FIELDS)
RECORD = dict(zip(LISTED, (person()[name] for name in FIELDS), strict=True))
BEFORE = 5
"""Offsets of hr-events before the first page."""


def page(*employees: str, next: str | None = None, total: int | None = None, **fields: str) -> EmployeePage:
    rows = tuple((EmployeeId(one), RECORD | {"workEmail": f"{one}@acme.test"} | fields) for one in employees)
    return EmployeePage(rows, frozenset(), total, next)


class Company:
    """The list, the log and the rows of one connection. answers: to the requests for pages, in order."""

    def __init__(
        self, *answers: EmployeePage | Exception, mapping: Mapping | None = None, time_zone: str = "UTC"
    ) -> None:
        self.mapping = mapping or Mapping()
        self.answers = list(answers)
        self.asked: list[str | None] = []
        self.tables = Tables()
        self.events: list[HrEvent] = []
        self.snapshots: list[EmployeeSnapshot] = []
        self.folded_to = {HR_EVENTS: -1, EMPLOYEES: -1}
        self.most_unfolded = 0
        self.sharing = Sharing(lambda: LOADING)
        self.reader = ReadEverybody(
            ACME,
            self,
            mapping=self.mapping,
            person_of=self.tables.people.get,
            address_of=self.tables.addresses.get,
            sharing=self.sharing,
            log=self,
            folded=self.folded,
            clock=FakeClock(),
            time_zone=time_zone,
        )

    async def page(self, fields: Sequence[str], after: str | None) -> EmployeePage:
        assert tuple(fields)[: len(LISTED)] == LISTED
        assert self.folded_to[HR_EVENTS] >= BEFORE + len(self.events) - 1, "asked before what came before is folded"
        self.asked.append(after)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def append(self, record: AnyRecord) -> LogPosition:
        assert isinstance(record, HrEvent)
        self.events.append(record)
        return at(HR_EVENTS, BEFORE + len(self.events) - 1)

    async def append_all(self, records: Sequence[AnyRecord]) -> list[LogPosition]:
        first = len(self.snapshots)
        self.snapshots += [record for record in records if isinstance(record, EmployeeSnapshot)]
        self.most_unfolded = max(self.most_unfolded, len(self.snapshots) - 1 - self.folded_to[EMPLOYEES])
        return [at(EMPLOYEES, offset) for offset in range(first, len(self.snapshots))]

    async def folded(self, topic: str, offset: int) -> None:
        """Nothing is folded before somebody waits for it, and no more than that."""
        while self.folded_to[topic] < offset:
            self.folded_to[topic] += 1
            if topic == EMPLOYEES:
                number = self.folded_to[topic]
                self.tables.keep_roster(self.snapshots[number], at(EMPLOYEES, number), Mapping())

    async def read(self, sweep: Sweep | None = None) -> list[Sweep]:
        patience = Patience(RetryPolicy(first=0.0))
        return [one async for one in self.reader.pages(sweep or Sweep(), patience)]


async def test_each_page_is_asked_for_by_an_event_whose_position_its_snapshots_carry() -> None:
    company = Company(page("1", "2", next="c", total=3), page("3", total=3))
    found = await company.read()
    assert company.asked == [None, "c"]
    assert [(e.kind, e.employees, e.insists) for e in company.events] == [("sweep", (), False)] * 2
    assert [(s.employee, s.through, s.backfill, s.insists) for s in company.snapshots] == [
        ("1", BEFORE, True, False),
        ("2", BEFORE, True, False),
        ("3", BEFORE + 1, True, False),
    ]
    assert company.snapshots[0].fields == person(email="1@acme.test")
    assert [(one.people, one.ended) for one in found] == [(2, False), (3, True)]
    assert not any(one.debt.owed for one in company.tables.people.values())


async def test_a_field_that_is_withheld_from_the_list_is_absent_and_one_that_is_empty_is_empty() -> None:
    shown = {**RECORD, "departmentName": ""}
    del shown["jobTitleName"]
    company = Company(EmployeePage(((EmployeeId("1"), shown),), frozenset({"jobTitleName"}), 1, None))
    await company.read()
    fields = company.snapshots[0].fields
    assert fields["department"] == ""
    assert "jobTitle" not in fields


async def test_who_the_list_tells_too_little_of_for_the_mapping_is_read_alone() -> None:
    fields = {"cf_cost_centre": Source(field="customCostCentre"), "cf_number": Source(field="id")}
    told, untold = page("1", customCostCentre=""), page("2", "3")
    both = EmployeePage(told.rows + untold.rows, frozenset(), 3, None)
    company = Company(both, mapping=Mapping(fields=fields))
    await company.read()
    assert [(one.employee, one.fields["id"]) for one in company.snapshots] == [("1", "1")]
    assert [(event.employees, event.kind) for event in company.events] == [((), "sweep"), (("2", "3"), "sweep")]
    company.tables.people[EmployeeId("3")] = Person(shown=desired_contact(person(), company.mapping, active=True))
    assert company.reader.found_alone() == {"3": Missed("missing", "never read")}
    assert not company.reader.found_alone(), "each is told of once"


async def test_who_owes_a_reading_or_was_read_since_it_began_is_left_to_that_reading() -> None:
    company = Company(page("1", "2", "3", "4"))
    company.tables.people |= {
        EmployeeId("1"): Person(debt=Debt(wanted=3)),
        EmployeeId("2"): Person(debt=Debt(wanted=9, settled=9)),
        EmployeeId("3"): Person(debt=Debt(wanted=3, settled=3)),
        EmployeeId("4"): Person(debt=Debt(wanted=3, parked=3, reason="unreadable alone")),
    }
    await company.read()
    assert [snapshot.employee for snapshot in company.snapshots] == ["3", "4"]
    assert not company.tables.people[EmployeeId("4")].debt.owed


async def test_who_shares_an_address_across_pages_is_known_before_anybody_is_taken() -> None:
    company = Company(page("1", "2", next="c"), page("3", workEmail=" 1@ACME.test"))
    pages = company.reader.pages(Sweep(), Patience(RetryPolicy(first=0.0)))
    await anext(pages)
    assert company.asked == [None, "c"]
    shown = {
        who: ContactState(employee=who, desired=one.shown) for who, one in company.tables.people.items() if one.shown
    }
    assert {who: company.sharing.is_unclear(state) for who, state in shown.items()} == {"1": True, "2": False}
    await pages.aclose()


async def test_who_has_left_and_who_states_no_address_shares_none() -> None:
    left = {"status": "Inactive"}
    mixed = [*page("1", "2", workEmail="a@acme.test").rows, *page("3", workEmail="").rows]
    mixed[1] = (mixed[1][0], mixed[1][1] | left)
    company = Company(EmployeePage(tuple(mixed), frozenset(), 3, None))
    pages = company.reader.pages(Sweep(), Patience(RetryPolicy(first=0.0)))
    await anext(pages)
    person = company.tables.people[EmployeeId("1")]
    assert person.shown is not None
    assert not company.sharing.is_unclear(ContactState(employee=EmployeeId("1"), desired=person.shown))
    await pages.aclose()


def test_what_an_earlier_version_said_of_a_reading_is_read() -> None:
    assert Sweep.model_validate({"began": 1, "after": "c"}) == Sweep(began=1)


async def test_a_list_that_moved_does_not_tell_who_shares_an_address() -> None:
    company = Company(page("1", "2", next="c"), PageMoved("moved"))
    with pytest.raises(PageMoved):
        await company.read()
    (first, _) = company.tables.people.values()
    assert first.shown is not None
    state = ContactState(employee=EmployeeId("1"), desired=first.shown, debt=Debt(wanted=0))
    assert company.sharing.is_unclear(state), "the reading goes on"


async def test_who_is_on_two_pages_is_taken_once() -> None:
    company = Company(page("1", "2", next="c"), page("2", "3"))
    assert (await company.read())[-1].people == 3
    assert [snapshot.employee for snapshot in company.snapshots] == ["1", "2", "3"]


@pytest.mark.parametrize("people", [BATCH - 1, 2 * BATCH, 6 * BATCH + 1])
async def test_fewer_than_fifty_of_its_records_are_unfolded_when_it_appends_more(people: int) -> None:
    company = Company(page(*map(str, range(1, people + 1))))
    await company.read()
    assert len(company.snapshots) == people
    assert company.most_unfolded <= 2 * BATCH == 50
    assert company.folded_to[EMPLOYEES] == people - 1, "the page counts once all of it is folded"


async def test_the_next_owner_sees_the_whole_list_and_reads_nobody_twice() -> None:
    first, second = page("1", "2", next="c"), page("2", "3", next="d")
    company = Company(first, second, page("4"), first, Unavailable("down"), second, page("4"))
    pages = company.reader.pages(Sweep(), Patience(RetryPolicy(first=0.0)))
    kept = Sweep.model_validate((await anext(pages)).model_dump())
    await pages.aclose()
    assert [one.people for one in await company.read(kept.anew)] == [2, 3, 4]
    assert company.asked == [None, "c", "d", None, "c", "c", "d"]
    assert [snapshot.employee for snapshot in company.snapshots] == ["1", "2", "3", "4"]
    assert company.reader.on_list == set("1234")


async def test_of_whom_the_list_shows_as_known_nothing_is_appended() -> None:
    company = Company(page("1", "2", "3", "4"), page("1", "2", "3", "4"), page("1", "2", "3", "4", jobTitleName="Lead"))
    await company.read()
    rows = company.tables.people
    rows[EmployeeId("2")] = rows[EmployeeId("2")].model_copy(update={"problem": "work email is withheld"})
    unreadable = rows[EmployeeId("3")].debt.want(BEFORE + 1).park(BEFORE + 1, "unreadable alone")
    rows[EmployeeId("3")] = rows[EmployeeId("3")].model_copy(update={"debt": unreadable})
    rows[EmployeeId("4")] = rows[EmployeeId("4")].model_copy(update={"mapping": "another"})
    await company.read()
    assert [snapshot.employee for snapshot in company.snapshots[4:]] == ["2", "3", "4"]
    await company.read()
    assert [snapshot.employee for snapshot in company.snapshots[7:]] == ["1", "2", "3", "4"]


async def test_a_list_that_moved_is_begun_anew_without_those_who_were_read() -> None:
    company = Company(page("1", "2", next="c"), PageMoved("moved"), page("1", "2", "3"))
    with pytest.raises(PageMoved):
        await company.read()
    (before,) = {snapshot.through for snapshot in company.snapshots}
    await company.read(Sweep(began=before).anew)
    assert [snapshot.employee for snapshot in company.snapshots] == ["1", "2", "3"]


async def test_a_list_whose_pages_go_round_has_moved() -> None:
    company = Company(page("1", next="b"), page("2", next="a"), page("1", next="b"), page("2", next="a"))
    with pytest.raises(PageMoved, match="repeats people"):
        await company.read()
    assert len(company.answers) == 1


async def test_a_list_that_ends_early_is_no_whole_list_and_an_empty_one_of_nobody_is() -> None:
    company = Company(page("1", "2", total=3))
    with pytest.raises(PageMoved, match="ended before everybody"):
        await company.read()
    assert [snapshot.state for snapshot in company.snapshots] == ["read", "read"]
    assert [(one.people, one.ended) for one in await Company(page(total=0)).read()] == [(0, True)]


async def test_who_is_missing_from_the_list_stays_as_known() -> None:
    company = Company(page("1"))
    company.tables.people[EmployeeId("2")] = Person(debt=Debt(wanted=3, settled=3))
    await company.read()
    assert [snapshot.employee for snapshot in company.snapshots] == ["1"]
    assert not company.tables.people[EmployeeId("2")].debt.owed


async def test_a_person_whose_contact_moved_is_insisted_on() -> None:
    company = Company(page("1", "2"))
    company.tables.people[EmployeeId("2")] = Person(debt=Debt(wanted=3, settled=3))
    pages = company.reader.pages(Sweep(), Patience(), lambda one: Known(one.shown, insists=one.debt.settled == 3))
    assert [one.ended async for one in pages] == [True]
    assert [(s.employee, s.insists) for s in company.snapshots] == [("1", False), ("2", True)]


async def test_what_was_missing_stale_or_left_over_is_counted_with_the_page() -> None:
    company = Company(page("1", "2", "3", "4", total=4))
    gone = EmployeePage(
        (
            (EmployeeId("1"), RECORD | {"workEmail": "1@acme.test"}),
            (EmployeeId("2"), RECORD | {"workEmail": "2@acme.test", "jobTitleName": "Lead"}),
            (EmployeeId("3"), RECORD | {"workEmail": "3@acme.test", "status": "Inactive"}),
            (EmployeeId("5"), RECORD | {"workEmail": "5@acme.test"}),
            (EmployeeId("6"), RECORD | {"workEmail": "6@acme.test", "status": "Inactive"}),
        ),
        frozenset(),
        5,
        None,
    )
    (first,) = await company.read()
    assert first.found == {"missing": 4}
    company.answers.append(gone)
    changed = company.tables.people[EmployeeId("1")].contact_key

    def known(person: Person) -> Known:
        return Known(person.shown, insists=person.contact_key == changed, changed=person.contact_key == changed)

    (second,) = [one async for one in company.reader.pages(Sweep(), Patience(RetryPolicy(first=0.0)), known)]
    assert second.found == {"changed in Zoho Books": 1, "stale": 1, "left": 1, "missing": 1}
    assert sorted(second.named.values()) == sorted(second.found)
    assert {second.named[who]: why for who, why in second.why.items()} == {
        "changed in Zoho Books": "by hand",
        "stale": "not told",
        "left": "not told",
        "missing": "never read",
    }
    assert Sweep.model_validate(orjson.loads(orjson.dumps(second.model_dump()))) == second


async def test_its_snapshots_tell_the_day_where_the_company_is() -> None:
    company = Company(page("1"), time_zone="Pacific/Pago_Pago")
    await company.read()
    (snapshot,) = company.snapshots
    assert snapshot.read_at.date() - snapshot.day == timedelta(days=1), "it is yesterday there"
