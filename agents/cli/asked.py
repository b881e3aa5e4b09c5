"""Commands that a worker carries out: asked over the log, and answered there."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING

from agents.cli.console import print_error

if TYPE_CHECKING:
    from stream.records import CommandOutcome


async def carried_out(connection: str, command: str, arguments: Mapping[str, str]) -> CommandOutcome:
    """The end of the command, however it ended; what is said on the way goes to standard error.

    Raises UsageError when there is no such connection, LogUnavailable, Retriable when no worker answers.
    """
    from agents.cli.connection import known_connection
    from agents.cli.surroundings import bootstrap_servers, command_settings, who
    from stream.asking import ask
    from stream.clock import SystemClock
    from stream.kafka.event_log import EventLog
    from stream.kafka.scan import LogScan
    from stream.records import Command, ConnectionId

    bootstrap = bootstrap_servers(command_settings())
    await known_connection(connection)
    log = EventLog(bootstrap)
    await log.start()
    try:
        asked = Command(
            connection=ConnectionId(connection),
            command=command,
            asked_by=who(),
            arguments=dict(arguments),
            work=True,
            at=SystemClock().now(),
        )
        async with aclosing(ask(log, LogScan(bootstrap), asked)) as answers:
            async for answer in answers:
                if answer.state != "progress":
                    return answer
                print_error(answer.says)
        raise AssertionError("the last answer is never one of progress")
    finally:
        await log.stop()
