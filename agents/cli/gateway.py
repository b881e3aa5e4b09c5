"""`rosterbook gateway`: the receiver of webhooks in the foreground."""

from __future__ import annotations

import asyncio
import signal

import cyclopts

from agents.cli import long_lived


def register(app: cyclopts.App) -> None:
    """Add the command."""
    app.command(gateway)


def gateway() -> None:
    """Receive webhooks until told to end. Starts with or without Kafka, and connects as soon as it is there."""
    long_lived.run(_receive())


async def _receive() -> None:
    from stream.gateway.process import serve
    from stream.kafka.embedded import running_broker
    from stream.records import ConnectionId, Sealed
    from stream.settings import load_settings
    from stream.telemetry import configure_logging
    from stream.vault.fitting import refuse_other_keys
    from stream.vault.keyfile import load_vault

    settings = load_settings()
    configure_logging(settings)
    vault = load_vault(settings)

    def open_key(connection: ConnectionId, sealed: Sealed) -> str:
        return vault.open(sealed, connection=connection, purpose="bamboohr.webhook_key").reveal

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(
        settings,
        lambda: settings.kafka or running_broker(settings.data),
        open_key,
        vault,
        stop,
        check=lambda records: refuse_other_keys(records, vault),
    )
