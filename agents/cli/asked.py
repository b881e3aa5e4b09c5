"""Commands that a worker carries out: asked over the log, and answered there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING

from agents.cli.console import note

if TYPE_CHECKING:
    from stream.records import Command, CommandOutcome


def _say(answer: CommandOutcome) -> None:
    note(answer.says)


async def carried_out(
    connection: str,
    command: str,
    arguments: Mapping[str, str],
    on_the_way: Callable[[CommandOutcome], None] = _say,
) -> CommandOutcome:
    """The end of the command, however it ended. on_the_way: told how far it has come; else standard error is.

    Raises UsageError when there is no such connection, or it is paused and the command is not for that time,
    LogUnavailable, Retriable when no worker answers.
    """
    from agents.cli.connection import known_connection
    from agents.cli.modes import refuse_paused
    from agents.cli.surroundings import bootstrap_servers, command_settings
    from agents.orders import NOT_PAUSED
    from stream.asking import ask
    from stream.kafka.event_log import EventLog
    from stream.kafka.scan import LogScan

    bootstrap = bootstrap_servers(command_settings())
    record = await known_connection(connection)
    if command in NOT_PAUSED:
        refuse_paused(record)
    log = EventLog(bootstrap)
    await log.start()
    try:
        async with aclosing(ask(log, LogScan(bootstrap), _order(connection, command, arguments))) as answers:
            async for answer in answers:
                if answer.state != "progress":
                    return answer
                on_the_way(answer)
        raise AssertionError("the last answer is never one of progress")
    finally:
        await log.stop()


async def only_asked(connection: str, command: str, arguments: Mapping[str, str]) -> None:
    """Ask for the command and wait for nothing. Raises UsageError when there is no such connection, LogUnavailable."""
    from agents.cli.connection import known_connection
    from agents.cli.surroundings import bootstrap_servers, command_settings
    from stream.kafka.event_log import EventLog

    await known_connection(connection)
    log = EventLog(bootstrap_servers(command_settings()))
    await log.start()
    try:
        await log.append(_order(connection, command, arguments))
    finally:
        await log.stop()


def _order(connection: str, command: str, arguments: Mapping[str, str]) -> Command:
    from agents.cli.surroundings import who
    from stream.clock import SystemClock
    from stream.records import Command, ConnectionId

    return Command(
        connection=ConnectionId(connection),
        command=command,
        asked_by=who(),
        arguments=dict(arguments),
        work=True,
        at=SystemClock().now(),
    )
