"""Starts the bare handler (`bare_handler.py`) and ends it."""

from __future__ import annotations

import asyncio
import json
import sys
from types import TracebackType
from typing import Self

from stream.tether import tethered

START_S = 30.0


class BareHandler:
    """told: what `bare_handler.py` reads. address: host:port, once entered."""

    def __init__(self, told: dict[str, object]) -> None:
        self._told = told
        self._process: asyncio.subprocess.Process | None = None
        self.address = ""

    @property
    def pid(self) -> int:
        assert self._process is not None, "the handler was not started"
        return self._process.pid

    async def __aenter__(self) -> Self:
        self._process = process = await asyncio.create_subprocess_exec(
            *tethered([sys.executable, "-m", "tests.bench.bare_handler"]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(self._told).encode() + b"\n")
        async with asyncio.timeout(START_S):
            self.address = f"127.0.0.1:{int(await process.stdout.readline())}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
