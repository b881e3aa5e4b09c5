"""One process of an installation: started tied to us, its output in a file, ended within a grace."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path

from stream.tether import tethered

TAIL = 400
"""Characters of a log file that are shown when a process ended by itself."""
ENDING = ("error", "critical")
"""Levels of what may end a process."""
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Child:
    """A `rosterbook` command as a child process. It is killed when this process ends, however it ends."""

    def __init__(self, command: str, *, logs: Path, environment: dict[str, str]) -> None:
        self.name = command
        self.log_file = logs / f"{command}.log"
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        with self.log_file.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *tethered([sys.executable, "-m", "agents.cli", self.name]),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **self._environment},
                start_new_session=True,  # a terminal's Ctrl-C is ours to handle
            )

    async def wait(self) -> str:
        """Returns when the process has ended: how, in words."""
        assert self._process is not None
        status = await self._process.wait()
        return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"

    async def stop(self, grace: float) -> None:
        """End it, killing it after `grace` seconds. May be called again."""
        if self._process is None or self._process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(grace):
                await self._process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def last_words(self) -> str:
        """Why it ended, by the last line of its log: a sentence, or of one in JSON the reason; else where to look.

        What is logged as less than an error, or before a signal, is no reason.
        """
        if self._process is None or (self._process.returncode or 0) >= 0:
            with suppress(OSError), self.log_file.open("rb") as file:
                file.seek(max(0, self.log_file.stat().st_size - 64 * 1024))
                lines = file.read().decode(errors="replace").strip().splitlines()
                if lines and (reason := _reason(ANSI.sub("", lines[-1]))):
                    return reason[:TAIL]
        return f"{self.log_file} says what it did last."


def _reason(line: str) -> str:
    with suppress(ValueError):
        told = json.loads(line)
        if isinstance(told, dict):
            return str(told.get("reason", "")) if told.get("level") in ENDING else ""
    return line
