"""What opening the lanes of a connection brings about beside them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from agents.dates import Dates
from agents.lane_making import Made
from agents.lanes import Lanes
from stream.codec import fingerprint
from stream.core.rows import Person
from stream.records import Connection, EmployeeId, HrEvent, Mapping
from tests.fake_clock import START, FakeClock
from tests.small_world import ACME, Tables
from tests.unit.test_ledgers import connection

OLD, NEW = Mapping(), Mapping(days_after_leaving=30)


class Part:
    """A lane, or what carries out commands."""

    connection = ACME

    def open(self) -> None: ...

    async def close(self) -> None: ...

    def notice(self, key: str) -> None: ...


class Office:
    """The maker of lanes, the view of the settings and the log of one partition."""

    def __init__(self) -> None:
        self.people = {EmployeeId("1"): Person(snapshot=3, mapping=fingerprint(OLD), decides_on=START.date())}
        self.events: list[HrEvent] = []
        rows: Any = SimpleNamespace(keys=lambda *_: ())
        maker: Any = SimpleNamespace(
            make=self.make,
            people=rows,
            contacts=rows,
            rows_of=lambda *_: Tables(people=self.people).rows,
            clock=FakeClock(),
            log=SimpleNamespace(append=self.append, partition_of=lambda _: 0),
            tokens=SimpleNamespace(read_to_end=self.read_to_end),
            taken=lambda _: None,
        )
        self.records: dict[str, Any] = {}
        self.lanes = Lanes(maker, cast(Any, self))

    def make(self, record: Connection, *_: Any) -> Made:
        part = cast(Any, Part())
        dates = None
        if record.mapping.days_after_leaving:
            clock = FakeClock()
            dates = Dates(
                ACME,
                people=Tables(people=self.people).rows.people,
                append=self.append,
                crashed=self.crashed,
                clock=clock,
            )
        leavers = cast(Any, SimpleNamespace(close=lambda: None))
        return Made(part, part, leavers, part, None, part, part, dates)

    async def append(self, event: HrEvent) -> None:
        self.events.append(event)

    async def read_to_end(self) -> None: ...

    def crashed(self, error: BaseException) -> None:
        raise error

    async def serve(self, mapping: Mapping) -> list[str]:
        """The kinds of the events that opening with these settings appends."""
        before = len(self.events)
        record = connection().model_copy(update={"mapping": mapping})
        self.records["acme|settings"] = record
        caught_up = asyncio.Event()
        caught_up.set()
        partition: Any = SimpleNamespace(number=0, caught_up=caught_up, closed=False, stopped=None)
        await self.lanes.open(partition)
        for _ in range(10):
            await asyncio.sleep(0)
        await self.lanes.close([0])
        return [event.kind for event in self.events[before:]]


async def test_people_are_read_anew_under_another_mapping_and_on_their_days_where_it_has_any() -> None:
    office = Office()
    assert await office.serve(OLD) == []
    assert await office.serve(NEW) == ["sweep", "date"]
    office.people = {EmployeeId("1"): Person(snapshot=4, mapping=fingerprint(NEW))}
    assert await office.serve(NEW) == []
