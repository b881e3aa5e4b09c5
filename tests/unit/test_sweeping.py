"""`reconcile` is the poll and then the reading of everybody, in one answer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from agents.backfill import NAME
from agents.operations import Done
from agents.reconciling import RECONCILE
from agents.sweeping import Sweeping
from stream.core import folds
from stream.core.rows import Asked, Company
from stream.errors import RecordRefused, RosterbookError
from stream.records import Command, CommandOutcome, LogPosition
from tests.fake_clock import START
from tests.small_world import ACME, OUTCOMES, at
from tests.virtual_time import VirtualTime, run

COMMANDS = "rosterbook.commands"


class Owner:
    """Carries out the reading of everybody as `Operations` would, in so many seconds."""

    def __init__(self, company: Company, *, ends: Done | RosterbookError, seconds: float = 90.0) -> None:
        self.loop = VirtualTime()
        self.company = company
        self.ends = ends
        self.seconds = seconds
        self.commands: list[Command] = []
        self.told: list[CommandOutcome] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.sweeping = Sweeping(
            ACME, self._poll, self._load, company=lambda: self.company, append=self._append, clock=self.loop
        )

    async def _poll(self, _: Asked) -> Done:
        return Done("Polled.", {"looked_at": 7})

    async def _load(self, _: Asked) -> Done:
        await asyncio.sleep(self.seconds)
        if isinstance(self.ends, RosterbookError):
            raise self.ends
        return self.ends

    async def _append(self, record: Any) -> LogPosition:
        if isinstance(record, CommandOutcome):
            self.told.append(record)
            return at(OUTCOMES, len(self.told))
        position = at(COMMANDS, 10 + len(self.commands))
        self.commands.append(record)
        self.company = folds.ask(self.company, record, position)
        self.begin()
        return position

    def begin(self) -> None:
        self.tasks.append(asyncio.create_task(self._carry_out(self.company.asked[NAME])))

    async def _carry_out(self, asked: Asked) -> None:
        with suppress(RosterbookError):
            await self.sweeping.load(asked)
        settled = asked.model_copy(update={"debt": asked.debt.settle(asked.cause.offset)})
        self.company = self.company.model_copy(update={"asked": {**self.company.asked, NAME: settled}})

    def reconciled(self, *, under_way: bool = False) -> Done:
        async def scene() -> Done:
            if under_way:
                self.begin()
            return await self.sweeping.reconcile(Asked(cause=at(COMMANDS, 5)))

        return run(scene(), self.loop)


SWEPT = Company(swept_at=START)


def test_everybody_is_read_after_the_poll_and_whoever_asked_hears_of_it_meanwhile() -> None:
    owner = Owner(SWEPT, ends=Done("3 people were read.", {"people": 3}))
    done = owner.reconciled()
    assert done == Done("Polled. 3 people were read.", {"looked_at": 7, "sweep": {"people": 3}})
    assert [(one.command, one.asked_by, one.work) for one in owner.commands] == [(NAME, RECONCILE, True)]
    assert [(one.command, one.cause.offset, one.state) for one in owner.told] == [(RECONCILE, 5, "progress")] * 4


def test_a_reading_of_everybody_that_is_under_way_is_joined() -> None:
    order = Command(connection=ACME, command=NAME, asked_by="schedule", work=True, at=START)
    owner = Owner(folds.ask(SWEPT, order, at(COMMANDS, 3)), ends=Done("Read."))
    assert owner.reconciled(under_way=True).says == "Polled. Read."
    assert owner.commands == []


def test_before_a_first_load_nobody_is_loaded_and_the_command_is_named() -> None:
    owner = Owner(Company(), ends=Done("Read."))
    done = owner.reconciled()
    assert done.says == "Polled. No first load was made yet: `rosterbook backfill acme` reads everybody."
    load = Command(connection=ACME, command=NAME, asked_by="me", work=True, at=START)
    done = Owner(folds.ask(Company(), load, at(COMMANDS, 3)), ends=Done("Read.", {})).reconciled()
    assert done.says == "Polled. The first load is under way: `rosterbook backfill acme` watches it."
    assert done.result == {"looked_at": 7, "sweep": None}
    assert owner.commands == []


def test_when_everybody_could_not_be_read_it_has_failed_with_that_reason() -> None:
    with pytest.raises(RecordRefused, match="changed each time"):
        Owner(SWEPT, ends=RecordRefused("The list changed each time.")).reconciled()
