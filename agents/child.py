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
        """The last line of its log, which usually says why it ended: of one in JSON the reason alone."""
        with suppress(OSError), self.log_file.open("rb") as file:
            file.seek(max(0, self.log_file.stat().st_size - 64 * 1024))
            lines = file.read().decode(errors="replace").strip().splitlines()
            return _reason(ANSI.sub("", lines[-1]))[:TAIL] if lines else ""
        return ""


def _reason(line: str) -> str:
    with suppress(ValueError):
        told = json.loads(line)
        if isinstance(told, dict) and isinstance(told.get("reason"), str):
            return str(told["reason"])
    return line
