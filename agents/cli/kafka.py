"""`rosterbook kafka`: the embedded broker in the foreground, and what it needs fetched and made beforehand."""

from __future__ import annotations

import asyncio
import signal

import cyclopts


def register(app: cyclopts.App) -> None:
    """Add the command."""
    app.command(kafka)


async def kafka(*, prepare: bool = False) -> None:
    """Run Apache Kafka on this machine, for this data folder, until it is told to end.

    Parameters
    ----------
    prepare
        Fetch and verify the jars, make what speeds up later starts, and end. Afterwards no network is needed.
    """
    from agents.cli.progress import Progress
    from stream.kafka.jars import cache_folder, class_path_soon
    from stream.kafka.prepare import prepare as prepare_cache
    from stream.settings import load_settings
    from stream.telemetry import configure_logging

    configure_logging(load_settings())
    with Progress() as progress:
        if prepare:
            await prepare_cache(cache_folder(), progress.report)
            return
        await class_path_soon(cache_folder(), progress.report)
    await _serve()


async def _serve() -> None:
    """Until SIGTERM or SIGINT, which also cut a start short; raises BrokerFailed when the broker ends by itself."""
    from stream.errors import BrokerFailed
    from stream.kafka.embedded import EmbeddedKafka
    from stream.settings import load_settings

    settings = load_settings()
    broker = EmbeddedKafka(settings.data, settings.kafka_port)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    end = asyncio.create_task(told.wait())
    start = asyncio.create_task(broker.start())
    try:
        await asyncio.wait({end, start}, return_when=asyncio.FIRST_COMPLETED)
        if end.done():
            return
        await start
        print(f"Kafka answers at {broker.bootstrap}", flush=True)
        ended = asyncio.create_task(broker.wait())
        await asyncio.wait({end, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not end.done():
            raise BrokerFailed(broker.reason())
    finally:
        start.cancel()
        end.cancel()
        await asyncio.gather(start, end, return_exceptions=True)
        await broker.stop()
