"""Everybody is read again by the schedule, once a first load was made, and asked for once however often it looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.nightly import Nightly
from stream.core import folds
from stream.core.rows import Company
from stream.core.schedule import next_sweep
from stream.records import Command, Mode, Reconciling
from tests.fake_clock import START
from tests.small_world import ACME, at
from tests.unit.test_backfill import COMMANDS, connection
from tests.virtual_time import VirtualTime, run

HOUR = 3600.0


def nights(hours: float, company: Company, mode: Mode = "live", plan: Reconciling | None = None) -> list[Command]:
    """What is asked for within so many hours from START, 9:00 UTC, on."""
    loop, asked = VirtualTime(), []
    record = connection(mode).model_copy(update={"reconcile": plan or Reconciling()})

    async def append(command: Command) -> None:
        asked.append(command)

    async def main() -> None:
        crashed: Callable[[BaseException], None] = pytest.fail  # type: ignore[assignment]
        nightly = Nightly(record, company=lambda: company, append=append, crashed=crashed, clock=loop)
        nightly.open()
        await asyncio.sleep(hours * HOUR)
        await nightly.close()

    scene: Coroutine[Any, Any, None] = main()
    run(scene, loop)
    return asked


def test_it_is_asked_for_every_night_after_a_first_load() -> None:
    asked = nights(48, Company(swept_at=START - timedelta(hours=1)))
    assert [(one.command, one.asked_by, one.work, one.at.hour, one.at.minute) for one in asked] == [
        ("backfill", "schedule", True, 2, 30)
    ] * 2


@pytest.mark.parametrize(
    ("company", "mode", "plan"),
    [
        (Company(), "live", None),
        (Company(swept_at=START), "paused", None),
        (Company(swept_at=START), "live", Reconciling(sweep=None)),
    ],
)
def test_it_is_not_asked_for(company: Company, mode: Mode, plan: Reconciling | None) -> None:
    assert nights(48, company, mode, plan) == []


def test_while_one_is_under_way_no_other_is_asked_for() -> None:
    command = Command(connection=ACME, command="backfill", asked_by="me", work=True, at=START)
    assert nights(30, folds.ask(Company(swept_at=START), command, at(COMMANDS, 3))) == []


def test_what_was_missed_is_made_up_once() -> None:
    assert len(nights(1, Company(swept_at=START - timedelta(days=9)))) == 1


def test_its_time_is_that_of_the_connection_and_quiet_hours_are_nothing_to_it() -> None:
    plan = Reconciling(time_zone="America/New_York", sweep="30 2 * * *")
    assert next_sweep(plan, START, START) == datetime(2026, 3, 3, 7, 30, tzinfo=UTC)
