"""The path between two processes: carries bytes, is cut and slowed while connections are open, and heals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tests.chaos.proxy import Proxy


@pytest.fixture
async def path() -> AsyncIterator[Proxy]:
    """To a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = Proxy(server.sockets[0].getsockname()[1])
    await proxy.start()
    yield proxy
    await proxy.stop()
    server.close()


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"ping")
    async with asyncio.timeout(5):
        return await reader.read(4)


async def test_open_connections_are_reset_and_new_ones_refused_until_it_is_healed(path: Proxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", path.port)
    assert await asked(reader, writer) == b"ping"
    path.cut()
    with pytest.raises(ConnectionError):
        await asked(reader, writer)
    reader, second = await asyncio.open_connection("127.0.0.1", path.port)
    with pytest.raises(ConnectionError):
        await asked(reader, second)
    path.heal()
    reader, third = await asyncio.open_connection("127.0.0.1", path.port)
    assert await asked(reader, third) == b"ping"
    for open_writer in (writer, second, third):
        open_writer.close()


async def test_slow_path_is_late_in_both_directions_and_loses_nothing(path: Proxy) -> None:
    path.delay = 0.1
    reader, writer = await asyncio.open_connection("127.0.0.1", path.port)
    before = time.monotonic()
    assert await asked(reader, writer) == b"ping"
    assert time.monotonic() - before >= 0.2
    writer.close()
