"""Waits until a connection that was just saved is in service: its webhooks are accepted and a worker has it.

The gateway is asked the way BambooHR would ask it, with a signed notice that names no employee, so nothing is appended.
The worker is asked on its own address. Both are asked again until they agree or the time is up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

import aiohttp
import orjson

from stream.bamboohr.signature import SIGNATURE, TIMESTAMP, sign
from stream.clock import Clock
from stream.errors import Retriable, SettingsError
from stream.records import Connection
from stream.telemetry import Masked

DEADLINE_S = 30.0
ONE_ANSWER_S = 5.0
ASK_AGAIN_S = 0.2

Where = Callable[[], str | None]
"""Gives a process's `http://host:port`, asked each time since it may start only now."""
WebhookKey = Callable[[], Masked | None]
"""Gives the private key of the connection's webhook, None while the worker has not registered it yet."""


async def refuse_other_vault(key: str, worker: str | None) -> None:
    """Raise SettingsError when the running worker could not open what this key seals: saved, it would end its service.

    A worker that does not answer now is taken to hold it.
    """
    if worker is None:
        return
    timeout = aiohttp.ClientTimeout(total=ONE_ANSWER_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(f"{worker}/healthz") as answer:
            told = orjson.loads(await answer.read())
    except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError):
        return
    held = told.get("vault_keys") if isinstance(told, dict) else None
    if isinstance(held, list) and key not in held:
        raise SettingsError(
            f"Vault key {key} is not one that the worker at {worker} holds: point ROSTERBOOK_VAULT_KEY_FILE (or "
            "ROSTERBOOK_VAULT_KEYS) at the same keys for both."
        )


async def wait_until_in_service(
    connection: Connection,
    webhook_key: WebhookKey,
    gateway: Where,
    worker: Where,
    clock: Clock,
    *,
    pin: aiohttp.Fingerprint | bool = True,
    deadline: float = DEADLINE_S,
) -> None:
    """Return once both serve the connection as saved. Raises Retriable with the reason after `deadline` seconds.

    pin: how the gateway is known where it speaks https.
    """

    async def lacking(http: aiohttp.ClientSession) -> str | None:
        if (key := webhook_key()) is None:
            return await _lacks_worker(http, connection, worker(), registered=False)
        told = await _lacks_gateway(http, connection, key, gateway(), clock)
        return told or await _lacks_worker(http, connection, worker())

    await _until_nothing(lacking, connection, "Mend that and add it again", clock, deadline, pin)


async def wait_until_served(
    connection: Connection, worker: Where, clock: Clock, *, deadline: float = DEADLINE_S
) -> None:
    """Return once the worker serves the connection as saved. Raises Retriable with the reason after `deadline` s."""

    async def lacking(http: aiohttp.ClientSession) -> str | None:
        return await _lacks_worker(http, connection, worker())

    await _until_nothing(lacking, connection, "It takes effect once that is mended", clock, deadline)


async def _until_nothing(
    lacking: Callable[[aiohttp.ClientSession], Awaitable[str | None]],
    connection: Connection,
    remedy: str,
    clock: Clock,
    deadline: float,
    pin: aiohttp.Fingerprint | bool = True,
) -> None:
    timeout = aiohttp.ClientTimeout(total=min(ONE_ANSWER_S, deadline))
    end = clock.monotonic() + deadline
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(ssl=pin)) as http:
        told = await lacking(http)
        with suppress(TimeoutError):
            async with asyncio.timeout(end - clock.monotonic()):
                while told is not None:
                    await asyncio.sleep(ASK_AGAIN_S)
                    told = await lacking(http)
    if told is not None:
        raise Retriable(
            f"Connection {connection.connection} is saved, but not in service after {deadline:g} s: {told}. {remedy}.",
            connection=connection.connection,
        )


async def _lacks_gateway(
    http: aiohttp.ClientSession, connection: Connection, webhook_key: Masked, gateway: str | None, clock: Clock
) -> str | None:
    """Why the gateway does not take the connection's webhooks, None when it does."""
    if gateway is None:
        return "no gateway runs"
    try:
        return await _gateway_refusal(http, gateway, connection, webhook_key, clock)
    except (aiohttp.ClientError, TimeoutError):
        return f"the gateway does not answer at {gateway}"


async def _lacks_worker(
    http: aiohttp.ClientSession, connection: Connection, worker: str | None, *, registered: bool = True
) -> str | None:
    """Why no worker serves the connection as it was saved, None when one does. registered: it has its webhook."""
    if worker is None:
        return "no worker runs"
    try:
        return await _worker_refusal(http, worker, connection, registered=registered)
    except (aiohttp.ClientError, TimeoutError):
        return f"the worker does not answer at {worker}"


async def _gateway_refusal(
    http: aiohttp.ClientSession, gateway: str, connection: Connection, webhook_key: Masked, clock: Clock
) -> str | None:
    now = clock.now()
    body = orjson.dumps({"type": "company.updated", "timestamp": f"{now:%Y-%m-%dT%H:%M:%S}+0000", "data": {}})
    timestamp = str(int(now.timestamp()))
    headers = {
        "Content-Type": "application/json",
        TIMESTAMP: timestamp,
        SIGNATURE: sign(webhook_key.reveal.encode(), body, timestamp),
    }
    url = f"{gateway}/webhooks/bamboohr/{connection.connection}"
    async with http.post(url, data=body, headers=headers, allow_redirects=False) as answer:
        return None if answer.status == 200 else f"the gateway at {gateway} answers {answer.status} to its webhooks"


async def _worker_refusal(
    http: aiohttp.ClientSession, worker: str, connection: Connection, *, registered: bool
) -> str | None:
    async with http.get(f"{worker}/connections/{connection.connection}", allow_redirects=False) as answer:
        if answer.status != 200:
            return f"the worker at {worker} does not know it yet ({answer.status})"
        try:
            told = orjson.loads(await answer.read())
        except orjson.JSONDecodeError:
            return f"what answers at {worker} is no worker of Rosterbook"
    if not isinstance(told, dict) or told.get("serving") is not True:
        reason = told.get("reason") if isinstance(told, dict) else None
        return f"the worker does not serve it ({reason or 'no reason given'})"
    with suppress(KeyError, TypeError, ValueError):
        if datetime.fromisoformat(told["saved_at"]) < connection.saved_at:
            return "the worker serves it as it was saved before"
    return None if registered else f"its webhook is not registered in BambooHR yet ({told.get('reason')})"
