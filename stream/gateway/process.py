"""The gateway as a process: binds, connects in the background, and ends in time when told to.

It serves from the first moment on, with or without Kafka: until the log and the connections are there, deliveries get
503 and BambooHR repeats them. While it serves, `gateway/address` in the data folder tells where.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from aiohttp import web

from stream.clock import Clock, SystemClock
from stream.errors import SettingsError
from stream.gateway.app import Gateway
from stream.gateway.certificate import Certificate, certificate_of
from stream.gateway.keys import OpenKey
from stream.gateway.server import Server
from stream.gateway.uplink import Uplink
from stream.kafka.address import Bootstrap
from stream.kafka.event_log import EventLog
from stream.kafka.view import CompactedView
from stream.records import AnyRecord
from stream.settings import Settings
from stream.telemetry import log
from stream.topics import CONNECTIONS
from stream.vault.vault import Vault

logger = log("gateway")

REQUESTS_END_S = 2.5
LOG_ENDS_S = 0.4
VIEW_ENDS_S = 0.4
"""What each part may take of the 4 s in which the process ends."""
LINGER_S = 2.0
"""How long the rest of a body that nobody wants is read, so that its sender gets to read the answer."""


async def serve(
    settings: Settings,
    bootstrap: Bootstrap,
    open_key: OpenKey,
    vault: Vault,
    stop: asyncio.Event,
    clock: Clock | None = None,
    *,
    check: Callable[[Iterable[AnyRecord]], None] = lambda _: None,
) -> None:
    """Serve until `stop` is set; then requests under way get their answer, if the log confirms them soon.

    check: told once of the connections, when they have been read; what it raises ends the gateway. Raises
    SettingsError when the port, the certificate or the data folder cannot be used.
    """
    clock = clock or SystemClock()
    event_log = EventLog(bootstrap)
    connections = CompactedView(bootstrap, CONNECTIONS)
    gateway = Gateway(settings, event_log, connections, open_key, vault, clock)
    uplink = Uplink(event_log, gateway.appends, clock, settings.min_insync)
    async with _followed(connections), _connected(event_log, uplink) as running, _bound(settings, gateway):
        stopping, checking = asyncio.create_task(stop.wait()), asyncio.create_task(_checked(connections, check))
        try:
            await asyncio.wait({stopping, running, checking}, return_when=asyncio.FIRST_COMPLETED)
            if checking.done():
                checking.result()
                await asyncio.wait({stopping, running}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
        finally:
            stopping.cancel()
            checking.cancel()


async def _checked(connections: CompactedView, check: Callable[[Iterable[AnyRecord]], None]) -> None:
    await connections.loaded.wait()
    check(list(connections.records.values()))


@asynccontextmanager
async def _bound(settings: Settings, gateway: Gateway) -> AsyncIterator[None]:
    certificate = certificate_of(settings)
    server = Server(gateway.handle, access_log=None, auto_decompress=False, lingering_time=LINGER_S)
    runner = web.ServerRunner(server, shutdown_timeout=REQUESTS_END_S)
    await runner.setup()
    try:
        try:
            context = None if certificate is None else certificate.context
            await web.TCPSite(runner, settings.gateway_host, settings.gateway_port, ssl_context=context).start()
        except OSError as error:
            why = os.strerror(error.errno or 0)  # asyncio's own words are long
            raise SettingsError(
                f"Port {settings.gateway_port} of {settings.gateway_host} cannot be used ({why}): end the other "
                "program, or set ROSTERBOOK_GATEWAY_PORT."
            ) from None
        host, port = runner.addresses[0][:2]
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        async with _renewed(certificate):
            with _told(settings.data / "gateway" / "address", where):
                yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _renewed(certificate: Certificate | None) -> AsyncIterator[None]:
    following = None if certificate is None else asyncio.create_task(certificate.follow(), name="gateway certificate")
    try:
        yield
    finally:
        if following is not None:
            following.cancel()


@contextmanager
def _told(file: Path, address: str) -> Iterator[None]:
    """The file with the address, while we serve; a gateway that has replaced us keeps its own."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}")
    part.write_text(f"{address}\n")
    part.replace(file)
    logger.info("gateway.serving", address=address)
    try:
        yield
    finally:
        with suppress(OSError):
            if file.read_text().strip() == address:
                file.unlink()


@asynccontextmanager
async def _followed(connections: CompactedView) -> AsyncIterator[None]:
    await connections.start()
    try:
        yield
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(VIEW_ENDS_S):
                await connections.stop()


@asynccontextmanager
async def _connected(event_log: EventLog, uplink: Uplink) -> AsyncIterator[asyncio.Task[None]]:
    running = asyncio.create_task(uplink.run(), name="gateway uplink")
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.wait({running}, timeout=LOG_ENDS_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(LOG_ENDS_S):
                await event_log.stop(grace=LOG_ENDS_S / 2)
