"""How `up` keeps its parts running: backoff, and when it gives up."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.child import Child
from agents.installation import Installation
from stream.errors import BrokerFailed, Fatal
from stream.settings import Settings
from tests.virtual_time import VirtualTime, run


class Part:
    """One that ends in these ways. lives: how long each life takes, in seconds. started: when it was started again."""

    def __init__(self, loop: VirtualTime, ends: Iterable[str], lives: float) -> None:
        self.started: list[float] = []
        self._loop = loop
        self._ends: Iterator[str] = iter(ends)
        self._lives = lives

    async def ended(self) -> str:
        await asyncio.sleep(self._lives)
        how = next(self._ends, None)
        if how is None:
            await asyncio.Event().wait()
        assert how is not None
        return how

    async def start(self) -> None:
        self.started.append(self._loop.time())


async def watched(loop: VirtualTime, data: Path, part: Part, until: float) -> tuple[str | None, list[str]]:
    """What it gave up with, None when it had not by then; and what was said."""
    said: list[str] = []
    installation = Installation(Settings(data=data), say=said.append, clock=loop)
    installation._watch("worker", part.ended, part.start, lambda: "the vault is locked")
    await asyncio.wait([installation.failed], timeout=until)
    for watcher in installation._watchers:
        watcher.cancel()
    return (installation.failed.result().message if installation.failed.done() else None), said


def test_a_part_that_keeps_ending_is_started_again_ever_later_and_then_given_up_loudly(tmp_path: Path) -> None:
    loop = VirtualTime()
    part = Part(loop, ["exit code 1"] * 100, lives=1)
    why, said = run(watched(loop, tmp_path, part, 1000), loop)
    assert why == "worker ended 6 times in 120 s, last with exit code 1: the vault is locked"
    waits = [round(b - a - 1, 3) for a, b in zip([0, *part.started], part.started, strict=False)]
    assert waits == [0.5, 1, 2, 4, 8]
    assert said[:2] == ["worker ended (exit code 1): the vault is locked", "worker runs again"]


def test_a_part_that_ends_now_and_then_is_never_given_up(tmp_path: Path) -> None:
    loop = VirtualTime()
    part = Part(loop, ["signal SIGKILL"] * 50, lives=60)
    why, said = run(watched(loop, tmp_path, part, 50 * 70), loop)
    assert why is None
    assert len(part.started) == 50
    assert said.count("worker runs again") == 50


def test_what_only_a_person_can_mend_is_not_tried_again(tmp_path: Path) -> None:
    loop = VirtualTime()
    part = Part(loop, ["exit code 2"], lives=1)
    why, said = run(watched(loop, tmp_path, part, 100), loop)
    assert why == "the vault is locked"
    assert part.started == []
    assert said == ["worker ended (exit code 2): the vault is locked"]


def test_a_part_that_cannot_be_started_again_is_given_up_with_its_reason(tmp_path: Path) -> None:
    loop = VirtualTime()

    class Broken(Part):
        async def start(self) -> None:
            raise BrokerFailed("The disk is full.")

    why, _ = run(watched(loop, tmp_path, Broken(loop, ["exit code 1"], 1), 100), loop)
    assert why == "The disk is full."


async def got_ready(loop: VirtualTime, data: Path, stands: Callable[[float], str | None]) -> list[str]:
    """What is said while it gets ready. stands: what the worker lacks, by the seconds since the start."""
    said: list[str] = []
    installation = Installation(Settings(data=data), say=said.append, clock=loop)

    async def lacking(_: Any, part: str) -> str | None:
        return stands(loop.time()) if part == "worker" else None

    installation._lacking = lacking  # type: ignore[method-assign]
    await installation._ready()
    return said


def test_a_worker_that_reads_a_long_log_is_waited_for_and_that_is_said_once(tmp_path: Path) -> None:
    def stands(now: float) -> str | None:
        if now < 30:
            return "does not answer"
        return "recovering tables" if now < 200 else "catching up" if now < 900 else None

    loop = VirtualTime()
    said = run(got_ready(loop, tmp_path, stands), loop)
    assert said == [
        "gateway is ready at None",
        "The worker reads what is on the log, which may take minutes",
        "worker is ready at None",
    ]


def test_a_short_reading_of_the_log_is_not_worth_a_word(tmp_path: Path) -> None:
    loop = VirtualTime()
    said = run(got_ready(loop, tmp_path, lambda now: "catching up" if now < 4 else None), loop)
    assert said == ["gateway is ready at None", "worker is ready at None"]


@pytest.mark.parametrize("reads_until", [0, 100])
def test_for_any_other_reason_it_is_waited_for_a_minute(tmp_path: Path, reads_until: float) -> None:
    loop = VirtualTime()
    with pytest.raises(Fatal, match=r"Not ready within 60 s \(worker: Kafka does not answer\)"):
        run(
            got_ready(loop, tmp_path, lambda now: "catching up" if now < reads_until else "Kafka does not answer"), loop
        )
    assert reads_until + 59 < loop.time() < reads_until + 61


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"event": "worker.crashed", "reason": "Do this.", "level": "critical"}', "Do this."),
        ('{"event": "worker.crashed", "level": "error", "exception": "Traceback…"}', "{file} says what it did last."),
        ('{"event": "lane.call_failed", "reason": "Later.", "level": "warning"}', "{file} says what it did last."),
        ("", "{file} says what it did last."),
        ("Killed", "Killed"),
        ("something else\n[1, 2]", "[1, 2]"),
    ],
)
def test_why_a_part_ended_is_the_reason_in_the_last_line_of_its_log(tmp_path: Path, line: str, words: str) -> None:
    child = Child("worker", logs=tmp_path, environment={})
    child.log_file.write_text(f"{line}\n")
    assert child.last_words() == words.format(file=child.log_file)


async def test_of_a_part_that_a_signal_ended_no_line_of_its_log_is_the_reason(tmp_path: Path) -> None:
    child = Child("kafka", logs=tmp_path, environment={"ROSTERBOOK_DATA": str(tmp_path)})
    await child.start()
    child.log_file.write_text("It is well.\n")
    os.kill(child.pid, signal.SIGKILL)
    assert await child.wait() == "signal SIGKILL"
    assert child.last_words() == f"{child.log_file} says what it did last."
