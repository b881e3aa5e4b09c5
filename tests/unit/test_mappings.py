"""Which mapping a snapshot is folded under, and who is read anew when another one holds."""

from __future__ import annotations

from typing import Any

from agents.mappings import Mappings
from agents.remapping import AT_ONCE, remap
from stream.codec import canonical, decode, fingerprint
from stream.core.debt import Debt
from stream.core.rows import Person
from stream.records import AnyRecord, EmployeeId, HrEvent, Mapping, MappingVersion
from stream.topics import CONNECTIONS
from tests.fake_clock import START
from tests.small_world import ACME
from tests.unit.test_lane_making import connection

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


async def asked(people: dict[str, Person], *, changed: bool) -> list[HrEvent]:
    events: list[HrEvent] = []

    async def rows() -> Any:
        for who, person in people.items():
            yield EmployeeId(who), person

    async def append(event: HrEvent) -> None:
        events.append(event)

    await remap(ACME, rows(), fingerprint(NEW), append, START, changed=changed)
    return events


async def test_everybody_who_was_read_under_another_mapping_is_read_anew_at_the_pace_of_a_first_load() -> None:
    before = Person(snapshot=3, mapping=fingerprint(OLD))
    people = {str(number): before for number in range(AT_ONCE + 1)}
    people |= {"new": Person(snapshot=3, mapping=fingerprint(NEW)), "owed": Person(debt=Debt(wanted=4))}
    events = await asked(people, changed=False)
    assert [len(event.employees) for event in events] == [AT_ONCE, 1]
    assert {event.kind for event in events} == {"sweep"}
    assert {"new", "owed"}.isdisjoint(who for event in events for who in event.employees)


async def test_whoever_may_just_be_read_under_the_former_mapping_is_asked_for_again() -> None:
    (event,) = await asked({"owed": Person(debt=Debt(wanted=4)), "heard": Person()}, changed=True)
    assert event.employees == ("owed",)
