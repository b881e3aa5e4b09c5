"""How a worker begins, ends and takes over, with a crowd in its tables (`crowd.py`) and a few real people beside it.

The real people are those of the sandboxes: their changes are read from BambooHR and written to Zoho, and a take-over
counts as done when such a change, made at the moment of the kill, shows in Zoho.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import psutil

from stream.kafka.admin import admin, apply
from stream.kafka.embedded import EmbeddedKafka
from stream.kafka.event_log import EventLog
from stream.lane import LanePolicy
from stream.records import ConnectionId
from stream.sandbox.faults import Fault
from stream.settings import Settings
from tests.bench.crowd import bring
from tests.bench.figures import Figure, Target
from tests.bench.place import until
from tests.integration.connected import SECOND_NAME, Vendors, WorkerProcess, tell

CONNECTIONS = [ConnectionId(f"company-{number}") for number in range(1, 7)]
"""In six partitions, and few enough for Zoho: they share a client, which gets ten access tokens in ten minutes."""
EACH = 10
"""Real people of a connection."""
MB = 1e6
START_S = 300.0


class Stage:
    """A broker, both sandboxes, and workers that fold into folders of their own."""

    def __init__(self, folder: Path, bootstrap: str, log: EventLog, vendors: Vendors) -> None:
        self.folder = folder
        self.log = log
        self.vendors = vendors
        self._bootstrap = bootstrap
        self._names = count(1)

    def worker(self, name: str, host: str = "127.0.0.1") -> WorkerProcess:
        settings = self.vendors.settings(host)
        return WorkerProcess(self.folder / name, self._bootstrap, **settings)

    async def bring(self, people: int, worker: WorkerProcess) -> None:
        """Raises RuntimeError when the worker ends meanwhile."""
        ended = asyncio.create_task(worker.process.wait())
        brought = asyncio.create_task(bring(self.log, self._bootstrap, CONNECTIONS, people))
        await asyncio.wait({ended, brought}, return_when=asyncio.FIRST_COMPLETED)
        if not brought.done():
            brought.cancel()
            raise RuntimeError(f"The worker ended: {worker.said[-1].get('reason', worker.said[-1])}")
        ended.cancel()
        brought.result()

    async def connect(self) -> None:
        """From here on the real people are served."""
        for connection in CONNECTIONS:
            await self.vendors.connect(self.log, connection)
        await self.change_all()

    async def change(self, connection: ConnectionId) -> None:
        """One of its people has a new name."""
        await self._change(connection, _people_of(connection)[:1])

    async def change_all(self) -> None:
        for connection in CONNECTIONS:
            await self._change(connection, _people_of(connection))

    async def _change(self, connection: ConnectionId, employees: list[str]) -> None:
        for employee in employees:
            self.vendors.company.change(employee, {"lastName": f"Renamed {next(self._names)}"})
        await tell(self.log, connection, employees)

    async def equal(self) -> None:
        """Return once Zoho shows what BambooHR says."""

        async def are_equal() -> bool:
            return self.vendors.equal()

        await until(are_equal, START_S)


def _people_of(connection: ConnectionId) -> list[str]:
    first = CONNECTIONS.index(connection) * EACH + 1
    return [str(number) for number in range(first, first + EACH)]


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="rosterbook-bench-") as folder:
        vendors = Vendors(EACH * len(CONNECTIONS), calls_per_minute=100)
        await vendors.start()
        try:
            async with EmbeddedKafka(Path(folder) / "kafka") as kafka:
                async with admin(kafka.bootstrap) as client:
                    await apply(client, Settings().new_partitions, 1, 1)
                log = EventLog(kafka.bootstrap)
                await log.start()
                try:
                    yield Stage(Path(folder), kafka.bootstrap, log, vendors)
                finally:
                    await log.stop()
        finally:
            await vendors.stop()


async def takeover(people: int, at: Stage, first: WorkerProcess) -> list[Figure]:
    """`first` serves all; a second one joins, is killed with SIGKILL, and `first` serves all again."""
    second = at.worker("second", SECOND_NAME)
    began = time.monotonic()
    await second.start()
    try:

        async def shared() -> bool:
            return await _served(first) + await _served(second) == len(CONNECTIONS) and await _served(second) > 0

        await until(shared, START_S)
        joined = time.monotonic() - began
        lost = [one for one in CONNECTIONS if await second.serves(one)]
        killed = time.monotonic()
        second.send(signal.SIGKILL)
        await at.change(lost[0])
        await second.ended()

        async def taken_over() -> bool:
            return await _served(first) == len(CONNECTIONS)

        await until(taken_over, START_S)
        serves = time.monotonic() - killed
        await at.equal()
        synced = time.monotonic() - killed
    finally:
        await second.end()
    size = f"{people} people"
    target = Target("<=", 15) if people <= 1000 else None
    note = f"session time-out 8 s; {len(lost)} of {len(CONNECTIONS)} connections were the killed worker's"
    return [
        Figure(f"SIGKILL of one of two workers until the other serves all, {size}", serves, "s", 8, target, note),
        Figure(f"and until a change made at the kill shows in Zoho, {size}", synced, "s", 8, target),
        Figure(f"a worker joins another until both serve, {size}", joined, "s"),
    ]


async def _served(worker: WorkerProcess) -> int:
    return sum([await worker.serves(connection) for connection in CONNECTIONS])


async def _stop(worker: WorkerProcess) -> tuple[float, str]:
    """Seconds, and how it ended."""
    began = time.monotonic()
    worker.send(signal.SIGTERM)
    code = await worker.ended()
    return time.monotonic() - began, "in order" if code == 0 else "by its own last resort, after 4.5 s"


async def _start(worker: WorkerProcess) -> float:
    began = time.monotonic()
    await worker.start()
    await worker.ready(START_S)
    return time.monotonic() - began


async def run_takeover(people: int) -> list[Figure]:
    """Take-over, and how long a worker with work in flight takes to end."""
    async with stage() as at:
        worker = at.worker("first")
        await worker.start()
        try:
            await worker.ready(START_S)
            await at.bring(people, worker)
            await at.connect()
            await at.equal()
            figures = await takeover(people, at, worker)
            await at.change_all()
            writes = len(at.vendors.writes())

            async def writing() -> bool:
                return len(at.vendors.writes()) > writes

            await until(writing, START_S)
            busy = await _stop(worker)
            assert not at.vendors.equal(), "nothing was left to do when it was told to stop"
            at.vendors.zoho.faults.plant(Fault(path="/books/v3", delay_s=30, times=None))
            worker = at.worker("first")
            await _start(worker)
            calls = len(at.vendors.calls)

            async def calling() -> bool:
                return len(at.vendors.calls) > calls

            await until(calling, START_S)
            silent = await _stop(worker)
        finally:
            await worker.end()
    return [
        *figures,
        Figure("SIGTERM with a backlog until the worker has ended", busy[0], "s", None, Target("<=", 5), busy[1]),
        Figure(
            "SIGTERM with calls that are not answered until it has ended",
            silent[0],
            "s",
            LanePolicy().close_grace,
            Target("<=", 5),
            f"{silent[1]}; floor: the grace for calls in flight",
        ),
    ]


async def run_restart(people: int) -> list[Figure]:
    """Restart on warm tables and from changelogs alone, what the worker weighs then, and a take-over."""
    async with stage() as at:
        worker = at.worker("first")
        await worker.start()
        try:
            await worker.ready(START_S)
            empty = _weight(worker)
            began = time.monotonic()
            await at.bring(people, worker)
            loaded = time.monotonic() - began
            await at.connect()
            await at.equal()
            weights = {"after the load": _weight(worker)}
            await _stop(worker)
            worker = at.worker("first")
            warm = await _start(worker)
            weights["after a warm restart"] = _weight(worker)
            await _stop(worker)
            shutil.rmtree(at.folder / "first")
            worker = at.worker("first")
            cold = await _start(worker)
            weights["after a restart from changelogs"] = _weight(worker)
            figures = await takeover(people, at, worker)
        finally:
            await worker.end()
    size = f"{people} people"
    return [
        Figure(f"start of a worker with {size} in its tables until ready", warm, "s", None, Target("<=", 10)),
        Figure(f"the same from changelogs alone, {size}", cold, "s", None, Target("<=", 60)),
        *(
            Figure(f"worker with {size} {when}, RSS", weight, "MB", empty, Target("<=", 400))
            for when, weight in weights.items()
        ),
        Figure(f"records of {size} until all is folded", loaded, "s", note=f"{people} snapshots and outcomes"),
        *figures,
    ]


def _weight(worker: WorkerProcess) -> float:
    """MB"""
    return psutil.Process(worker.process.pid).memory_info().rss / MB
