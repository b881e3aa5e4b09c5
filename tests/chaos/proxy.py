"""A TCP proxy whose path can be cut or slowed while connections are open: the network between two processes."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

HOST = "127.0.0.1"
CHUNK = 64 * 1024
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, no time: closing sends RST, as a dead path or a dead host does."""


class Proxy:
    """One path to `target` (a port of this machine). Its own port is taken when it is made, and kept to the end.

    delay: seconds that each chunk is late, in both directions; a slow path keeps the order of its bytes.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.delay = 0.0
        self._cut = False
        self._listening = socket.create_server((HOST, 0))
        self.port: int = self._listening.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._paths: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, sock=self._listening)

    def cut(self) -> None:
        """Reset what is open, refuse what comes, until `heal`."""
        self._cut = True
        for writer in list(self._open):
            _reset(writer)

    def heal(self) -> None:
        self._cut = False
        self.delay = 0.0

    async def stop(self) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()
        self._listening.close()
        for path in self._paths:
            path.cancel()
        await asyncio.gather(*self._paths, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = asyncio.get_running_loop().create_task(self._connect(reader, writer))
        self._paths.add(path)
        path.add_done_callback(self._paths.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            return _reset(writer)
        self._open.add(writer)
        try:
            try:
                far_reader, far_writer = await asyncio.open_connection(HOST, self.target)
            except OSError:
                return _reset(writer)
            self._open.add(far_writer)
            try:
                await self._carry_both(reader, writer, far_reader, far_writer)
            finally:
                self._open.discard(far_writer)
                far_writer.close()
        finally:
            self._open.discard(writer)
            writer.close()

    async def _carry_both(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far_writer: asyncio.StreamWriter,
    ) -> None:
        ways = [asyncio.create_task(self._carry(*way)) for way in ((reader, far_writer), (far_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                if self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
