"""`rosterbook worker` that kills itself with SIGKILL after one step of the fold of the second reading.

    python -m tests.integration.killed_worker STEP

It acts at the edges of the worker (the log, and Faust's ack), so that it holds whatever lies between them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

import orjson
from faust.streams import Stream

from agents.cli import run
from agents.results import INTENT
from stream.kafka.event_log import EventLog
from stream.records import ContactUpsert
from stream.topics import EMPLOYEES, changelog_of

STEPS = ("the intent", "the append", "the first of its rows", "all its rows")
SECOND = 1
"""Offset of the reading whose fold ends."""


class Ending:
    """after: the step that is still taken. armed: the fold has begun."""

    def __init__(self, after: str) -> None:
        self.after = after
        self.armed = False

    def install(self) -> None:
        put, append_all, ack = EventLog.put, EventLog.append_all, Stream.ack

        async def after_rows(this: EventLog, topic: str, partition: int, entries: Any, headers: Any = ()) -> Any:
            of_intent = topic == changelog_of("roster") and entries[0][0] == INTENT.encode()
            if of_intent:
                position = orjson.loads(entries[0][1])["position"]
                self.armed = (position["topic"], position["offset"]) == (EMPLOYEES.name, SECOND)
            elif self.armed and self.after == "the first of its rows":
                await put(this, topic, partition, entries[:1], headers)
                self.end(self.after)
            elif self.armed and self.after in ("the intent", "the append"):
                await asyncio.Event().wait()  # the rows are written beside the append: here they come too late
            offsets = await put(this, topic, partition, entries, headers)
            if of_intent:
                self.end("the intent")
            return offsets

        async def after_append(this: EventLog, found: Any, **how: Any) -> Any:
            positions = await append_all(this, found, **how)
            if found and isinstance(found[0], ContactUpsert):
                self.end("the append")
            return positions

        async def before_ack(this: Any, event: Any) -> Any:
            if self.armed and event.message.topic == EMPLOYEES.name:
                self.end("all its rows")
            return await ack(this, event)

        EventLog.put, EventLog.append_all, Stream.ack = after_rows, after_append, before_ack  # type: ignore[method-assign]

    def end(self, step: str) -> None:
        if self.armed and self.after == step:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    Ending(sys.argv[1]).install()
    sys.exit(run(["worker"]))
