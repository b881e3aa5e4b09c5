"""A worker or gateway of the run: a real process, started again when it ends by itself, as a supervisor would."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import aiohttp

from stream.tether import tethered
from tests.chaos.proxy import Proxy
from tests.e2e.processes import environment

Kind = Literal["worker", "gateway"]
START_AGAIN_S = 0.5
ENDS_S = 8.0
ASK_S = 3.0
LAST_WORDS = re.compile(r'"event":\s*"((?:worker|gateway)\.(?:crashed|fatal|failed))".*')


class Member:
    """kafka: its paths to the brokers; vendors: those to the sandboxes. skew: seconds its wall clock will be ahead."""

    def __init__(
        self,
        name: str,
        kind: Kind,
        folder: Path,
        variables: Mapping[str, str],
        *,
        kafka: Sequence[Proxy],
        vendors: Sequence[Proxy] = (),
        without: Sequence[str] = (),
    ) -> None:
        """without: protections that its process does not have (see `tests/chaos/protections.py`)."""
        self.name = name
        self.kind = kind
        self.data = folder / name
        self.log_file = folder / f"{name}.log"
        self.kafka = kafka
        self.vendors = vendors
        self.skew = 0.0
        self.wanted = False
        self.ends: Counter[str] = Counter()
        """How it ended by itself, and how often."""
        self._without = without
        self.variables = {**variables, "ROSTERBOOK_DATA": str(self.data)}
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._asked_to_end = False

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it, and again whenever it ends, until `leave` or `down`."""
        self.wanted = True
        self.data.mkdir(parents=True, exist_ok=True)
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def _spawn(self) -> None:
        options = [f"--skew={self.skew:g}"] if self.skew else []
        options += [f"--without={name}" for name in self._without]
        (self.data / self.kind / "address").unlink(missing_ok=True)
        self._asked_to_end = False
        with self.log_file.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *tethered([sys.executable, "-m", "tests.chaos.process", *options, self.kind]),
                env=environment(**self.variables),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    async def _keep(self) -> None:
        while True:
            assert self._process is not None
            status = await self._process.wait()
            if not self._asked_to_end:
                self.ends[f"status {status}"] += 1
            await asyncio.sleep(START_AGAIN_S)
            await self._spawn()

    def send(self, number: int) -> None:
        """A signal, if it lives. If it ends by that, as one that has only begun may, it is no end of its own."""
        if self.runs and self._process is not None:
            self._asked_to_end = self._asked_to_end or number not in (signal.SIGSTOP, signal.SIGCONT)
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def down(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it, and do not start it again."""
        self.wanted = False
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        if self._process is None:
            return
        self.send(signal.SIGCONT)
        self.send(number)
        try:
            async with asyncio.timeout(ENDS_S):
                await self._process.wait()
        except TimeoutError:
            self.ends["did not end when told to"] += 1
            self.send(signal.SIGKILL)
            await self._process.wait()

    def forget_state(self) -> None:
        """Delete its local tables, as a new machine would not have them."""
        assert not self.runs
        shutil.rmtree(self.data / "worker", ignore_errors=True)

    async def ask(self, path: str) -> Any:
        """What it answers: JSON or text, None while it does not answer."""
        try:
            address = (self.data / self.kind / "address").read_text().strip()
            timeout = aiohttp.ClientTimeout(total=ASK_S)
            async with aiohttp.ClientSession(timeout=timeout) as http, http.get(f"http://{address}{path}") as answer:
                json = answer.content_type == "application/json"
                return await answer.json() if json else await answer.text()
        except (OSError, aiohttp.ClientError, TimeoutError):
            return None

    async def ready(self) -> bool:
        told = await self.ask("/readyz")
        return isinstance(told, dict) and told.get("ready") is True

    def last_words(self) -> Counter[str]:
        """Reasons its log gives for its ends, and how often."""
        found: Counter[str] = Counter()
        with suppress(FileNotFoundError), self.log_file.open(errors="replace") as lines:
            for line in lines:
                if LAST_WORDS.search(line):
                    reason = re.search(r'"reason":\s*"([^"]{0,160})', line)
                    found[reason[1] if reason else line[:160]] += 1
        return found
