"""One run of a script: brokers, vendors and workers, the changes and faults of the script, and what came of it all."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Any

from aiohttp.web_app import _cached_build_middleware

from stream.codec import canonical
from stream.records import BambooHrSettings, Connection, ConnectionId, EmployeeId, HrEvent, Mapping, ZohoSettings
from stream.sandbox.bamboohr.notices import Notice
from stream.sandbox.zoho.custom_fields import CustomField
from stream.settings import Settings
from stream.telemetry import Masked
from stream.topics import CONNECTIONS, HR_EVENTS, PREFIX, TABLES, TOKENS, partition_of
from stream.vault.vault import Vault, new_keyset
from tests.simulation.broker import Broker, Coordinator, Entry
from tests.simulation.edges import Disk, Life
from tests.simulation.loop import SimulatedTime
from tests.simulation.offices import Staff, Violation
from tests.simulation.operator import STRICT, Operator, policy_of, too_many_left
from tests.simulation.replay import replayed
from tests.simulation.rest import violations_at_rest
from tests.simulation.script import Change, Fault, Script
from tests.simulation.vendors import BAMBOOHR_PORT, ZOHO_PORT, Vendors
from tests.simulation.watch import Watch
from tests.simulation.ways import bamboohr_of, zoho_of
from tests.simulation.worker import Worker

PARTITIONS = 2
NAMES = ("acme", "umbra", "initech")
REST_S = 3 * 3600.0
"""Virtual seconds within which everything must come to rest once the faults have stopped."""
SETTINGS = Settings(
    bamboohr_url=f"http://127.0.0.1:{BAMBOOHR_PORT}",
    zoho_api_url=f"http://127.0.0.1:{ZOHO_PORT}",
    zoho_accounts_url=f"http://127.0.0.1:{ZOHO_PORT}",
    partitions=PARTITIONS,
)

EMPLOYEE_ID = "cf_employee_id"
"""The unique custom field by which contacts are matched in every third seed."""


@cache
def _vault() -> Vault:
    return Vault(new_keyset(), source="the simulation")


@dataclass(frozen=True)
class Report:
    """What a run came to. digest: 32 hex characters, equal for equal runs."""

    script: Script
    faults: Counter[str]
    violations: tuple[Violation, ...]
    calls: int
    seconds: float
    """Virtual."""
    digest: str


class World:
    """Runs one script."""

    def __init__(self, script: Script, loop: SimulatedTime) -> None:
        self._script = script
        self._loop = loop
        self._chance = random.Random(f"run {script.seed}")
        self._broker = Broker(PARTITIONS)
        self._coordinator = Coordinator(loop, PARTITIONS, self._chance)
        self._operator = Operator(loop, self._broker, script.seed)
        self._watch = Watch(loop)
        self._broker.moved = self._watch.committed
        self._vendors = Vendors(loop, self._chance)
        self._vendors.sent, self._vendors.handled = self._sent, self._watch.handled
        self._calls = 0
        self._staff = [self._opened(ConnectionId(NAMES[number])) for number in range(script.offices)]
        self._disks = [{name: Disk() for name in TABLES} for _ in range(script.workers)]
        self._workers: list[Worker | None] = [None] * script.workers
        self._lives: list[Life] = []
        self._faults: Counter[str] = Counter()
        self._notices: Change | None = None
        self._pending = 0

    async def run(self) -> Report:
        random.seed(self._script.seed)  # the product draws its jitter from there
        try:
            for number in range(self._script.workers):
                self._begin(number)
            working = asyncio.create_task(self._operator.work())
            for entry in self._script.entries:
                await asyncio.sleep(entry.at - self._loop.time())
                if isinstance(entry, Change):
                    self._change(entry)
                else:
                    self._fault(entry)
            if self._script.calm:
                await asyncio.sleep(1.0)
                for staff in self._staff:
                    self._notices = Change(0.0, 0, "edit", 0, 0, 0.1, None)
                    staff.calm()
            working.cancel()
            found = await self._rest()
            seconds = self._loop.time()
            digest = self._digest()
            if not found:
                found = [violation for staff in self._staff for violation in staff.violations()]
                found += violations_at_rest(self._broker)
                found += too_many_left(self._broker) if policy_of(self._script.seed) == STRICT else []
                found += await self._replay() if self._script.replayed else []
            found = [*self._watch.found, *found, *(Violation("invariant_violations", w) for w in self._loop.failures)]
            return Report(self._script, self._faults, tuple(found), self._calls, seconds, digest)
        finally:
            await self._bury()

    # -- companies ----------------------------------------------------------------------------------------------------

    def _opened(self, connection: ConnectionId) -> Staff:
        seed = self._script.seed
        office = self._vendors.open(
            connection, quota=self._script.quota, hr=bamboohr_of(seed, connection), books=zoho_of(seed, connection)
        )
        office.company.subscribe(lambda notices: self._noticed(connection, notices))
        office.zoho.organization.define_custom_field(CustomField(EMPLOYEE_ID, "Employee id", unique=True))
        vault, zoho = _vault(), office.zoho.credentials

        def seal(secret: str, purpose: Any) -> Any:
            return vault.seal(Masked(secret), connection=connection, purpose=purpose)

        record = Connection(
            connection=connection,
            mode="live",
            guard=policy_of(self._script.seed),
            mapping=Mapping(match=EMPLOYEE_ID if self._script.seed % 3 == 2 else "email"),
            bamboohr=BambooHrSettings(
                subdomain=connection, api_key=seal(office.bamboohr.credentials.api_key, "bamboohr.api_key")
            ),
            webhook_key=seal("unused", "bamboohr.webhook_key"),
            zoho=ZohoSettings(
                region="us",
                organization_id=office.zoho.organization_id,
                calls_per_minute=self._script.quota,
                client_id=seal(zoho.client_id, "zoho.client_id"),
                client_secret=seal(zoho.client_secret, "zoho.client_secret"),
                refresh_token=seal(zoho.refresh_token, "zoho.refresh_token"),
            ),
            saved_at=self._loop.now(),
        )
        place = (CONNECTIONS.name, partition_of(connection, PARTITIONS))
        self._broker.append(place, [(CONNECTIONS.key_of(record), canonical(record))])
        return Staff(office)

    def _change(self, change: Change) -> None:
        self._notices = change
        self._staff[change.office].apply(change)

    def _noticed(self, connection: ConnectionId, notices: Sequence[Notice]) -> None:
        """A webhook of the change under way: it arrives late, twice, or both."""
        change = self._notices
        assert change is not None
        employees = tuple(dict.fromkeys(EmployeeId(notice.employee_id) for notice in notices))
        for delay in (change.notice, change.again):
            if delay is not None:
                self._pending += 1
                self._loop.outside(delay, self._deliver, connection, employees)

    def _deliver(self, connection: ConnectionId, employees: tuple[EmployeeId, ...]) -> None:
        self._pending -= 1
        event = HrEvent(connection=connection, employees=employees, kind="webhook", received_at=self._loop.now())
        place = (HR_EVENTS.name, partition_of(connection, PARTITIONS))
        self._broker.append(place, [(connection.encode(), canonical(event))])

    def _sent(self, office: Any, exchange: Any) -> None:
        self._calls += 1
        self._watch.sent(office, exchange)

    # -- workers ------------------------------------------------------------------------------------------------------

    def _begin(self, number: int) -> None:
        life = Life(self._loop, f"worker {number}, life {len(self._lives)}", self._chance)
        self._lives.append(life)
        worker = Worker(
            life,
            self._broker,
            self._coordinator,
            self._vendors.session(life),
            SETTINGS,
            _vault(),
            self._disks[number],
            self._written,
            lambda worker, error: self._ended(number, worker, error),
            self._recovered,
        )
        worker.log.said = self._watch.said
        life.killed = lambda: self._later(number)
        self._workers[number] = worker
        worker.start()

    def _ended(self, number: int, worker: Worker, error: BaseException) -> None:
        self._faults[f"ended by {type(error).__name__}"] += 1
        if type(error).__name__ not in ("LogUnavailable", "Fatal"):
            self._watch.violated(f"a worker ended by {error!r}")
        self._later(number)

    def _later(self, number: int, seconds: float | None = None) -> None:
        self._workers[number] = None
        self._pending += 1
        self._loop.outside(0.5 + 3 * self._chance.random() if seconds is None else seconds, self._again, number)

    def _again(self, number: int) -> None:
        self._pending -= 1
        self._begin(number)

    def _written(self, worker: Worker, table: str, partition: int, entries: Sequence[Entry]) -> None:
        self._watch.rows_written(table, entries, by_owner=self._coordinator.owners.get(partition) == worker.member.name)

    def _recovered(self, worker: Worker, numbers: Sequence[int]) -> None:
        for number in numbers:
            if self._coordinator.owners.get(number) != worker.member.name:
                continue
            prefixes = [f"{name}/".encode() for name in NAMES if partition_of(ConnectionId(name), PARTITIONS) == number]
            for table, store in worker.stores.items():
                self._watch.recovered(table, store.rows(number), prefixes)

    # -- faults -------------------------------------------------------------------------------------------------------

    def _fault(self, fault: Fault) -> None:
        worker = self._workers[fault.whom % len(self._workers)]
        connection = self._staff[fault.whom % len(self._staff)].office.connection
        office = self._vendors.offices[connection]
        self._faults[fault.kind] += 1
        match fault.kind:
            case "kill" | "wipe" if worker is not None:
                number = fault.whom
                disks = self._disks[number]
                worker.life.killed = lambda: self._gone(number, disks, fault)
                worker.life.plan = (fault.steps, None)
            case "freeze" if worker is not None:
                worker.life.plan = (fault.steps, fault.seconds)
            case "hold" if worker is not None:
                worker.life.held_for = fault.seconds
            case "stop" if worker is not None:
                worker.life.killed = lambda: self._later(fault.whom, fault.seconds)
                worker.stop()
            case "log" | "write" if worker is not None:
                worker.log.faults.append((fault.steps if fault.kind == "write" else 0, fault.detail))
            case "vendor" | "outage":
                api, trouble = fault.detail.split(": ")
                office.trouble[api] += [trouble] * fault.steps  # type: ignore[list-item]
            case "token":
                office.zoho.tokens.expire_access_tokens()
            case "garbage":
                place = (PREFIX + fault.detail, partition_of(connection, PARTITIONS))
                self._broker.append(place, [(connection.encode(), b"no record")])
            case _:
                self._faults[fault.kind] -= 1

    def _gone(self, number: int, disks: dict[str, Disk], fault: Fault) -> None:
        if fault.kind == "wipe":
            disks.update({name: Disk() for name in TABLES})
        self._later(number, fault.seconds)

    # -- the end ------------------------------------------------------------------------------------------------------

    async def _rest(self) -> list[Violation]:
        """Wait until nothing is owed; who is still to be frozen, killed or refused by a limit is not any more.

        A limit lets calls through again in time, not after so many refusals, between which the pauses become long.
        """
        for staff in self._staff:
            for troubles in staff.office.trouble.values():
                troubles[:] = [trouble for trouble in troubles if trouble != "429"]
        end = self._loop.time() + REST_S
        still = 0
        while self._loop.time() < end:
            for worker in self._workers:
                if worker is not None:
                    worker.life.plan = worker.life.held_for = None
                    worker.log.faults.clear()
            await asyncio.sleep(1.0)
            still = still + 1 if self._is_at_rest() else 0
            if still > 3:
                if not self._operator.approve_all():
                    return []
                still = 0
        return [Violation("lost", "it does not come to rest")]

    def _is_at_rest(self) -> bool:
        if self._pending or len(self._coordinator.owners) < PARTITIONS:
            return False
        workers = [worker for worker in self._workers if worker is not None]
        owned = {number for worker in workers for number in worker.folding.owned.partitions}
        served = {connection for worker in workers for connection in worker.lanes._served}
        return (
            len(owned) == PARTITIONS
            and len(served) == len(self._staff)
            and not any(worker.life.frozen for worker in workers)
            and all(worker.idle for worker in workers)
        )

    async def _replay(self) -> list[Violation]:
        for worker in self._workers:
            if worker is not None:
                worker.life.kill()
        return await replayed(self._loop, self._broker, SETTINGS, _vault(), self._lives, len(self._staff))

    def _digest(self) -> str:
        """Of every byte in the log, but for what is encrypted, which is new each time; and of when it came to rest."""
        digest = blake2b(digest_size=16)
        for (topic, partition), log in sorted(self._broker.logs.items()):
            digest.update(repr((topic, partition, len(log))).encode())
            if topic not in (CONNECTIONS.name, TOKENS.name):
                for key, value in log:
                    digest.update(key + (value or b""))
        digest.update(repr((self._calls, round(self._loop.time(), 6))).encode())
        return digest.hexdigest()

    async def _bury(self) -> None:
        for life in self._lives:
            life.over = True
            life.bury()
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)


def run(script: Script) -> Report:
    """Run a script from beginning to end."""
    loop = SimulatedTime()
    try:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(World(script, loop).run())
    finally:
        _cached_build_middleware.cache_clear()  # it would keep whole worlds alive, by the handlers of their vendors
