"""What the worker says of a connection: whether it serves it, why it waits, and what its backlog will take."""

from __future__ import annotations

from typing import Any

import aiohttp
import orjson

ONE_ANSWER_S = 5.0


async def standing(worker: str | None, connection: str) -> dict[str, Any] | None:
    """worker: its `http://host:port`. None when no worker answers there."""
    if worker is None:
        return None
    timeout = aiohttp.ClientTimeout(total=ONE_ANSWER_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(f"{worker}/connections/{connection}", allow_redirects=False) as answer,
        ):
            told = orjson.loads(await answer.read()) if answer.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError):
        return None
    return told if isinstance(told, dict) else None
