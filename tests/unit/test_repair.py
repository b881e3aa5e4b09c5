"""How somebody who had been missed stands, by the rows."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from stream.core.repair import Repair, standing, why_missed
from stream.core.rows import Person
from stream.records import EmployeeId
from tests.small_world import SmallWorld, person

ADA = EmployeeId("1")


def stands(world: SmallWorld, repair: Repair) -> str:
    return standing(repair, world.tables.people.get(ADA), world.tables.contacts.get)


def test_from_the_notice_to_the_contact() -> None:
    world = SmallWorld()
    repair = Repair(wanted=0, shown=None)
    assert stands(world, repair) == "to read"
    world.change(ADA, person())
    assert stands(world, repair) == "to read"
    world.read(ADA)
    assert stands(world, repair) == "to repair"
    world.settle()
    assert stands(world, repair) == "repaired"


def test_who_is_read_once_more_without_news_is_right_as_soon_as_the_contact_is() -> None:
    world = SmallWorld()
    world.hire(ADA, person())
    repair = Repair(wanted=len(world.hr_events) - 1, shown=None)
    world.hire(ADA, person())
    assert len(world.upserts) == 1
    assert stands(world, repair) == "to repair"
    world.settle()
    assert stands(world, repair) == "repaired"


def test_who_shows_the_same_after_the_reading_needed_no_repair() -> None:
    world = SmallWorld()
    world.hire(ADA, person())
    world.settle()
    repair = Repair(wanted=len(world.hr_events), shown=world.tables.people[ADA].shown)
    world.hire(ADA, person())
    assert stands(world, repair) == "same"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({}, "never read"),
        ({"snapshot": 3, "mapping": "m"}, "not told"),
        ({"snapshot": 3, "mapping": "another"}, "another mapping"),
        ({"snapshot": 3, "mapping": "m", "decides_on": date(2026, 3, 1)}, "a date"),
        ({"snapshot": 3, "mapping": "m", "decides_on": date(2026, 3, 2)}, "a date"),
        ({"snapshot": 3, "mapping": "m", "decides_on": date(2026, 3, 3)}, "not told"),
    ],
)
def test_why_somebody_had_been_missed(row: dict[str, Any], why: str) -> None:
    assert why_missed(Person(**row), "m", date(2026, 3, 2)) == why
