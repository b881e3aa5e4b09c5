"""All processes of one run and the vendors around them; nothing in here does any harm, and all of it can be harmed."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stream.kafka.admin import admin, apply
from stream.settings import Settings
from stream.topics import partition_of
from stream.vault.keyfile import load_vault
from tests.chaos.cluster import Cluster
from tests.chaos.doorman import Doorman
from tests.chaos.life import Life
from tests.chaos.member import Member
from tests.chaos.office import Office
from tests.chaos.proxy import Proxy
from tests.chaos.sight import Sight
from tests.e2e.waiting import until
from tests.ports import quiet_port

PARTITIONS = 4
SETTLE_TIME_S = 5
SESSION_TIMEOUT_S = 8
READY_S = 120.0


@dataclass(frozen=True)
class Shape:
    """What a run consists of. without: protections that its workers and gateways do not have.

    happens: what changes in the company, of `life.SHARES`; all of it when nothing is named.
    """

    brokers: int = 1
    workers: int = 2
    gateways: int = 1
    without: tuple[str, ...] = ()
    happens: tuple[str, ...] = ()

    @classmethod
    def drawn(cls, seed: int, without: Sequence[str] = ()) -> Shape:
        rng = random.Random(f"shape {seed}")
        return cls(rng.choice((1, 1, 3)), rng.randint(1, 3), rng.randint(1, 2), tuple(without))


class World:
    """spare: a worker that does not run at first. undecodable: topic and offset of what was put there as no record."""

    def __init__(self, folder: Path, seed: int, shape: Shape) -> None:
        self.folder = folder
        self.shape = shape
        self.office = Office()
        self.life = Life(self.office.bamboohr.company, seed, shape.happens)
        workers = [f"worker-{number}" for number in range(1, shape.workers + 2)]
        gateways = [f"gateway-{number}" for number in range(1, shape.gateways + 1)]
        self.cluster = Cluster(folder, shape.brokers, [*workers, *gateways])
        self.doorman = Doorman(lambda: [self._gateway_ports[g.name] for g in self.gateways if g.wanted])
        self.partition = partition_of(self.office.connection, PARTITIONS)
        self.sight = Sight(self.cluster.direct, self.partition)
        self.membership = asyncio.Lock()
        """Held by whoever takes workers out of the group or brings them in."""
        self.undecodable: set[tuple[str, int]] = set()
        self._gateway_ports = {name: quiet_port() for name in gateways}
        self._names = workers, gateways
        self.workers: list[Member] = []
        self.gateways: list[Member] = []
        self._began = time.monotonic()

    @property
    def spare(self) -> Member:
        return self.workers[-1]

    @property
    def running(self) -> list[Member]:
        """Workers and gateways that should be up."""
        return [member for member in (*self.workers, *self.gateways) if member.wanted]

    def seconds(self) -> float:
        """Since the changes began."""
        return time.monotonic() - self._began

    async def start(self) -> None:
        """Return when the company, which has nobody yet, is connected, and everything but the spare is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        vault = Settings(data=self.folder)
        load_vault(vault, create=True)
        await self.office.start()
        await self.doorman.start()
        await self.cluster.start()
        replicas = self.shape.brokers
        async with admin(self.cluster.direct) as client:
            await apply(client, PARTITIONS, replicas, max(1, replicas - 1))
        await self.sight.start()
        await self._make_members()
        first = self.workers[0]
        for member in (first, *self.gateways):
            await member.start()
        for member in (first, *self.gateways):
            await until(f"{member.name} is ready", member.ready, READY_S)
        added = {**self._variables(), **self._vendors(first), "ROSTERBOOK_KAFKA": self.cluster.direct}
        added |= {"ROSTERBOOK_DATA": str(first.data), "ROSTERBOOK_GATEWAY_PORT": self._first_gateway_port}
        await self.office.connect(self.doorman.address, first.data, added)
        for member in self.workers[1:-1]:
            await member.start()
        await until("every process is ready", self.all_ready, READY_S)
        self._began = time.monotonic()

    @property
    def _first_gateway_port(self) -> str:
        return str(next(iter(self._gateway_ports.values())))

    def _variables(self) -> dict[str, str]:
        return {
            "ROSTERBOOK_VAULT_KEY_FILE": str(self.folder / "vault.json"),
            "ROSTERBOOK_REPLICATION": str(self.shape.brokers),
            "ROSTERBOOK_SETTLE_TIME": str(SETTLE_TIME_S),
            "ROSTERBOOK_SESSION_TIMEOUT": str(SESSION_TIMEOUT_S),
            "ROSTERBOOK_METRICS_PORT": "0",
        }

    def _vendors(self, member: Member) -> dict[str, str]:
        bamboohr, zoho = member.vendors
        api_path = self.office.zoho.api_url.removeprefix(self.office.zoho.accounts_url)
        return {
            "ROSTERBOOK_BAMBOOHR_URL": f"http://{bamboohr.address}",
            "ROSTERBOOK_ZOHO_ACCOUNTS_URL": f"http://{zoho.address}",
            "ROSTERBOOK_ZOHO_API_URL": f"http://{zoho.address}{api_path}",
        }

    async def _make_members(self) -> None:
        without = self.shape.without
        workers, gateways = self._names
        ports = [int(url.rpartition(":")[2]) for url in (self.office.bamboohr.root_url, self.office.zoho.accounts_url)]
        for name in workers:
            vendors = [Proxy(port) for port in ports]
            for path in vendors:
                await path.start()
            variables = {**self._variables(), "ROSTERBOOK_KAFKA": self.cluster.bootstrap(name)}
            paths = self.cluster.paths(name)
            member = Member(name, "worker", self.folder, variables, kafka=paths, vendors=vendors, without=without)
            member.variables |= self._vendors(member)
            self.workers.append(member)
        for name in gateways:
            variables = {**self._variables(), "ROSTERBOOK_KAFKA": self.cluster.bootstrap(name)}
            variables["ROSTERBOOK_GATEWAY_PORT"] = str(self._gateway_ports[name])
            paths = self.cluster.paths(name)
            self.gateways.append(Member(name, "gateway", self.folder, variables, kafka=paths, without=without))

    async def all_ready(self) -> bool:
        return all(await asyncio.gather(*(member.ready() for member in self.running)))

    async def owner(self) -> Member | None:
        """The worker that serves the company now."""
        for member in self.workers:
            told = await member.ask(f"/connections/{self.office.connection}") if member.runs else None
            if isinstance(told, dict) and told.get("serving"):
                return member
        return None

    async def owed(self) -> list[str]:
        """What is still to be done, in words; empty when nothing is."""
        found = []
        if not self.office.bamboohr.idle:
            found.append("deliveries are to be made")
        lag = await self.sight.lag()
        if lag is None:
            return [*found, "Kafka does not say how far it is"]
        found += [f"{count} of {topic} are to be folded" for topic, count in lag.items() if count]
        owner = await self.owner()
        metrics = str(await owner.ask("/metrics")) if owner is not None else ""
        debts = re.findall(r'(?m)^rosterbook_debts\{.*api="(\w+)".*\} (\S+)$', metrics)
        if len(debts) != 2:
            return [*found, "nobody serves the company"]
        return found + [f"{float(count):g} debts at {api}" for api, count in debts if float(count)]

    async def stop(self) -> None:
        await asyncio.gather(*(member.down() for member in (*self.workers, *self.gateways)))
        await self.sight.stop()
        await self.cluster.stop()
        await asyncio.gather(*(path.stop() for member in self.workers for path in member.vendors))
        await self.doorman.stop()
        await self.office.stop()
