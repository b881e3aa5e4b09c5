"""What the worker takes for the end of a recovery: only then are its partitions opened, lanes and all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from agents.app import Worker, faust_app
from stream.settings import Settings
from stream.topics import HR_EVENTS
from stream.vault.keyfile import load_vault

GENERATION = 7


@dataclass
class Assigned:
    """A worker with one partition in GENERATION. opened: what it opened, in order."""

    app: Any
    worker: Worker
    opened: list[list[int]] = field(default_factory=list)

    async def announce(self) -> None:
        """As Faust's recovery does first of all when it has read its changelogs, whatever has begun since."""
        await self.app.on_rebalance_complete.send()
        await asyncio.gather(*self.worker._opening)


@pytest.fixture
async def assigned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Assigned:
    settings = Settings(data=tmp_path)
    worker = Worker(settings, lambda: None, load_vault(settings, create=True))
    app: Any = faust_app(settings, "127.0.0.1:1", 4)
    found = Assigned(app, worker)

    async def opens(_: Worker, numbers: list[int]) -> None:
        found.opened.append(numbers)

    monkeypatch.setattr(Worker, "_open", opens)
    app.consumer = SimpleNamespace(assignment=lambda: {TP(HR_EVENTS.name, 2)})
    app.consumer_generation_id = app.tables.recovery._generation_id = GENERATION
    app.on_rebalance_complete.connect(worker._recovered)
    await worker._given()
    return found


async def test_partitions_are_opened_when_their_recovery_is_over(assigned: Assigned) -> None:
    await assigned.announce()
    assert assigned.opened == [[2]]


async def test_recovery_that_ends_when_the_next_must_begin_opens_nothing(assigned: Assigned) -> None:
    assigned.app.tables.recovery.signal_recovery_start.set()
    await assigned.announce()
    assert assigned.opened == []
    assigned.app.tables.recovery.signal_recovery_start.clear()
    await assigned.announce()
    assert assigned.opened == [[2]]


async def test_recovery_of_an_earlier_assignment_opens_nothing(assigned: Assigned) -> None:
    assigned.app.consumer_generation_id = GENERATION + 1
    await assigned.announce()
    assert assigned.opened == []
