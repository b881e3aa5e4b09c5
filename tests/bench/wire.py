"""HTTP with as little as possible around it: prebuilt requests on kept-open connections, answers counted by length.

The client must not be what is measured, so nothing is parsed but the status and the length of an answer.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

from stream.bamboohr.signature import SIGNATURE, TIMESTAMP, sign

LENGTH = b"\r\ncontent-length: "


def delivery(employee: str, changed: tuple[str, ...] = ("jobTitle",)) -> bytes:
    """The body of an event-based webhook about an update."""
    event = {
        "type": "employee.updated",
        "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "data": {"companyId": "9001", "employeeId": employee, "changedFields": list(changed)},
    }
    return json.dumps(event, separators=(",", ":")).encode()


def signed_post(address: str, path: str, body: bytes, key: str) -> bytes:
    """The whole request, signed now as BambooHR signs."""
    timestamp = str(int(time.time()))
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n"
        f"{TIMESTAMP}: {timestamp}\r\n{SIGNATURE}: {sign(key.encode(), body, timestamp)}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Wire(asyncio.Protocol):
    """One connection. answered: told of the status of each answer, once it is here in full."""

    def __init__(self, answered: Callable[[int], None], lost: Callable[[], None]) -> None:
        self._answered = answered
        self._lost = lost
        self._arrived = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def connection_lost(self, _: Exception | None) -> None:
        self._lost()

    def send(self, request: bytes) -> None:
        assert self._transport is not None
        self._transport.write(request)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._arrived = arrived = self._arrived + data if self._arrived else data
        if (end := arrived.find(b"\r\n\r\n")) < 0:
            return
        at = arrived[:end].lower().find(LENGTH)
        length = int(arrived[at + len(LENGTH) : end].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(arrived) >= end + 4 + length:
            self._arrived = b""
            self._answered(int(arrived[9:12]))


class Caller:
    """One request at a time, awaited."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[int] | None = None
        self._wire: Wire | None = None

    async def connect(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        loop = asyncio.get_running_loop()
        _, self._wire = await loop.create_connection(lambda: Wire(self._done, self._gone), host, int(port))

    async def ask(self, request: bytes) -> int:
        """The status of the answer. Raises ConnectionError when the connection ends first."""
        assert self._wire is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._wire.send(request)
        return await self._answer

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()

    def _done(self, status: int) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(status)

    def _gone(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("The connection ended before the answer was there."))
