"""Asks the owner of a connection to do something, and listens for its answers: what commands do that cannot call the
vendors themselves, since one process alone counts a connection's calls and renews its tokens.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from stream.codec import decode
from stream.errors import RecordRefused, Retriable
from stream.kafka.event_log import EventLog
from stream.kafka.scan import Entry, LogScan
from stream.records import Command, CommandOutcome
from stream.topics import OUTCOMES

TAKEN_UP_S = 60.0
"""Seconds without a word after which nobody seems to be there."""


async def ask(log: EventLog, scan: LogScan, command: Command) -> AsyncGenerator[CommandOutcome, None]:
    """Append the command; its answers as they come, the last with a state that is not "progress".

    A newer command of the same name may be answered in its place. Raises LogUnavailable, and Retriable when no worker
    says anything for TAKEN_UP_S: the command stays asked, and is carried out when one comes.
    """
    async with aclosing(scan.follow([OUTCOMES.name], log.partition_of(command.connection))) as entries:
        await anext(entries)  # the mark of where the topic ended before we asked
        position = await log.append(command)
        while True:
            try:
                async with asyncio.timeout(TAKEN_UP_S):
                    outcome = await _next_answer(entries, command, position.offset)
            except TimeoutError:
                raise Retriable(
                    f"No worker answered within {TAKEN_UP_S:g} s: check that `rosterbook up` or a worker runs and "
                    "serves this connection, and that it is not paused. The command stays asked.",
                    connection=command.connection,
                ) from None
            yield outcome
            if outcome.state != "progress":
                return


async def _next_answer(entries: AsyncGenerator[Entry | None, None], command: Command, offset: int) -> CommandOutcome:
    async for entry in entries:
        try:
            record = decode(OUTCOMES, None if entry is None else entry.value)
        except RecordRefused:
            continue
        if (
            isinstance(record, CommandOutcome)
            and (record.connection, record.command) == (command.connection, command.command)
            and record.cause.offset >= offset
        ):
            return record
    raise AssertionError("a topic that is followed does not end")
