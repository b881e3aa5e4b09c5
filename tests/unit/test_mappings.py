"""Which mapping a snapshot is folded under, and who is read anew when another one holds."""

from __future__ import annotations

from typing import Any

from agents.mappings import Mappings
from stream.codec import canonical, decode, fingerprint
from stream.core.debt import Debt
from stream.core.folds import is_outdated
from stream.core.rows import Person
from stream.records import AnyRecord, EmployeeId, HrEvent, Mapping, MappingVersion
from stream.rereading import AT_ONCE, reread
from stream.topics import CONNECTIONS
from tests.fake_clock import START
from tests.small_world import ACME
from tests.unit.test_ledgers import connection

OLD, NEW = Mapping(contact_type="customer"), Mapping(scope=('department == "Sales"',))


class View:
    """The topic `connections`: `coming` are the records that a read to its end brings."""

    def __init__(self) -> None:
        self.records: dict[str, AnyRecord] = {}
        self.coming: list[Any] = []
        self.reads = 0

    async def read_to_end(self) -> None:
        self.reads += 1
        for record in self.coming:
            self.records[CONNECTIONS.key_of(record).decode()] = decode(CONNECTIONS, canonical(record))


def version(mapping: Mapping) -> MappingVersion:
    return MappingVersion(connection=ACME, version=fingerprint(mapping), mapping=mapping)


async def test_a_reading_is_folded_under_the_mapping_that_it_names_whatever_holds_today() -> None:
    view = View()
    view.coming = [version(OLD), version(NEW), connection().model_copy(update={"mapping": NEW})]
    await view.read_to_end()
    mappings = Mappings(view)
    assert await mappings.of(ACME, fingerprint(OLD)) == OLD
    assert await mappings.of(ACME, fingerprint(NEW)) == NEW
    assert view.reads == 1


async def test_a_version_that_the_view_has_not_yet_is_waited_for() -> None:
    view = View()
    view.coming = [version(NEW)]
    assert await Mappings(view).of(ACME, fingerprint(NEW)) == NEW


async def test_of_a_version_that_nobody_kept_todays_mapping_stands_and_is_asked_for_once() -> None:
    view = View()
    view.coming = [connection().model_copy(update={"mapping": OLD})]
    mappings = Mappings(view)
    assert [await mappings.of(ACME, "m") for _ in range(3)] == [OLD] * 3
    assert view.reads == 1
    assert await mappings.of(ACME, fingerprint(OLD)) == OLD


def outdated(person: Person, *, changed: bool = False) -> bool:
    return is_outdated(person, fingerprint(NEW), changed=changed)


def test_whoever_was_read_under_another_mapping_is_outdated() -> None:
    assert outdated(Person(snapshot=3, mapping=fingerprint(OLD)))
    assert outdated(Person(snapshot=3))
    assert not outdated(Person(snapshot=3, mapping=fingerprint(NEW)))
    assert not outdated(Person(debt=Debt(wanted=4)))


def test_whoever_may_just_be_read_under_the_former_mapping_is_outdated_when_it_changes() -> None:
    assert outdated(Person(debt=Debt(wanted=4)), changed=True)
    assert not outdated(Person(), changed=True)


async def test_many_people_are_asked_for_by_events_of_moderate_size() -> None:
    events: list[HrEvent] = []

    async def append(event: HrEvent) -> None:
        events.append(event)

    employees = [EmployeeId(str(number)) for number in range(AT_ONCE + 1)]
    await reread(ACME, employees, "sweep", append, START)
    assert [len(event.employees) for event in events] == [AT_ONCE, 1]
    assert [who for event in events for who in event.employees] == employees
    assert {event.kind for event in events} == {"sweep"}
