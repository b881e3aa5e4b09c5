"""A gateway in this process, a signing BambooHR in front of it, and a look at the log behind it."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.bamboohr.signature import SIGNATURE, TIMESTAMP, sign
from stream.codec import decode
from stream.errors import VaultLocked
from stream.gateway.process import serve
from stream.kafka.address import Bootstrap, address_of
from stream.kafka.admin import admin, apply, describe
from stream.kafka.event_log import EventLog
from stream.records import (
    AnyRecord,
    BambooHrSettings,
    Connection,
    ConnectionId,
    RegisteredWebhook,
    Sealed,
    WebhookRegistration,
    ZohoSettings,
)
from stream.settings import Settings
from stream.topics import HR_EVENTS, MAX_RECORD_BYTES, Topic, partition_of
from stream.vault import Vault
from stream.vault.key_ring import new_ring

KEY = "0123456789abcdef0123456789abcdef"
VAULT = Vault(new_ring(), source="the test's keys")
LOCKED = "locked"
"""Instead of a key: one that does not open."""
EVENT = {"type": "employee.updated", "timestamp": "2026-03-04T09:15:00Z", "data": {"employeeId": "42"}}
BODY = json.dumps(EVENT).encode()


def connection(name: str, *, key: str | None = KEY, **changes: Any) -> Connection:
    """A connection whose secrets are sealed by nothing: the gateway under test opens them by reading them."""
    secret = Sealed(key="none", box="x")
    zoho = ZohoSettings(region="eu", organization_id="1", client_id=secret, client_secret=secret, refresh_token=secret)
    return Connection(
        connection=ConnectionId(name),
        mode=changes.get("mode", "live"),
        bamboohr=BambooHrSettings(subdomain=name, api_key=secret),
        webhook_key=None if key is None else Sealed(key="none", box=key),
        zoho=zoho,
        saved_at=datetime.now(UTC),
    )


def registration(name: str, *keys: str, pending: bool = False) -> WebhookRegistration:
    """What a worker has registered for a connection: a webhook a key, newest first."""
    webhooks = tuple(
        RegisteredWebhook(
            id=str(number), name="ours", created="", key=Sealed(key="none", box=key), made_at=datetime.now(UTC)
        )
        for number, key in enumerate(keys)
    )
    return WebhookRegistration(connection=ConnectionId(name), mark="m", pending=pending, webhooks=webhooks)


def open_key(_: ConnectionId, sealed: Sealed) -> str:
    if sealed.box == LOCKED:
        raise VaultLocked("The key cannot be opened.")
    return sealed.box


async def make_topics(bootstrap: str) -> None:
    async with admin(bootstrap) as client:
        found = await describe(client, [HR_EVENTS.name])
        await apply(client, found[HR_EVENTS.name][1] if found else 3, 1, 1)


@asynccontextmanager
async def event_log(bootstrap: str) -> AsyncIterator[EventLog]:
    log = EventLog(bootstrap)
    await log.start()
    try:
        yield log
    finally:
        await log.stop()


@dataclass
class Client:
    """Speaks to a gateway as BambooHR does."""

    session: aiohttp.ClientSession
    bootstrap: Bootstrap

    async def post(
        self, name: str, body: Any = BODY, *, key: str = KEY, at: str | None = None, **headers: str | None
    ) -> aiohttp.ClientResponse:
        """Signed now unless told otherwise. headers: by names with `_` for `-`; None leaves one out."""
        timestamp = str(int(time.time())) if at is None else at
        raw = body if isinstance(body, bytes) else b""
        sent = {SIGNATURE: sign(key.encode(), raw, timestamp), TIMESTAMP: timestamp, "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}  # type: ignore[misc]
        kept = {name: value for name, value in sent.items() if value is not None}
        async with self.session.post(
            f"/webhooks/bamboohr/{name}", data=io.BytesIO(body) if isinstance(body, bytes) else body, headers=kept
        ) as response:
            await response.read()
            return response

    async def status(self, path: str) -> int:
        async with self.session.get(path) as response:
            return response.status

    async def records(self, topic: Topic, name: str) -> list[AnyRecord]:
        """All records of a connection on a topic, as of now."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=address_of(self.bootstrap),
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=MAX_RECORD_BYTES,
        )
        await consumer.start()
        try:
            partitions = await consumer._client._wait_on_metadata(topic.name)
            place = TopicPartition(topic.name, partition_of(ConnectionId(name), len(partitions)))
            consumer.assign([place])
            end = (await consumer.end_offsets([place]))[place]
            found = []
            while await consumer.position(place) < end:
                message = await consumer.getone()
                found.append(decode(topic, message.value))
            return [record for record in found if record.connection == name]
        finally:
            await consumer.stop()


@asynccontextmanager
async def gateway(data: Path, bootstrap: Bootstrap, *, ready: bool = True, **settings: Any) -> AsyncIterator[Client]:
    """A gateway that serves until the end of the block. ready: wait for that first."""
    stop = asyncio.Event()
    running = asyncio.create_task(
        serve(Settings(**{"data": data, "gateway_port": 0} | settings), bootstrap, open_key, VAULT, stop)
    )
    address = data / "gateway" / "address"
    await until(lambda: asyncio.sleep(0, address.exists() or running.done()))
    if running.done():
        running.result()
    try:
        async with aiohttp.ClientSession(f"http://{address.read_text().strip()}") as session:
            client = Client(session, bootstrap)
            if ready:
                await until_ready(client)
            yield client
    finally:
        stop.set()
        await running
        assert not address.exists()


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 30.0) -> None:
    """Return once it holds; fail after `seconds`."""
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.02)


async def until_ready(client: Client, *, ready: bool = True) -> None:
    async def holds() -> bool:
        return await client.status("/readyz") == (200 if ready else 503)

    await until(holds)
