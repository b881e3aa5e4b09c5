"""Plans of a small world, made as the owner of a connection makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from agents.planning import Choice, Planned, Planner
from stream.bamboohr.listed import LISTED_AS
from stream.bamboohr.models import EmployeePage, HrField
from stream.errors import NotFound
from stream.records import Connection, EmployeeId, Mode, Reconciling
from tests.small_world import SmallWorld
from tests.unit.test_backfill import FakeLane, connection
from tests.virtual_time import VirtualTime, run


class HrOf:
    """BambooHR's client over a world's truth. unlisted: who is on no page; calls: what was asked."""

    def __init__(self, world: SmallWorld) -> None:
        self.world = world
        self.unlisted: set[str] = set()
        self.calls: list[str] = []

    async def employee(self, employee: EmployeeId, fields: Sequence[str]) -> dict[str, str]:
        self.calls.append(employee)
        truth = self.world.truth.get(employee)
        if truth is None:
            raise NotFound("BambooHR has no such employee any more.")
        return {name: truth[name] for name in fields if name in truth}

    async def fields(self) -> tuple[HrField, ...]:
        names = dict.fromkeys(name for truth in self.world.truth.values() for name in truth or ())
        return tuple(HrField(str(number), name, "text") for number, name in enumerate(names))

    async def page(self, fields: Sequence[str], after: str | None) -> EmployeePage:
        self.calls.append("page")
        rows = [
            (who, {LISTED_AS.get(name, name): value for name, value in truth.items()})
            for who, truth in self.world.truth.items()
            if truth is not None and who not in self.unlisted
        ]
        shown = tuple((who, {name: row[name] for name in fields if name in row}) for who, row in rows)
        return EmployeePage(shown, frozenset(), len(shown), None)


def planner_of(
    world: SmallWorld, hr: HrOf | None = None, *, mode: Mode = "live", reconcile: Reconciling | None = None
) -> Planner:
    record: Connection = connection(mode).model_copy(
        update={"mapping": world.mapping, "guard": world.policy, "reconcile": reconcile or Reconciling()}
    )
    lane = cast(Any, FakeLane())
    return Planner(
        record, hr or HrOf(world), world.zoho, world.tables.rows, people=lane, contacts=lane, clock=world.clock
    )


def planned(
    world: SmallWorld, *employees: str, where: str | None = None, hr: HrOf | None = None, **more: Any
) -> Planned:
    choice = Choice(tuple(map(EmployeeId, employees)), where)
    return run(planner_of(world, hr, **more).make(choice), VirtualTime())
