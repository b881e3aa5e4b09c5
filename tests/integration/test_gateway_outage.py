"""The gateway while Kafka is away, frozen, moved or broken, and how the process ends: nothing answered 200 is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path

import psutil
import pytest

from stream.bamboohr.signature import SIGNATURE
from stream.clock import SystemClock
from stream.errors import LogUnavailable
from stream.gateway.appends import Appends
from stream.gateway.uplink import Uplink
from stream.kafka.embedded import EmbeddedKafka, running_broker
from stream.kafka.event_log import EventLog
from stream.records import ConnectionId, HrEvent
from stream.settings import Settings
from stream.topics import HR_EVENTS
from stream.vault.keyfile import load_vault
from tests.gateway_client import Client, connection, event_log, gateway, make_topics, until, until_ready

PROCESS = "import sys; from agents.cli import build, run; sys.exit(run(['gateway'], build(['gateway'])))"
ENDS_S = 7.0
"""Of the 4 s that its parts may take together, on a machine that is busy."""


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[EmbeddedKafka]:
    async with EmbeddedKafka(tmp_path) as found:
        await make_topics(found.bootstrap)
        async with event_log(found.bootstrap) as log:
            await log.append(connection("acme"))
        yield found


async def accepted(client: Client) -> None:
    """Deliver until it is accepted; every answer on the way is a 503 with a time to come again."""

    async def holds() -> bool:
        response = await client.post("acme")
        assert response.status == 200 or (response.status == 503 and response.headers["Retry-After"])
        return response.status == 200

    await until(holds)


async def test_starts_without_kafka_and_recovers_by_itself(tmp_path: Path) -> None:
    async with gateway(tmp_path, lambda: running_broker(tmp_path), ready=False) as client:
        for name, headers in (("acme", {}), ("nobody", {}), ("acme", {SIGNATURE: "wrong"})):
            response = await client.post(name, **headers)
            assert (response.status, response.headers["Retry-After"]) == (503, "5")
        assert await client.status("/healthz") == 200
        async with client.session.get("/readyz") as response:
            assert response.status == 503
            assert len((await response.json())["reasons"]) == 2
        async with EmbeddedKafka(tmp_path) as broker:
            assert (await client.post("nobody")).status == 503
            await make_topics(broker.bootstrap)
            await until_ready(client)
            assert (await client.post("acme")).status == 404
            async with event_log(broker.bootstrap) as log:
                await log.append(connection("acme"))
            await accepted(client)


async def test_frozen_and_restarted_broker(tmp_path: Path, broker: EmbeddedKafka) -> None:
    async with gateway(tmp_path, lambda: running_broker(tmp_path)) as client:
        await accepted(client)
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            response = await client.post("acme")
            assert (response.status, response.headers["Retry-After"]) == (503, "5")
            assert time.monotonic() - began < 5
            assert (await client.post("nobody")).status == 503
            assert await client.status("/readyz") == 503
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        await accepted(client)
        await until_ready(client)

        await broker.stop()
        await until_ready(client, ready=False)
        assert (await client.post("acme")).status == 503
        await broker.start()
        await accepted(client)
        await until_ready(client)
        assert len(await client.records(HR_EVENTS, "acme")) >= 3


async def test_follows_a_broker_that_comes_back_elsewhere(tmp_path: Path, broker: EmbeddedKafka) -> None:
    async with gateway(tmp_path, lambda: running_broker(tmp_path)) as client:
        await accepted(client)
        before = broker.bootstrap
        await broker.stop()
        (tmp_path / "kafka" / "ports").unlink()
        async with EmbeddedKafka(tmp_path) as elsewhere:
            assert elsewhere.bootstrap != before
            await accepted(client)
            await until_ready(client)
            assert (await client.post("nobody")).status == 404


async def test_producer_that_is_refused_for_ever_is_replaced(broker: EmbeddedKafka) -> None:
    log = EventLog(broker.bootstrap)
    appends = Appends(SystemClock())
    uplink = asyncio.create_task(Uplink(log, appends, SystemClock(), 1).run())
    event = HrEvent(connection=ConnectionId("acme"), employees=(), kind="webhook", received_at=SystemClock().now())

    async def appended() -> bool:
        began = appends.began()
        try:
            await log.append(event, deadline=1)
        except LogUnavailable as error:
            appends.failed(began, error.message)
            return False
        appends.succeeded()
        return True

    try:
        await until(appended)
        assert log._producer is not None
        await log._producer._sender.close()  # stands for a lost sequence: it confirms nothing any more
        assert not await appended()
        assert appends.failed_lately()
        await until(appended)
        assert not appends.failed_lately()
    finally:
        uplink.cancel()
        await asyncio.wait({uplink})
        await log.stop()


@pytest.mark.parametrize("kafka_runs", [True, False])
async def test_process_ends_in_time_and_withdraws_its_address(tmp_path: Path, kafka_runs: bool) -> None:
    """With a log of its own: a gateway ends at once where its keys are not those of the connections on the log."""
    async with EmbeddedKafka(tmp_path) if kafka_runs else nullcontext() as kafka:
        await ends_in_time(tmp_path, None if kafka is None else kafka.bootstrap)


async def ends_in_time(tmp_path: Path, kafka: str | None) -> None:
    load_vault(Settings(data=tmp_path), create=True)
    environment = os.environ | {"ROSTERBOOK_DATA": str(tmp_path), "ROSTERBOOK_GATEWAY_PORT": "0"}
    environment |= {"ROSTERBOOK_KAFKA": kafka or "127.0.0.1:1"}
    if kafka is not None:
        await make_topics(kafka)
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROCESS, env=environment, stdout=log, stderr=log
        )
    try:
        address = tmp_path / "gateway" / "address"
        await until(lambda: asyncio.sleep(0, address.exists()))
        host, _, port = address.read_text().strip().partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /webhooks/bamboohr/acme HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        await writer.drain()
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
        assert time.monotonic() - began < ENDS_S
        assert not address.exists()
        writer.close()
        assert "Traceback" not in (tmp_path / "log").read_text()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        assert not psutil.pid_exists(process.pid)
