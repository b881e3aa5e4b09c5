"""`rosterbook sandbox`: the first line tells a client all it needs, and a port that is taken is a sentence."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys

import aiohttp
import pytest

from stream.tether import tethered
from tests.e2e.processes import environment, rosterbook


async def start(*arguments: str) -> tuple[asyncio.subprocess.Process, dict[str, str]]:
    """The process, and its first line."""
    process = await asyncio.create_subprocess_exec(
        *tethered([sys.executable, "-m", "agents.cli", "sandbox", *arguments]),
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        return process, json.loads(await process.stdout.readline())


async def end(process: asyncio.subprocess.Process) -> None:
    """Nothing more on standard output, and a clean end."""
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(10):
        out, _ = await process.communicate()
    assert (process.returncode, out) == (0, b"")


async def test_bamboohr_serves_as_many_people_as_were_asked_for() -> None:
    process, first = await start("bamboohr", "--port", "0", "--employees", "7")
    try:
        headers = {"Authorization": aiohttp.encode_basic_auth(first["api_key"], "x")}
        async with aiohttp.ClientSession(headers=headers) as http:
            for employee, status in (("7", 200), ("8", 404)):
                url = f"{first['base_url']}/api/v1/employees/{employee}?fields=workEmail"
                async with http.get(url, headers={"Accept": "application/json"}) as answer:
                    assert answer.status == status
        await end(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_zoho_lets_in_who_has_what_the_first_line_says() -> None:
    process, first = await start("zoho", "--port", "0")
    try:
        form = {name: first[name] for name in ("client_id", "client_secret", "refresh_token")}
        form["grant_type"] = "refresh_token"
        async with aiohttp.ClientSession() as http:
            async with http.post(f"{first['accounts_url']}/oauth/v2/token", data=form) as answer:
                token = (await answer.json())["access_token"]
            headers = {"Authorization": f"Zoho-oauthtoken {token}"}
            query = {"organization_id": first["organization_id"]}
            async with http.get(f"{first['api_url']}/contacts", headers=headers, params=query) as answer:
                assert answer.status == 200
                assert (await answer.json())["contacts"] == []
        await end(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("vendor", ["bamboohr", "zoho"])
async def test_taken_port_is_a_sentence(vendor: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = await rosterbook("sandbox", vendor, "--port", str(port))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.count("\n") == 1
    assert f"Port {port} cannot be used" in ended.err
