"""The gateway's throughput beside a bare aiohttp handler that checks the same HMAC and awaits the same produce.

Both are processes on the same embedded broker and write to the same partition of `hr-events`; the load is the same
request on 32 connections. Rounds in turn, so that whatever else the machine does meets both; the ratio is the median of
the ratios of neighbouring rounds.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.child import Child
from stream.kafka.admin import admin, apply
from stream.kafka.embedded import EmbeddedKafka
from stream.kafka.event_log import OVERHEAD, EventLog
from stream.records import ConnectionId
from stream.settings import Settings
from stream.telemetry import Masked
from stream.topics import HR_EVENTS, MAX_RECORD_BYTES, partition_of
from stream.vault.keyfile import load_vault
from tests.bench.bare import BareHandler
from tests.bench.figures import Figure, Target, percentile
from tests.bench.place import until
from tests.bench.wire import Caller, Wire, delivery, signed_post
from tests.gateway_client import KEY, connection

ACME = ConnectionId("acme")
PATH = f"/webhooks/bamboohr/{ACME}"
CONNECTIONS = 32
ROUNDS = 7
ROUND_S = 3.0
WARM_UP_S = 2.0


@dataclass(frozen=True)
class Round:
    """per_s: answers a second. server_us: CPU of the process that answered, microseconds an answer.

    client: the share of one core that the load generator used.
    """

    per_s: float
    server_us: float
    client: float


@dataclass(frozen=True)
class Server:
    """What is put under load, and with which request."""

    address: str
    pid: int
    request: bytes


async def run() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="rosterbook-bench-") as folder:
        data = Path(folder)
        async with EmbeddedKafka(data) as kafka, _gateway(data, kafka.bootstrap) as (address, pid):
            request = signed_post(address, PATH, delivery("42"), KEY)
            record = await _record_of(address, request, kafka.bootstrap)
            told = {
                "bootstrap": kafka.bootstrap,
                "key": KEY,
                "topic": HR_EVENTS.name,
                "partition": partition_of(ACME, Settings().new_partitions),
                "record": b64encode(record).decode(),
                "record_key": ACME,
                "max_request_size": MAX_RECORD_BYTES + OVERHEAD,
            }
            async with BareHandler(told) as bare:
                return await _compare(Server(address, pid, request), bare)


async def _compare(ours: Server, bare: BareHandler) -> list[Figure]:
    peer, nothing = (
        Server(bare.address, bare.pid, signed_post(bare.address, path, delivery("42"), KEY))
        for path in ("/", "/nothing")
    )
    for server in (ours, peer):
        await load(server, WARM_UP_S)
    a, b, ceiling = [], [], []
    for _ in range(ROUNDS):
        a.append(await load(ours, ROUND_S))
        b.append(await load(peer, ROUND_S))
        ceiling.append(await load(nothing, ROUND_S / 2))
    ratios = [one.per_s / other.per_s for one, other in zip(a, b, strict=True)]
    spread = f"ratios {min(ratios):.2f} to {max(ratios):.2f} in {ROUNDS} rounds of {ROUND_S:g} s"
    busy = max(one.client for one in (*a, *b))

    def median(rounds: list[Round], what: Callable[[Round], float]) -> float:
        return percentile([what(one) for one in rounds], 50)

    return [
        # The ratio of the medians would mix rounds that met different loads of the machine.
        Figure("of the bare handler's throughput", percentile(ratios, 50), "", 1, Target(">=", 0.9), spread),
        Figure("webhooks", median(a, lambda one: one.per_s), "/s", median(b, lambda one: one.per_s)),
        Figure("CPU per webhook", median(a, lambda one: one.server_us), "us", median(b, lambda one: one.server_us)),
        Figure(
            "the load generator against a handler that does nothing",
            median(ceiling, lambda one: one.per_s),
            "/s",
            note=f"it used at most {busy:.0%} of a core in the rounds, so it was not what they waited for",
        ),
    ]


async def load(server: Server, seconds: float) -> Round:
    """Keep every connection busy for so long. Raises RuntimeError for any answer but 200."""
    host, _, port = server.address.rpartition(":")
    request, process = server.request, psutil.Process(server.pid)
    wires: list[Wire] = []
    answers = 0
    wrong: list[object] = []
    over = asyncio.Event()

    def answered(wire: Wire, status: int) -> None:
        nonlocal answers
        if status != 200:
            wrong.append(status)
            over.set()
        answers += 1
        wire.send(request)

    def lost() -> None:
        if not over.is_set():
            wrong.append("a connection ended")
            over.set()

    def make() -> Wire:
        wire = Wire(lambda status: answered(wire, status), lost)
        wires.append(wire)
        return wire

    loop = asyncio.get_running_loop()
    for _ in range(CONNECTIONS):
        await loop.create_connection(make, host, int(port))
    began, cpu, server_cpu = time.perf_counter(), time.process_time(), sum(process.cpu_times()[:2])
    for wire in wires:
        wire.send(request)
    try:
        async with asyncio.timeout(seconds):
            await over.wait()
    except TimeoutError:
        pass
    took, cpu, count = time.perf_counter() - began, time.process_time() - cpu, answers
    server_cpu = sum(process.cpu_times()[:2]) - server_cpu
    over.set()
    for wire in wires:
        wire.close()
    if wrong:
        raise RuntimeError(f"Under load, {wrong[0]} instead of a 200.")
    return Round(count / took, server_cpu / count * 1e6, cpu / took)


@asynccontextmanager
async def _gateway(data: Path, bootstrap: str) -> AsyncIterator[tuple[str, int]]:
    """The real process, ready, with one connection: where it listens, and its process id."""
    settings = Settings(data=data, kafka=None)
    async with admin(bootstrap) as client:
        await apply(client, settings.new_partitions, settings.replicas, settings.min_insync)
    key = load_vault(settings, create=True).seal(Masked(KEY), connection=ACME, purpose="bamboohr.webhook_key")
    log = EventLog(bootstrap)
    await log.start()
    await log.append(connection(ACME).model_copy(update={"webhook_key": key}))
    await log.stop()
    environment = {"ROSTERBOOK_DATA": str(data), "ROSTERBOOK_GATEWAY_PORT": "0"}
    child = Child("gateway", logs=data, environment=environment)
    await child.start()
    try:
        file = data / "gateway" / "address"
        async with aiohttp.ClientSession() as http:

            async def ready() -> bool:
                if not file.exists():
                    return False
                async with http.get(f"http://{file.read_text().strip()}/readyz") as answer:
                    return answer.status == 200

            await until(ready, 60)
        yield file.read_text().strip(), child.pid
    finally:
        await child.stop(5)


async def _record_of(address: str, request: bytes, bootstrap: str) -> bytes:
    """What the gateway appends for the request."""
    caller = Caller()
    await caller.connect(address)
    status = await caller.ask(request)
    caller.close()
    assert status == 200, f"the gateway answered {status}"
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        await consumer._client._wait_on_metadata(HR_EVENTS.name)
        consumer.assign([TopicPartition(HR_EVENTS.name, partition_of(ACME, Settings().new_partitions))])
        value: bytes = (await consumer.getone()).value
        return value
    finally:
        await consumer.stop()
