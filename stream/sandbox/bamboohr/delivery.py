"""Sends webhooks, apart from the writes that caused them, and sends again what met a 5xx or no answer.

BambooHR: a 2xx ends a delivery; a 4xx ends it too, and the event is lost; anything it takes for an outage is tried
again after 5, 10, 20, 40 and 80 minutes. Nothing is promised about order or repetition: `Disorder` makes that happen.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp

from stream.clock import Clock
from stream.sandbox.bamboohr.company import Company
from stream.sandbox.bamboohr.logbook import Line, Logbook
from stream.sandbox.bamboohr.notices import Notice
from stream.sandbox.bamboohr.payloads import Parcel, parcels, sign
from stream.sandbox.bamboohr.quirks import BambooHrQuirks
from stream.sandbox.bamboohr.registrations import Registrations
from stream.telemetry import log

KEPT_ATTEMPTS = 20_000
OVERTAKEN_WITHIN_S = 5.0
_log = log("sandbox.bamboohr")


@dataclass(frozen=True)
class Attempt:
    """One request to a receiver. number: 1 for the first. status: None when no answer came, `error` says why."""

    webhook_id: str
    event: str
    employee_ids: tuple[str, ...]
    number: int
    status: int | None
    error: str | None
    at: datetime


@dataclass(frozen=True)
class Disorder:
    """What goes wrong on the way, by share of deliveries (0..1); drawn from `seed`.

    lost: never sent. duplicated: sent twice. overtaken: sent after the next one. delay_s: seconds before sending, drawn
    evenly between the two.
    """

    lost: float = 0.0
    duplicated: float = 0.0
    overtaken: float = 0.0
    delay_s: tuple[float, float] = (0.0, 0.0)
    seed: int = 1


class Deliveries:
    """time_scale: the minutes before a retry are divided by it. in_flight: requests at a time."""

    def __init__(
        self,
        company: Company,
        registrations: Registrations,
        *,
        quirks: BambooHrQuirks,
        clock: Clock,
        time_scale: float = 1.0,
        in_flight: int = 8,
    ) -> None:
        self.attempts: deque[Attempt] = deque(maxlen=KEPT_ATTEMPTS)
        self.logbook = Logbook()
        self.time_scale = time_scale
        self._company = company
        self._registrations = registrations
        self._quirks = quirks
        self._clock = clock
        self._slots = asyncio.Semaphore(in_flight)
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._overtaking: list[asyncio.Event] = []
        self._retrying = 0
        self.misbehave(Disorder())
        company.subscribe(self.tell)

    def misbehave(self, disorder: Disorder) -> None:
        """From now on, deliver with this disorder."""
        self._disorder = disorder
        self._random = random.Random(disorder.seed)  # noqa: S311 - repeatable, not secret

    def start(self) -> None:
        timeout = aiohttp.ClientTimeout(total=self._quirks.delivery_timeout_s)
        self._session = aiohttp.ClientSession(timeout=timeout, headers={"User-Agent": "BambooHR-WebHooks/1.0"})

    async def stop(self) -> None:
        """Cut off what is under way and forget what was to be sent again."""
        session, self._session = self._session, None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if session is not None:
            await session.close()

    @property
    def unsent(self) -> int:
        """Deliveries whose first attempt is still to come or under way."""
        return len(self._tasks) - self._retrying

    @property
    def idle(self) -> bool:
        """Whether nothing is under way and nothing waits to be sent again."""
        return not self._tasks

    def tell(self, notices: Sequence[Notice]) -> None:
        """Have every webhook tell what it should of one operation. Bodies are as of now; nothing is awaited."""
        if self._session is None:
            return
        for webhook in self._registrations.all():
            if batch := parcels(self._company, webhook, notices):
                self._spawn(self._send_in_turn(batch))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_in_turn(self, batch: Sequence[Parcel]) -> None:
        """The first attempts of one operation, one after the other unless disorder says otherwise."""
        for parcel in batch:
            disorder, chance = self._disorder, self._random
            if chance.random() < disorder.lost:
                self._record(parcel, 1, None, "lost")
                continue
            if chance.random() < disorder.duplicated:
                self._spawn(self._deliver(parcel))
            if chance.random() < disorder.overtaken:
                self._spawn(self._deliver_overtaken(parcel))
                continue
            await asyncio.sleep(chance.uniform(*disorder.delay_s))
            await self._deliver(parcel)

    async def _deliver_overtaken(self, parcel: Parcel) -> None:
        passed = asyncio.Event()
        self._overtaking.append(passed)
        with suppress(TimeoutError):
            await asyncio.wait_for(passed.wait(), OVERTAKEN_WITHIN_S)
        await self._deliver(parcel)

    async def _deliver(self, parcel: Parcel) -> None:
        signed = self._signature(parcel)
        webhook = self._registrations.current(parcel.webhook_id)
        if webhook is not None:
            line = self.logbook.begun(parcel, webhook.configuration, self._clock.now())
            if await self._attempt(line, 1, signed):
                self._spawn(self._try_again(line, signed))
        while self._overtaking:
            self._overtaking.pop().set()

    async def _try_again(self, line: Line, signed: dict[str, str]) -> None:
        self._retrying += 1
        try:
            for number, minutes in enumerate(self._quirks.retry_minutes, start=2):
                jitter = 1 + self._random.uniform(-self._quirks.retry_jitter, self._quirks.retry_jitter)
                await asyncio.sleep(minutes * 60 * jitter / self.time_scale)
                if self._quirks.signed_on_retry == "again":
                    signed = self._signature(line.parcel)
                if not await self._attempt(line, number, signed):
                    return
        finally:
            self._retrying -= 1

    async def _attempt(self, line: Line, number: int, signed: dict[str, str]) -> bool:
        """Make one request; whether it is to be made again."""
        parcel = line.parcel
        webhook = self._registrations.current(parcel.webhook_id)
        if webhook is None or not webhook.creator.active or self._session is None:
            return False
        headers = {"Content-Type": parcel.content_type, **signed}
        if webhook.configuration.with_domain:
            headers["company-domain"] = self._company.subdomain
        status, error = None, None
        async with self._slots:
            webhook.last_sent = self._clock.now()
            try:
                async with self._session.post(
                    webhook.configuration.url, data=parcel.body, headers=headers, allow_redirects=False
                ) as answer:
                    status = answer.status
            except (TimeoutError, aiohttp.ClientError, OSError) as trouble:
                error = type(trouble).__name__
        line.attempted, line.status = self._clock.now(), status
        if status is not None and 200 <= status < 300:
            line.succeeded = line.attempted
        self._record(parcel, number, status, error)
        return status is None or status >= 500

    def _signature(self, parcel: Parcel) -> dict[str, str]:
        webhook = self._registrations.current(parcel.webhook_id)
        if webhook is None:
            return {}
        now = self._clock.now().astimezone(UTC)
        timestamp = (
            str(int(now.timestamp()))
            if self._quirks.signature_timestamp == "unix"
            else now.isoformat(timespec="seconds")
        )
        return {
            "X-BambooHR-Timestamp": timestamp,
            "X-BambooHR-Signature": sign(parcel.body, timestamp, webhook.private_key),
        }

    def _record(self, parcel: Parcel, number: int, status: int | None, error: str | None) -> None:
        self.attempts.append(
            Attempt(parcel.webhook_id, parcel.event, parcel.employee_ids, number, status, error, self._clock.now())
        )
        _log.debug("sandbox.webhook_attempted", webhook=parcel.webhook_id, number=number, status=status, error=error)
