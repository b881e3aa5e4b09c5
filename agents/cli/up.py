"""`rosterbook up`: everything on one machine, for real connections."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import cyclopts


def register(app: cyclopts.App) -> None:
    """Add the command."""
    app.command(up)


async def up(*, json: bool = False) -> None:
    """Run Kafka, gateway and worker on this machine until told to end.

    Parameters
    ----------
    json
        Say what runs as one JSON object a line.
    """
    from agents.cli.console import emit
    from agents.installation import Installation
    from stream.settings import load_settings
    from stream.telemetry import configure_logging

    settings = load_settings()
    make_state_folder(settings.data)
    configure_logging(settings, file=settings.data / "logs" / "up.log")
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    installation = Installation(settings, say=lambda text: emit({"event": "part", "text": text}, text, json=json))
    emit({"event": "starting", "data": str(settings.data.absolute())}, f"Starting in {settings.data} …", json=json)
    start = asyncio.create_task(installation.start())
    end = asyncio.create_task(told.wait())
    try:
        await asyncio.wait([start, end], return_when=asyncio.FIRST_COMPLETED)
        if end.done():
            return
        await start
        gateway, worker = installation.url("gateway"), installation.url("worker")
        emit(
            {
                "event": "ready",
                "gateway": gateway,
                "worker": worker,
                "kafka": installation.kafka,
                "data": str(settings.data.absolute()),
                "logs": str(installation.logs),
                "processes": installation.processes(),
            },
            f"Ready. Gateway {gateway}, worker {worker}, Kafka {installation.kafka}, logs in "
            f"{installation.logs}.\nConnect a company with `rosterbook connection add FILE`. Ctrl-C ends it.",
            json=json,
        )
        waits: list[asyncio.Future[Any]] = [end, installation.failed]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if installation.failed.done():
            raise installation.failed.result()
    finally:
        start.cancel()
        end.cancel()
        await asyncio.gather(start, end, return_exceptions=True)
        await installation.stop()


def make_state_folder(folder: Path) -> None:
    """The state folder and its `logs`, closed to other users, as the log of a company's people must be.

    Raises SettingsError when it cannot be used.
    """
    from stream.errors import SettingsError

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "logs").mkdir(exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"The state folder {folder} cannot be used ({error.strerror}): make it a writable folder, or set "
            "ROSTERBOOK_DATA to another."
        ) from None
