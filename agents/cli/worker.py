"""`rosterbook worker`: the stream processor in the foreground."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import cyclopts

from agents.cli import long_lived

HARD_END_S = 4.5
"""A worker that was told to end and has not by then is ended: what it left half done is what a crash leaves too."""


def register(app: cyclopts.App) -> None:
    """Add the command."""
    app.command(worker)


def worker() -> None:
    """Fold the log and pay the debts, until told to end."""
    long_lived.run(_work())


async def _work() -> None:
    from agents.app import Worker
    from agents.ending import no_room
    from stream.errors import Fatal
    from stream.kafka.embedded import running_broker
    from stream.settings import load_settings
    from stream.telemetry import configure_logging
    from stream.vault.keyfile import load_vault

    settings = load_settings()
    configure_logging(settings)
    vault = load_vault(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        stop.set()
        last_resort = threading.Timer(HARD_END_S, os._exit, (1,))
        last_resort.daemon = True
        last_resort.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    try:
        await Worker(settings, lambda: settings.kafka or running_broker(settings.data), vault).run(stop)
    except OSError as error:  # where it begins it writes files of its own
        if (of_the_disk := no_room(error, settings.data)) is None:
            raise
        raise Fatal(of_the_disk) from error
