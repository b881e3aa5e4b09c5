"""Runs the demo from start to end: set the stage, tell the story, wait until both sides show the same, report."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.live import Live

from agents.demo.equal import Comparison, compare
from agents.demo.lag import lag_of
from agents.demo.screen import screen
from agents.demo.stage import Stage
from agents.demo.story import Chapter, arrival, chapters, daily_life
from agents.demo.watch import Watch
from stream.clock import Clock, SystemClock
from stream.errors import Fatal
from stream.records import Mapping
from stream.settings import load_settings
from stream.telemetry import configure_logging

LOOK_S = 0.2
ANSWER_S = 1.0
"""Seconds within which the worker tells its lag, for the picture not to stand still."""
BETWEEN_CHAPTERS_S = 3.0
"""So that a person who watches can follow."""
STILL_S = 60.0
"""Nothing changed on either side for so long, and they still differ: something is wrong."""


class Demo:
    """One performance. `say` gets a line for each thing worth telling while nobody watches a live view."""

    def __init__(self, employees: int, *, say: Callable[[str], None], clock: Clock | None = None) -> None:
        self._employees = employees
        self._print = say
        self._viewing = False
        self._clock = clock or SystemClock()
        self._began = _process_start(self._clock.monotonic())
        self._has_contacts = False
        self._headline = ""
        self.data = Path(tempfile.mkdtemp(prefix="rosterbook-demo-"))
        (self.data / "logs").mkdir()
        self.stage = Stage(self.data, say=self._say)
        self.watch: Watch | None = None

    def _say(self, line: str) -> None:
        """A line of text, or the headline of the live view while there is one."""
        self._headline = line
        if not self._viewing:
            self._print(line)

    def compare(self) -> Comparison:
        return compare(self.stage.vendors.bamboohr.company, self.stage.vendors.zoho.organization, Mapping())

    async def tell(self, pause: float) -> None:
        """The story, to its end. pause: seconds between chapters once the sides agree."""
        company = self.stage.vendors.bamboohr.company
        await self._happen(arrival(company, self._employees), pause)
        for chapter in chapters(company):
            await self._happen(chapter, pause)

    async def go_on(self) -> None:
        """Small changes for ever."""
        for seed in range(sys.maxsize):
            await self._happen(daily_life(self.stage.vendors.bamboohr.company, seed), BETWEEN_CHAPTERS_S)

    async def _happen(self, chapter: Chapter, pause: float) -> None:
        self._say(chapter.title)
        chapter.happen()
        await self.synced()
        if pause:
            await asyncio.sleep(pause)

    async def synced(self) -> None:
        """Return once both sides show the same. Raises Fatal when nothing moves any more and they still differ."""
        last, since = (-1, -1), self._clock.monotonic()
        while not self.compare().equal:
            self._tell_first_contact()
            if self.stage.installation.failed.done():
                raise self.stage.installation.failed.result()
            now = (len(self.watch.latencies_ms) if self.watch else 0, self.stage.vendors.zoho_calls)
            if now != last:
                last, since = now, self._clock.monotonic()
            elif self._clock.monotonic() - since > STILL_S:
                raise Fatal(f"Nothing has moved for {STILL_S:g} s and both sides differ: see {self.data / 'logs'}.")
            await asyncio.sleep(LOOK_S)
        self._tell_first_contact()

    def _tell_first_contact(self) -> None:
        if not self._has_contacts and self.stage.vendors.zoho.organization.contacts:
            self._has_contacts = True
            told = f"first contact after {self._clock.monotonic() - self._began:.1f} s"
            self._say(f"{self._headline}: {told}" if self._viewing else told.capitalize())

    async def show(self) -> None:
        """The live view, until cancelled."""
        assert self.watch is not None
        self._viewing = True
        console = Console()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S)) as http:
            with Live(console=console, refresh_per_second=8, screen=False) as live:
                while True:
                    lag = await lag_of(http, self.stage.installation.address("worker"))
                    live.update(screen(self.stage, self.watch, self._headline, self.compare(), lag, *console.size))
                    await asyncio.sleep(LOOK_S)

    def report(self) -> dict[str, object]:
        """The figures at the end."""
        assert self.watch is not None
        found = self.compare()
        return {
            "employees": found.employees,
            "contacts": found.contacts,
            "missing": found.missing,
            "duplicates": found.duplicates,
            "wrong": found.wrong,
            "zoho_calls": self.stage.vendors.zoho_calls,
            "latency_ms": self.watch.percentiles(),
        }


async def perform(employees: int, *, exit_when_synced: bool, live: bool, say: Callable[[str], None]) -> Demo:
    """Play the demo. With `exit_when_synced` it is returned when the story is over, or was broken off: then that is
    said, and both sides may differ. Else it goes on for ever. Raises Fatal where it goes on no more, or never began.
    """
    demo = Demo(employees, say=say)
    configure_logging(load_settings(), file=demo.data / "logs" / "demo.log")
    say(f"Data folder {demo.data}")
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(demo.stage)
        say(f"Zoho's limit is raised to {stage.vendors.calls_per_minute} calls a minute; a real organization has 100.")
        demo.watch = Watch(stage.installation.kafka)
        await demo.watch.start()
        stack.push_async_callback(demo.watch.stop)
        view = asyncio.create_task(demo.show() if live else asyncio.Event().wait())
        broken_off = None
        try:
            await demo.tell(0 if exit_when_synced else BETWEEN_CHAPTERS_S)
            if not exit_when_synced:
                await demo.go_on()
        except Fatal as error:
            if not exit_when_synced:
                raise
            broken_off = error.message
        finally:
            view.cancel()
            await asyncio.gather(view, return_exceptions=True)
        if broken_off is not None:
            say(broken_off)
        await _caught_up(demo.watch)
    return demo


async def _caught_up(watch: Watch) -> None:
    """The watch reads the log a moment after the contacts are right: wait until it has nothing more to read."""
    seen = -1
    while seen != len(watch.latencies_ms):
        seen = len(watch.latencies_ms)
        await asyncio.sleep(LOOK_S * 4)


def _process_start(now: float) -> float:
    """When this process began, by the clock of `now`; `now` itself where the system does not tell (it is Linux's)."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])  # proc(5): starttime
    except (OSError, ValueError, IndexError):
        return now
    return min(now, ticks / os.sysconf("SC_CLK_TCK"))
