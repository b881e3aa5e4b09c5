"""One worker with very many connections: how it starts, how it asks for their tokens, and what it weighs.

Every connection has a client's consent of its own, no access token, and one person to sync: the worst morning, on which
all of them need a token at once.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import psutil

from stream.kafka.admin import admin, apply
from stream.kafka.embedded import EmbeddedKafka
from stream.kafka.event_log import EventLog
from stream.records import ConnectionId
from stream.sandbox.zoho import tokens
from stream.sandbox.zoho.app import SCOPES
from stream.settings import Settings
from tests.bench.figures import Figure, Target
from tests.bench.place import until
from tests.integration.connected import Vendors, WorkerProcess, tell

MB = 1e6
START_S = 300.0
PER_CONNECTION_S = 1.0


async def run(count: int) -> list[Figure]:
    names = [ConnectionId(f"company-{number}") for number in range(1, count + 1)]
    # One sandbox stands for the organizations of very many users, each of whom may have twenty.
    tokens.REFRESH_TOKENS_PER_USER = count + 1
    vendors = Vendors(count)
    await vendors.start()
    try:
        with tempfile.TemporaryDirectory(prefix="rosterbook-bench-") as folder:
            async with EmbeddedKafka(Path(folder) / "kafka") as kafka:
                async with admin(kafka.bootstrap) as client:
                    await apply(client, Settings().new_partitions, 1, 1)
                log = EventLog(kafka.bootstrap)
                await log.start()
                try:
                    for number, name in enumerate(names, 1):
                        await vendors.connect(log, name, vendors.zoho.tokens.grant(SCOPES))
                        await tell(log, name, [str(number)])
                finally:
                    await log.stop()
                worker = WorkerProcess(Path(folder) / "worker", kafka.bootstrap, **vendors.settings())
                try:
                    return await _measure(vendors, worker, names)
                finally:
                    await worker.end()
    finally:
        await vendors.stop()


async def _measure(vendors: Vendors, worker: WorkerProcess, names: list[ConnectionId]) -> list[Figure]:
    began = time.monotonic()
    await worker.start()
    await worker.ready(START_S)
    ready = time.monotonic() - began
    left = list(names)

    async def all_served() -> bool:
        while left and await worker.serves(left[-1]):
            left.pop()
        return not left

    await until(all_served, START_S)
    served = time.monotonic() - began

    async def equal() -> bool:
        return vendors.equal()

    await until(equal, START_S + PER_CONNECTION_S * len(names))
    synced = time.monotonic() - began
    asked = [call.at for call in vendors.calls if call.path == "/oauth/v2/token"]
    most = max(sum(at <= other < at + 1 for other in asked) for at in asked)
    weight = psutil.Process(worker.process.pid).memory_info().rss / MB
    size = f"{len(names)} connections"
    return [
        Figure(f"start of a worker with {size} until ready", ready, "s", None, Target("<=", 20)),
        Figure("and until it serves all", served, "s", None, Target("<=", 20), "asked one after the other"),
        Figure("most token requests in any second", most, "", None, Target("<=", 5), f"{len(asked)} in all"),
        Figure("until a person of each is synced, none having a token", synced, "s", len(names) * 0.28),
        Figure(f"worker with {size}, RSS", weight, "MB", None, Target("<=", 600)),
    ]
