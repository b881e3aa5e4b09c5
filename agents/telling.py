"""Tells whoever asked for a command how far it has come, while it is carried out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from pydantic import JsonValue

from stream.core.rows import Asked, Company
from stream.lane import Lane
from stream.patience import Patience
from stream.records import CommandOutcome, ConnectionId


@asynccontextmanager
async def telling(
    tell: Callable[[], Awaitable[None]], every: float, *, name: str, first: float = 0.0
) -> AsyncIterator[None]:
    """Tell again and again while the body runs. every, first: seconds between two, and before the first."""
    teller = asyncio.create_task(_keep(tell, every, first), name=name)
    try:
        yield
    finally:
        teller.cancel()
        await asyncio.gather(teller, return_exceptions=True)


async def _keep(tell: Callable[[], Awaitable[None]], every: float, first: float) -> None:
    await asyncio.sleep(first)
    while True:
        await tell()
        await asyncio.sleep(every)


def waits_for(patience: Patience, people: Lane, contacts: Lane) -> str | None:
    """Why work with these does not go on, a sentence; None while it does."""
    return patience.waits_for or people.suspended or contacts.suspended or contacts.ledger.closed


def progress(
    connection: ConnectionId,
    command: str,
    company: Company | None,
    says: str,
    at: datetime,
    *,
    waits: str | None = None,
    result: Mapping[str, JsonValue] | None = None,
    asked: Asked | None = None,
) -> CommandOutcome:
    """To the newest who asked: whoever waits behind another, or has joined, must hear that somebody is there.

    company: the row that knows who that is; asked: who it is where the row does not. waits: why it does not go on.
    """
    newest = asked if company is None else company.asked.get(command, asked)
    assert newest is not None, "somebody has asked"
    return CommandOutcome(
        connection=connection,
        command=command,
        cause=newest.cause,
        state="progress",
        says=says if waits is None else f"{says} It waits: {waits}",
        result=dict(result or {}),
        at=at,
    )
