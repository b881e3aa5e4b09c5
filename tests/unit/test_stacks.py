"""The dump of a hung process: each task with the place where it stands, whatever it awaits through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Any

import pytest

from agents import stacks
from agents.stacks import log_stacks


async def stands() -> None:
    await asyncio.Event().wait()


async def through_another() -> None:
    await stands()


async def through_a_generator() -> None:
    async def steps() -> AsyncIterator[None]:
        await stands()
        yield

    async for _ in steps():
        pass


class Actor:
    """As Faust wraps an agent."""

    def __await__(self) -> Generator[Any, None, None]:
        return stands().__await__()


async def through_an_actor() -> None:
    await Actor()


async def test_every_task_is_told_by_where_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []

    class Told:
        def critical(self, event: str, **fields: Any) -> None:
            told.append({"event": event, **fields})

    monkeypatch.setattr(stacks, "logger", Told())
    ways = (through_another, through_a_generator, through_an_actor)
    tasks = [asyncio.create_task(way(), name=way.__name__) for way in ways]
    await asyncio.sleep(0)
    log_stacks(asyncio.get_running_loop())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    places = {name: line["at"] for line in told if "tasks" in line for name in line["tasks"]}
    for way in ways:
        names = [place.rpartition(" ")[2] for place in places[way.__name__]]
        assert names[0] == way.__name__
        assert "stands" in names
    threads = [line for line in told if line["event"] == "watchdog.thread"]
    assert any("log_stacks" in place for line in threads for place in line["at"])
