"""Bytes that are no HTTP request: what is answered and logged says nothing of them and nothing about us."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from stream.gateway.answers import json_response
from stream.gateway.server import Server

SECRET = b"hunter2-and-so-on"


async def _handle(_: web.BaseRequest) -> web.Response:
    return json_response(200, {})


async def _answer(sent: bytes) -> bytes:
    runner = web.ServerRunner(Server(_handle, access_log=None))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(sent)
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        return answer
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE /webhooks/bamboohr/acme HTTP/1.1\r\nHost: " + SECRET + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: " + SECRET + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nX-BambooHR-Signature: " + SECRET * 1000 + b"\r\n\r\n",
        b"POST /" + SECRET * 1000 + b" HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01" + SECRET + b"\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_refused_without_repeating_or_logging_it(
    sent: bytes, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    answer = await _answer(sent)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"400"
    assert b"Server: Rosterbook\r\n" in head
    assert body == b'{"error":"This is no HTTP request that can be read."}'
    logged = "".join([*capsys.readouterr(), caplog.text])
    assert "gateway.no_request" in logged
    assert SECRET.decode() not in logged
