"""Both vendors' sandboxes in this process, a whole installation beside it, and the connection between them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiokafka import AIOKafkaConsumer

from agents.demo.equal import Comparison, compare
from agents.demo.vendors import CONNECTION, Vendors
from stream.codec import decode
from stream.records import LaneOutcome, Mapping, SyncOutcome
from stream.sandbox.bamboohr import people
from stream.sandbox.bamboohr.company import Company
from stream.sandbox.bamboohr.quirks import BambooHrQuirks
from stream.sandbox.zoho.organization import Organization
from stream.topics import OUTCOMES
from tests.e2e.processes import Ended, Up, rosterbook
from tests.e2e.waiting import until
from tests.ports import quiet_port

CALLS_PER_MINUTE = 6000
TIME_SCALE = 100.0
"""BambooHR repeats a delivery 3, 9, 21, 45 and 93 seconds after the first: longer than an installation is away, even
on a machine that is busy with other things."""
NOT_ASKED = ("employeeNumber", "supervisorId")


class World:
    """`up` is the installation that runs now. Its gateway keeps its port, as the webhook's URL needs it."""

    def __init__(self, data: Path, **settings: str) -> None:
        """settings: ROSTERBOOK_ variables without their prefix, in lower case."""
        self.data = data
        self.vendors = Vendors(calls_per_minute=CALLS_PER_MINUTE, time_scale=TIME_SCALE)
        self.up = Up()
        self._gateway_port = quiet_port()
        self._settings = {f"ROSTERBOOK_{name.upper()}": value for name, value in settings.items()}
        self._ups: list[Up] = []
        self._newcomers = people.invent(1000, seed=1)

    @property
    def company(self) -> Company:
        return self.vendors.bamboohr.company

    @property
    def organization(self) -> Organization:
        return self.vendors.zoho.organization

    @property
    def variables(self) -> dict[str, str]:
        """What makes a `rosterbook` command one of this installation."""
        return {
            **self.vendors.environment(),
            "ROSTERBOOK_DATA": str(self.data),
            "ROSTERBOOK_GATEWAY_PORT": str(self._gateway_port),
            "ROSTERBOOK_METRICS_PORT": "0",
            "ROSTERBOOK_PUBLIC_URL": f"http://127.0.0.1:{self._gateway_port}",
            **self._settings,
        }

    @property
    def secrets(self) -> dict[str, str]:
        """The variables that the connection file names."""
        bamboohr, zoho = self.vendors.bamboohr, self.vendors.zoho.credentials
        return {
            "DEMO_BAMBOO_KEY": bamboohr.credentials.api_key,
            "DEMO_WEBHOOK_KEY": bamboohr.registrations.all()[0].private_key,
            "DEMO_CLIENT_ID": zoho.client_id,
            "DEMO_CLIENT_SECRET": zoho.client_secret,
            "DEMO_REFRESH_TOKEN": zoho.refresh_token,
        }

    @property
    def file(self) -> Path:
        """The connection file as it was added first."""
        return self.data / "acme.toml"

    async def start_up(self) -> Up:
        """Start another `up`, and do not wait for it."""
        self.up = Up(**self.variables)
        self._ups.append(self.up)
        await self.up.start()
        return self.up

    async def connect(self) -> None:
        await self.vendors.connect(f"127.0.0.1:{self._gateway_port}", self.data, self.variables)

    async def add(self, file: Path | None = None, **variables: str) -> Ended:
        """`rosterbook connection add`. variables: take the place of the right ones."""
        return await self.rosterbook("connection", "add", file or self.file, **{**self.secrets, **variables})

    async def rosterbook(self, *arguments: str | Path, **variables: str) -> Ended:
        """Run a command beside the installation."""
        return await rosterbook(*arguments, **{**self.variables, **variables})

    def file_with(self, name: str, **settings: str) -> Path:
        """A copy of the connection file with other values, in TOML, of some of its keys."""
        text = self.file.read_text()
        for key, value in settings.items():
            text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
            assert count == 1, key
        changed = self.data / f"{name}.toml"
        changed.write_text(text)
        return changed

    def hire(self, count: int) -> list[str]:
        """So many people nobody has seen before; their ids."""
        fields = [next(self._newcomers) for _ in range(count)]
        return [self.company.hire({k: v for k, v in one.items() if v and k not in NOT_ASKED}) for one in fields]

    def retitle(self, employee: str) -> None:
        """A small change: the job title after the one this person has."""
        options = self.company.lists["jobTitle"].options
        ids = [str(option) for option in options]
        now = ids.index(self.company.people[employee].values["jobTitle"])
        self.company.change(employee, {"jobTitle": options[int(ids[(now + 1) % len(ids)])].name})

    def compare(self) -> Comparison:
        return compare(self.company, self.organization, Mapping())

    async def synced(self, deadline: float = 120.0) -> None:
        """Return once Zoho shows what BambooHR says and the worker owes nothing."""
        try:
            await until("both sides are equal", lambda: self.compare().equal, deadline)
        except AssertionError as late:
            told = await self.connection()
            lost = f"BambooHR gave up {self.given_up()} deliveries"
            raise AssertionError(f"{late}: {self.compare()}, {lost}, worker: {told}, up: {self.up.events}") from None
        await until("no debt is left", self.owes_nothing, deadline)
        found = self.compare()
        assert found.equal, found

    async def owes_nothing(self) -> bool:
        """No lane has anything to do, by the worker's metrics. False while it does not answer."""
        metrics = await self.ask("worker", "/metrics")
        debts = re.findall(r"(?m)^rosterbook_debts\{.*\} (\S+)$", str(metrics))
        return len(debts) == 2 and not any(map(float, debts))

    def pid_of(self, part: str) -> int:
        """The process id that the part had when `up` became ready."""
        event = next(event for event in self.up.events if event["event"] == "ready")
        return int(event["processes"][part])

    async def ask(self, part: str, path: str) -> Any:
        """What a part answers: JSON or text, None while it does not answer."""
        try:
            address = (self.data / part / "address").read_text().strip()
            timeout = aiohttp.ClientTimeout(total=5)
            async with aiohttp.ClientSession(timeout=timeout) as http, http.get(f"http://{address}{path}") as answer:
                json = answer.content_type == "application/json"
                return await answer.json() if json else await answer.text()
        except (OSError, aiohttp.ClientError, TimeoutError):
            return None

    async def connection(self) -> dict[str, Any]:
        """What the worker says of the connection; empty while it does not answer."""
        return await self.ask("worker", f"/connections/{CONNECTION}") or {}

    async def outcomes(self) -> list[SyncOutcome]:
        """All that the log says of what happened in Zoho, oldest first."""
        consumer = AIOKafkaConsumer(
            OUTCOMES.name,
            bootstrap_servers=(self.data / "kafka" / "address").read_text().strip(),
            auto_offset_reset="earliest",
        )
        await consumer.start()
        found: list[SyncOutcome | LaneOutcome] = []
        try:
            ends = await consumer.end_offsets(consumer.assignment())
            async with asyncio.timeout(30):
                while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                    for messages in (await consumer.getmany(timeout_ms=200)).values():
                        found += [decode(OUTCOMES, message.value) for message in messages]
        finally:
            await consumer.stop()
        return [outcome for outcome in found if isinstance(outcome, SyncOutcome)]

    async def close(self) -> None:
        for up in self._ups:
            await up.end()
        await self.vendors.stop()

    def given_up(self) -> int:
        """Deliveries that BambooHR will not repeat any more, though nobody took them."""
        last = 1 + len(BambooHrQuirks().retry_minutes)
        attempts = self.vendors.bamboohr.deliveries
        return sum(attempt.number == last and attempt.status != 200 for attempt in attempts)

    def delivery_statuses(self) -> Iterator[int | None]:
        """What the gateway answered to deliveries, None for no answer."""
        return (attempt.status for attempt in self.vendors.bamboohr.deliveries)


@asynccontextmanager
async def connected(data: Path, **settings: str) -> AsyncIterator[World]:
    """A world whose installation is ready and serves the company, which has nobody yet."""
    world = World(data, **settings)
    await world.vendors.start()
    try:
        await (await world.start_up()).ready()
        await world.connect()
        yield world
    finally:
        await world.close()
