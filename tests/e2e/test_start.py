"""`rosterbook up` before it is ready: told to end, killed, or kept from its port."""

from __future__ import annotations

import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.e2e.processes import Up, none_left, processes_of
from tests.e2e.waiting import until


@asynccontextmanager
async def starting(data: Path, gateway_port: int = 0) -> AsyncIterator[Up]:
    up = Up(
        ROSTERBOOK_DATA=str(data),
        ROSTERBOOK_GATEWAY_PORT=str(gateway_port),
        ROSTERBOOK_METRICS_PORT="0",
    )
    await up.start()
    try:
        yield up
    finally:
        await up.end()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
async def test_ended_while_it_starts_it_leaves_no_process(tmp_path: Path, number: signal.Signals, code: int) -> None:
    async with starting(tmp_path / "data") as up:
        await until("it has started something", lambda: len(processes_of(tmp_path / "data")) > 1, 30)
        up.send(number)
        await none_left(tmp_path / "data")
        assert await up.ended(1) == code
        assert up.errors == ""


async def test_taken_gateway_port_ends_it_with_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with starting(tmp_path / "data", port) as up:
            assert await up.ended(60) == 2
            assert up.errors.count("\n") == 1
            assert f"Port {port} of 127.0.0.1 cannot be used" in up.errors
            assert len(up.told("gateway ended")) == 1, "what is misset is not tried again"
            assert not processes_of(tmp_path / "data")
