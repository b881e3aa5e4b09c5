"""Whatever headers a request to the gateway has, it gets an answer, what is signed is kept, and nothing is repeated."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from stream.bamboohr.signature import SIGNATURE, TIMESTAMP, sign
from stream.codec import Written, canonical, decode, written
from stream.gateway.app import Gateway
from stream.gateway.webhook import KEPT_HEADERS
from stream.records import AnyRecord, DeadLetter, HrEvent
from stream.settings import Settings
from tests.fake_clock import START, FakeClock
from tests.gateway_client import BODY, KEY, VAULT, connection, open_key

SECRET = b"zq7!ada-moreno"
NOW = str(int(START.timestamp()))
Header = tuple[bytes, bytes]

NAMED = [name.encode() for name in KEPT_HEADERS] + [b"Expect", b"Accept", b"Content-Language", b"Cookie", b"X-Other"]
values = st.binary(max_size=40).map(lambda value: value.translate(None, b"\r\n\0").strip()) | st.sampled_from(
    [SECRET, b"", b"gzip", b"100-continue", b"application/x-www-form-urlencoded; charset=zq7", NOW.encode(), b"9" * 400]
)
headers = st.lists(st.tuples(st.sampled_from(NAMED), values), max_size=6)


class Memory:
    """A log and the view of one connection, both in memory. Whatever is appended is what its bytes say."""

    def __init__(self) -> None:
        self.records: dict[str, Any] = {"acme|settings": connection("acme")}
        self.outdated: set[str] = set()
        self.loaded = asyncio.Event()
        self.appended: list[AnyRecord] = []

    async def read_to_end(self) -> None:
        await asyncio.sleep(0)

    async def append(self, record: AnyRecord | Written, **_: Any) -> None:
        topic, _, _, value = written(record)
        found = decode(topic, value)
        assert canonical(found) == value
        self.appended.append(found)

    async def append_all(self, records: Sequence[AnyRecord | Written], **_: Any) -> None:
        for record in records:
            await self.append(record)


class Served:
    """A gateway on a free port."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.memory = Memory()
        self._runner = runner
        gateway = Gateway(Settings(), cast(Any, self.memory), cast(Any, self.memory), open_key, VAULT, FakeClock())
        self.memory.loaded.set()
        self.server = web.ServerRunner(web.Server(gateway.handle, access_log=None, auto_decompress=False))

    async def start(self) -> None:
        await self.server.setup()
        await web.TCPSite(self.server, "127.0.0.1", 0).start()

    def post(self, given: Sequence[Header], body: bytes) -> tuple[int, bytes]:
        """Status and the whole answer to a request with these bytes."""
        return self._runner.run(self._post(given, body))

    async def _post(self, given: Sequence[Header], body: bytes) -> tuple[int, bytes]:
        self.memory.appended.clear()
        lines = [b"POST /webhooks/bamboohr/acme HTTP/1.1", b"Host: x", b"Connection: close"]
        lines.append(b"Content-Length: %d" % len(body))
        lines += [name + b": " + value for name, value in given]
        reader, writer = await asyncio.open_connection(*self.server.addresses[0][:2])
        try:
            async with asyncio.timeout(10):
                writer.write(b"\r\n".join([*lines, b"", body]))
                answer = await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        final = answer.rpartition(b"HTTP/1.")[2] if answer.startswith(b"HTTP/1.1 100") else answer[7:]
        return int(final[2:5]), answer


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with asyncio.Runner() as runner:
        one = runner.run(started(runner))
        try:
            yield one
        finally:
            runner.run(one.server.cleanup())


async def started(runner: asyncio.Runner) -> Served:
    one = Served(runner)
    await one.start()
    return one


def signed(body: bytes) -> list[Header]:
    return [
        (SIGNATURE.encode(), sign(KEY.encode(), body, NOW).encode()),
        (TIMESTAMP.encode(), NOW.encode()),
    ]


@given(headers)
def test_what_is_not_signed_is_refused_and_nothing_is_kept_or_repeated(served: Served, given: list[Header]) -> None:
    status, answer = served.post(given, BODY)
    assert status in (400, 401, 417)
    assert served.memory.appended == []
    assert SECRET not in answer
    assert b"Traceback" not in answer


@given(headers, st.sampled_from([BODY, b"", b"\xff\xfe", b"a=1"]))
def test_what_is_signed_is_kept_whatever_else_comes_with_it(served: Served, given: list[Header], body: bytes) -> None:
    others = [(name, value) for name, value in given if name not in (SIGNATURE.encode(), TIMESTAMP.encode())]
    status, answer = served.post(signed(body) + others, body)
    assert SECRET not in answer
    if status in (400, 417):  # no HTTP that aiohttp takes: the vendor sends none such
        assert served.memory.appended == []
        return
    assert status == 200
    (record,) = served.memory.appended
    assert isinstance(record, HrEvent | DeadLetter)
    assert set(record.headers) <= set(KEPT_HEADERS)
    assert (record.raw if isinstance(record, HrEvent) else record.payload) == b64encode(body).decode()


@given(st.binary(max_size=30), st.binary(max_size=70))
def test_no_timestamp_or_signature_leads_to_anything_but_a_refusal(served: Served, at: bytes, signature: bytes) -> None:
    clean = [value.translate(None, b"\r\n\0").strip() for value in (at, signature)]
    status, _ = served.post([(TIMESTAMP.encode(), clean[0]), (SIGNATURE.encode(), clean[1])], BODY)
    assert status in (400, 401)
    assert served.memory.appended == []


def test_a_signed_delivery_is_accepted_here_at_all(served: Served) -> None:
    assert served.post(signed(BODY), BODY)[0] == 200
    (event,) = served.memory.appended
    assert isinstance(event, HrEvent)
    assert event.received_at == START
    assert event.employees == ("42",)
