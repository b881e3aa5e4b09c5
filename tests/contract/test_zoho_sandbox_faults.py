"""The Zoho sandbox goes wrong on demand, counts what was asked of it, and runs as a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from stream.sandbox.faults import Fault
from tests.contract.zoho_caller import Caller, person, running_sandbox

NAME = {"contact_name": "Ada"}


async def until(condition: Callable[[], bool]) -> None:
    """Wait on a condition that another task of this loop brings about."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def plant(zoho: Caller, **fault: Any) -> None:
    assert (await zoho.control("POST", "faults", fault)).status == 201


async def lost(zoho: Caller, method: str = "POST", path: str = "/contacts") -> None:
    """One call whose answer does not arrive whole."""
    with pytest.raises(aiohttp.ClientError):
        await zoho.call(method, path, NAME if method == "POST" else None)


async def test_a_dropped_write_was_applied_after_or_not_applied_before() -> None:
    async with running_sandbox() as zoho:
        await plant(zoho, method="POST", path="/books/v3/contacts", drop="before")
        await plant(zoho, method="POST", path="/books/v3/contacts", drop="after")
        await lost(zoho)
        assert await zoho.names() == []
        await lost(zoho)
        assert await zoho.names() == ["Ada"]
        await zoho.create("Bo")
        counts = zoho.sandbox.calls.by_status
        assert counts["contacts.create", "POST", "dropped"] == 2
        assert counts["contacts.create", "POST", 201] == 1
        assert zoho.sandbox.calls.writes == 2


async def test_half_an_answer_and_another_text_in_its_place() -> None:
    async with running_sandbox() as zoho:
        await plant(zoho, path="/books/v3/contacts", body="half")
        await lost(zoho)
        assert len(zoho.sandbox.organization.contacts) == 1
        await plant(zoho, path="/books", body='{"code":0')
        with pytest.raises(json.JSONDecodeError):
            await zoho.call("GET", "/contacts")


async def test_a_silent_500_was_applied_or_not() -> None:
    async with running_sandbox() as zoho:
        await plant(zoho, method="POST", status=500)
        await plant(zoho, method="POST", status=500, applied=True)
        for _ in range(2):
            assert (await zoho.call("POST", "/contacts", NAME)).outcome == (500, 1000)
        assert await zoho.names() == ["Ada"]


async def test_a_fault_hits_what_it_names_as_often_as_it_says() -> None:
    async with running_sandbox() as zoho:
        await plant(zoho, path=r"/books/v3/contacts/\d+$", status=429, code=43, retry_after=3600, skip=1, times=2)
        contact = await zoho.create()
        path = f"/contacts/{contact['contact_id']}"
        assert (await zoho.call("GET", path)).status == 200
        assert (await zoho.call("GET", "/contacts")).status == 200
        for _ in range(2):
            refused = await zoho.call("GET", path)
            assert (refused.outcome, refused.headers["Retry-After"]) == ((429, 43), "3600")
        assert (await zoho.call("GET", path)).status == 200
        assert (await zoho.control("GET", "faults")).body == {"pending": []}


async def test_an_endless_fault_ends_when_it_is_cleared() -> None:
    async with running_sandbox() as zoho:
        zoho.sandbox.faults.plant(Fault(path="/oauth", status=200, code="invalid_code", times=None))
        for _ in range(3):
            answer = await zoho.refresh()
            assert (answer.status, answer.body) == (200, {"error": "invalid_code"})
        await zoho.control("DELETE", "faults")
        assert "access_token" in (await zoho.refresh()).body


@pytest.mark.parametrize("fault", [{"delay_s": 30}, {"hold_s": 30}])
async def test_a_slow_answer_keeps_the_call_in_flight_and_ends_with_the_sandbox(fault: dict[str, Any]) -> None:
    async with running_sandbox() as zoho:
        await plant(zoho, method="POST", **fault)
        slow = asyncio.create_task(zoho.call("POST", "/contacts", NAME))
        await until(lambda: zoho.sandbox.ledger.in_flight == 1)
        await until(lambda: bool(zoho.sandbox.organization.contacts) == ("hold_s" in fault))
        await zoho.sandbox.stop()
        with pytest.raises(aiohttp.ClientError):
            await slow
        assert zoho.sandbox.ledger.in_flight == 0


async def test_late_write_is_applied_although_its_caller_has_gone() -> None:
    async with running_sandbox() as zoho:
        await plant(zoho, method="POST", delay_s=0.5)
        impatient = asyncio.create_task(zoho.call("POST", "/contacts", NAME))
        await until(lambda: zoho.sandbox.ledger.in_flight == 1)
        impatient.cancel()
        await asyncio.gather(impatient, return_exceptions=True)
        assert not zoho.sandbox.organization.contacts
        await until(lambda: len(zoho.sandbox.organization.contacts) == 1)


@pytest.mark.parametrize(
    "wrong",
    [{"colour": 1}, {"path": "("}, {"drop": "later"}, {"status": "500"}, {"times": True}, "fault", [{"times": "many"}]],
)
async def test_a_fault_that_says_nothing_sensible_is_refused(wrong: Any) -> None:
    async with running_sandbox() as zoho:
        answer = await zoho.control("POST", "faults", wrong)
        assert answer.status == 400
        assert answer.body["error"]


async def test_calls_are_counted_by_operation_and_control_is_not() -> None:
    async with running_sandbox() as zoho:
        contact = await zoho.create(contact_persons=[person("ada@example.test")])
        await zoho.names(email="ada@example.test")
        await zoho.names(sort_column="created_time")
        await zoho.call("POST", f"/contacts/{contact['contact_id']}/inactive")
        await zoho.call("POST", "/contacts", {})
        await zoho.refresh()
        counted = (await zoho.control("GET", "calls")).body
        assert (counted["calls"], counted["writes"], counted["searches"]) == (6, 2, 1)
        assert {"operation": "contacts.create", "method": "POST", "status": 400, "count": 1} in counted["operations"]
        assert zoho.sandbox.calls.count("contacts.create") == 2
        assert (await zoho.control("DELETE", "calls")).body["calls"] == 0


async def test_control_shows_every_contact_whole() -> None:
    async with running_sandbox() as zoho:
        contact = await zoho.create(contact_persons=[person("ada@example.test")])
        assert (await zoho.control("GET", "contacts")).body["contacts"] == [contact]


async def test_an_outage_loses_no_contact() -> None:
    async with running_sandbox() as zoho:
        await zoho.create()
        port = int(zoho.sandbox.accounts_url.rpartition(":")[2])
        await zoho.sandbox.stop()
        with pytest.raises(aiohttp.ClientError):
            await zoho.call("GET", "/contacts")
        await zoho.sandbox.start(port)
        assert await zoho.names() == ["Ada Moreno"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_process_says_first_where_it_is_and_ends_on_a_signal(number: signal.Signals) -> None:
    program = (
        "import asyncio; from stream.sandbox.zoho.serve import serve; from stream.settings import Settings;"
        "from stream.telemetry import configure_logging; configure_logging(Settings()); asyncio.run(serve(0))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(30):
            assert process.stdout is not None
            first = json.loads(await process.stdout.readline())
            assert set(first) == {
                "accounts_url",
                "api_url",
                "organization_id",
                "client_id",
                "client_secret",
                "refresh_token",
            }
            assert first["api_url"] == first["accounts_url"] + "/books/v3"
            client = {key: first[key] for key in ("client_id", "client_secret", "refresh_token")}
            asked = {**client, "grant_type": "refresh_token"}
            async with (
                aiohttp.ClientSession() as http,
                http.post(first["accounts_url"] + "/oauth/v2/token", data=asked) as answer,
            ):
                assert (await answer.json())["expires_in"] == 3600
            process.send_signal(number)
            assert await process.stdout.read() == b""
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
