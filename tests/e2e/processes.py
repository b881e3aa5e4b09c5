"""`rosterbook` commands as processes, and every process that belongs to a data folder."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from stream.tether import tethered
from tests.e2e.waiting import until

READY_S = 90.0


def environment(**added: str) -> dict[str, str]:
    """Of a process: ours without what Rosterbook reads, and `added`."""
    return {key: value for key, value in os.environ.items() if not key.startswith("ROSTERBOOK_")} | added


def processes_of(folder: Path) -> dict[int, str]:
    """Process id -> command line of all that live and have to do with this data folder, this process excepted."""
    found = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            named = any(str(folder) == word or f"{folder}/" in word for word in words)
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if named or process.environ().get("ROSTERBOOK_DATA") == str(folder):
                found[process.pid] = " ".join(words)[-200:]
    return found


async def none_left(folder: Path, deadline: float = 5.0) -> None:
    """Every process of this data folder has ended. deadline: seconds; fails after that, naming what is left."""
    left: dict[int, str] = {}

    def none() -> bool:
        nonlocal left
        left = processes_of(folder)
        return not left

    try:
        await until("every process has ended", none, deadline)
    except AssertionError as error:
        raise AssertionError(f"{error}; left: {left}") from None


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


async def rosterbook(*arguments: str | Path, deadline: float = 60.0, **variables: str) -> Ended:
    """Run a command to its end. deadline: seconds; it is killed and the test fails after that."""
    process = await asyncio.create_subprocess_exec(
        *tethered([sys.executable, "-m", "agents.cli", *map(str, arguments)]),
        env=environment(**variables),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(deadline):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


class Up:
    """A running `rosterbook up --json`. events: what it has said so far, in order."""

    def __init__(self, **variables: str) -> None:
        self.events: list[dict[str, Any]] = []
        self.errors = ""
        self._variables = variables
        self._process: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Task[None]] = []

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "it was not started"
        return self._process

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *tethered([sys.executable, "-m", "agents.cli", "up", "--json"]),
            env=environment(**self._variables),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self._readers = [asyncio.create_task(self._read_events()), asyncio.create_task(self._read_errors())]

    async def _read_events(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.events.append(json.loads(line))

    async def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors = (await self.process.stderr.read()).decode()

    async def ready(self) -> dict[str, Any]:
        """The event that says that all of it is ready."""

        def found() -> dict[str, Any] | None:
            assert self.process.returncode is None, f"up ended: {self.errors or self.events}"
            return next((event for event in self.events if event["event"] == "ready"), None)

        event = await until("up is ready", found, READY_S)
        assert event is not None
        return event

    def told(self, *words: str) -> list[str]:
        """What it said about its parts, where all of these words occur."""
        texts = [str(event["text"]) for event in self.events if event["event"] == "part"]
        return [text for text in texts if all(word in text for word in words)]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self, deadline: float) -> int:
        """Its exit code; negative for a signal."""
        async with asyncio.timeout(deadline):
            code = await self.process.wait()
            await asyncio.gather(*self._readers)
        return code

    async def end(self) -> None:
        """End it for good, whatever it does."""
        if self._process is not None:
            if self._process.returncode is None:
                self._process.send_signal(signal.SIGCONT)
                self._process.terminate()
                with suppress(TimeoutError):
                    async with asyncio.timeout(10):
                        await self._process.wait()
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
            await asyncio.gather(*self._readers)
