"""Each protection of the product, taken away by a patch in one process; `tests/chaos/proofs.py` shows what it costs.

What the simulation takes away too is taken away the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from faust.streams import Stream

from stream.errors import LogUnavailable
from stream.gateway.answers import Answer
from stream.gateway.webhook import APPEND_S, Webhooks
from stream.records import DeadLetter, HrEvent
from tests.simulation import protections as shared

Patch = Callable[[pytest.MonkeyPatch], None]


def ack_before_durable(patch: pytest.MonkeyPatch) -> None:
    """A record is acked when it is handed out, not when all that follows from it is durable."""
    events = Stream.events

    async def acked_at_once(self: Any) -> AsyncIterator[Any]:
        async for event in events(self):
            await self.ack(event)
            yield event

    patch.setattr(Stream, "events", acked_at_once)


def answer_before_append(patch: pytest.MonkeyPatch) -> None:
    """BambooHR hears 200 before the log has the delivery."""
    under_way: set[asyncio.Task[None]] = set()

    async def at_once(self: Webhooks, records: list[HrEvent | DeadLetter], answer: Answer) -> Answer:
        async def append() -> None:
            try:
                await self._log.append_all(records, deadline=APPEND_S)
            except LogUnavailable:
                return

        task = asyncio.create_task(append())
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        return answer

    patch.setattr(Webhooks, "_append", at_once)


def no_settle_time(patch: pytest.MonkeyPatch) -> None:
    """A contact is looked up at once after an answer was lost, and what is not found is made."""
    patch.setenv("ROSTERBOOK_SETTLE_TIME", "0")


PROTECTIONS: Mapping[str, Patch] = {
    "ack-before-durable": ack_before_durable,
    "changelog-not-awaited": shared.acks_before_rows_are_durable,
    "create-without-search": shared.create_without_search,
    "lane-open-on-revocation": shared.lanes_stay_open_on_revocation,
    "lane-not-fenced": shared.lanes_are_not_fenced,
    "no-settle-time": no_settle_time,
    "row-before-output": shared.rows_before_their_outputs,
    "answer-before-append": answer_before_append,
    "no-catch-up-gate": shared.no_catch_up_gate,
    "older-readings-apply": shared.older_readings_apply,
}
