"""What the worker says of a connection: whether it serves it, why it waits, and what its backlog will take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import orjson

from agents.cli.console import note

ONE_ANSWER_S = 5.0
AT_ONCE = 20
LOOK_EVERY_S = 2.0


async def standing(worker: str | None, connection: str) -> dict[str, Any] | None:
    """worker: its `http://host:port`. None when no worker answers there."""
    return (await standings(worker, [connection]))[0]


async def standings(worker: str | None, connections: Sequence[str]) -> list[dict[str, Any] | None]:
    """The same of several, in their order."""
    if worker is None:
        return [None] * len(connections)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=ONE_ANSWER_S, sock_read=ONE_ANSWER_S)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=AT_ONCE)) as http:
        return await asyncio.gather(*(_asked(http, worker, connection) for connection in connections))


async def tell_why(worker: Callable[[], str | None], connection: str, mode: str) -> None:
    """Say on standard error why the connection waits, each time that the reason changes, until cancelled.

    mode: of the connection, which is what the worker says while nothing waits.
    """
    said = mode
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        told = await standing(worker(), connection)
        reason = "no worker answers: start one" if told is None else str(told.get("reason"))
        if reason not in (said, mode):
            note(f"It waits ({reason.rstrip('.')}).")
            said = reason


async def _asked(http: aiohttp.ClientSession, worker: str, connection: str) -> dict[str, Any] | None:
    try:
        async with http.get(f"{worker}/connections/{connection}", allow_redirects=False) as answer:
            told = orjson.loads(await answer.read()) if answer.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError):
        return None
    return told if isinstance(told, dict) else None
