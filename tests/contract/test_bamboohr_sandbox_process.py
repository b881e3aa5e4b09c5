"""The BambooHR sandbox as a process: one line of JSON when it is ready, gone when it is told to stop."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

import aiohttp

_PROGRAM = """
import asyncio
from stream.sandbox.bamboohr import serve
from stream.settings import Settings
from stream.telemetry import configure_logging
configure_logging(Settings())
asyncio.run(serve(0, 7))
"""


async def test_the_first_line_tells_where_and_how_to_get_in() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PROGRAM, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
        assert set(ready) == {"base_url", "subdomain", "api_key", "client_id", "client_secret", "refresh_token"}
        assert ready["base_url"].endswith("/acme")
        headers = {"Authorization": aiohttp.encode_basic_auth(ready["api_key"], "x")}
        url = f"{ready['base_url']}/api/v1/employees"
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
            assert (await answer.json())["meta"]["total"] == 7
        process.send_signal(signal.SIGTERM)
        rest, logged = await asyncio.wait_for(process.communicate(), 10)
        assert (process.returncode, rest) == (0, b"")
        (started,) = [line for line in map(json.loads, logged.splitlines()) if line["event"] == "sandbox.started"]
        assert ready["base_url"] == f"http://127.0.0.1:{started['port']}/acme"
        assert ready["api_key"].encode() not in logged
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
