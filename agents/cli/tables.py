"""`rosterbook tables`: the tables that are folded from the log."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import cyclopts
from cyclopts import Parameter

from agents.cli.console import agreed, print_error, say
from stream.errors import UsageError

if TYPE_CHECKING:
    from stream.settings import Settings

PATIENCE_S = 4.0
"""Beside the session time-out: a worker that was killed counts as one at work for so long, and one may be ending."""


def register(app: cyclopts.App) -> None:
    """Add the group."""
    group = cyclopts.App(name="tables", help="The tables that are folded from the log.", version_flags=[])
    group.command(rebuild)
    app.command(group)


async def rebuild(*, yes: Annotated[bool, Parameter(negative=())] = False) -> int:
    """Empty the tables, so that the next worker folds the log from its beginning; end every worker before.

    Safe to repeat. The log stays as it is, and what is settled in it is not asked of BambooHR or Zoho Books again.

    Parameters
    ----------
    yes
        Do not ask. Needed where nobody can be asked, as in a script.
    """
    from agents.cli.surroundings import command_settings
    from stream.kafka.rebuild import Rebuild

    if not yes and not sys.stdin.isatty():
        raise UsageError("This empties the tables: say --yes where nobody can be asked.")
    settings = command_settings()
    async with _broker(settings) as bootstrap:
        tables = Rebuild(bootstrap)
        await tables.look(settings.session_timeout + PATIENCE_S)
        if not yes and not agreed(f"The tables will be emptied, and {tables.records} records be folded anew."):
            print_error("Nothing was done.")
            return 1
        await tables.do(settings.replicas, settings.min_insync)
    say(f"The tables are empty: the next worker folds {tables.records} records into them. Start it.")
    return 0


@asynccontextmanager
async def _broker(settings: Settings) -> AsyncIterator[str]:
    """Where Kafka is. That of the data folder is started for the time if it does not run: it ends with the worker."""
    from agents.cli.surroundings import bootstrap_servers
    from stream.kafka.embedded import EmbeddedKafka, running_broker

    embedded = settings.data / "kafka"
    if settings.kafka is not None or running_broker(settings.data) is not None or not embedded.is_dir():
        yield bootstrap_servers(settings)
        return
    async with EmbeddedKafka(settings.data, settings.kafka_port) as broker:
        yield broker.bootstrap
