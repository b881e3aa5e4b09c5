"""Everything on one machine: embedded Kafka, topics, gateway and worker, supervised.

Each part is restarted when it ends by itself, with backoff; a part that keeps ending takes the whole down, loudly. All
processes end with this one, within five seconds, however it ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from agents.child import Child
from agents.health import READS_LOG
from stream.clock import Clock, SystemClock
from stream.errors import ActionNeeded, Fatal, SettingsError
from stream.gateway.certificate import own
from stream.kafka.admin import admin, apply, partition_count
from stream.kafka.embedded import EmbeddedKafka
from stream.kafka.scan import LogScan
from stream.live_secrets import live_records
from stream.settings import Settings
from stream.telemetry import log
from stream.topics import CONNECTIONS
from stream.vault.fitting import refuse_loss
from stream.vault.keyfile import lacks_ring, load_vault, ring_file

logger = log("up")

READY_S = 60.0
"""Within which all is ready; the time in which the worker reads the log does not count."""
QUIET_S = 5.0
"""Nobody needs to be told that the worker reads the log for no longer than that."""
END_S = 3.2
"""Within which all parts end, and then this process: a busy machine takes over a second for that; 5 s are promised."""
CHILD_GRACE_S = 2.7
KAFKA_GRACE_S = 0.5
"""At least; it gets what the others have left."""
BACKOFF_FIRST_S, BACKOFF_LONGEST_S = 0.5, 10.0
GIVE_UP_AFTER, GIVE_UP_WITHIN_S = 6, 120.0
"""So many ends of one part within so many seconds are not bad luck any more."""
MISSET = "exit code 2"
"""How a command ends when only a person can mend what is wrong, such as a port that is taken: never tried again."""


class Installation:
    """`start` returns when all of it is ready; `failed` tells why it had to give up. Say is told what happens."""

    def __init__(
        self,
        settings: Settings,
        *,
        say: Callable[[str], None],
        environment: dict[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """environment: added to that of the gateway and the worker."""
        self._settings = settings
        self._say = say
        self._clock = clock or SystemClock()
        self._kafka = EmbeddedKafka(settings.data, settings.kafka_port)
        self._logs = settings.data / "logs"
        added = {"ROSTERBOOK_DATA": str(settings.data.absolute()), **(environment or {})}
        self._children = [Child(command, logs=self._logs, environment=added) for command in ("gateway", "worker")]
        self._watchers: list[asyncio.Task[None]] = []
        self._stopping = False
        self.failed: asyncio.Future[Fatal] = asyncio.get_running_loop().create_future()

    @property
    def kafka(self) -> str:
        return self._kafka.bootstrap

    @property
    def logs(self) -> Path:
        return self._logs

    def processes(self) -> dict[str, int]:
        """Name -> process id."""
        return {"kafka": self._kafka.pid, **{child.name: child.pid for child in self._children}}

    def address(self, part: str) -> str | None:
        """Where the gateway or the worker listens, None while it does not."""
        try:
            return (self._settings.data / part / "address").read_text().strip() or None
        except FileNotFoundError:
            return None

    def url(self, part: str) -> str | None:
        """The same as an address to call."""
        address = self.address(part)
        secure = part == "gateway" and self._settings.gateway_cert is not None
        return None if address is None else f"{'https' if secure else 'http'}://{address}"

    async def start(self) -> None:
        """Start all parts. Raises what keeps it from working, with nothing left running."""
        if self._settings.kafka is not None:
            raise SettingsError(
                "This runs a broker of its own: unset ROSTERBOOK_KAFKA, or run `rosterbook gateway` and `rosterbook "
                "worker` for your cluster."
            )
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        settings = self._settings
        self._logs.mkdir(parents=True, exist_ok=True)
        await self._kafka.start()
        self._say(f"Kafka answers at {self._kafka.bootstrap}")
        async with admin(self._kafka.bootstrap) as client:
            was_there = CONNECTIONS.name in await client.list_topics()
            await apply(client, await partition_count(client, settings), settings.replicas, settings.min_insync)
        if was_there and lacks_ring(settings):  # a new one would hide that what the log holds opens no more
            live = await live_records(LogScan(self._kafka.bootstrap))
            refuse_loss(live.records.values(), str(ring_file(settings).path))
        load_vault(settings, create=True)
        for part in ("gateway", "worker"):
            (settings.data / part / "address").unlink(missing_ok=True)
        for child in self._children:
            await child.start()
            self._watch(child.name, child.wait, child.start, child.last_words)
        self._watch("kafka", self._kafka_ended, self._restart_kafka, self._kafka.reason)
        await self._ready()

    def _watch(
        self,
        name: str,
        ended: Callable[[], Awaitable[str]],
        start: Callable[[], Awaitable[None]],
        why: Callable[[], str],
    ) -> None:
        self._watchers.append(asyncio.create_task(self._keep_running(name, ended, start, why), name=f"keep {name}"))

    async def _keep_running(
        self,
        name: str,
        ended: Callable[[], Awaitable[str]],
        start: Callable[[], Awaitable[None]],
        why: Callable[[], str],
    ) -> None:
        ends: list[float] = []
        while True:
            how = await ended()
            if self._stopping:
                return
            now = self._clock.monotonic()
            ends = [at for at in ends if now - at < GIVE_UP_WITHIN_S] + [now]
            reason = why()
            logger.error("up.part_ended", part=name, how=how, times=len(ends))
            self._say(f"{name} ended ({how}): {reason}")
            if how == MISSET:
                self._give_up(ActionNeeded(reason))
                return
            if len(ends) >= GIVE_UP_AFTER:
                often = f"{name} ended {len(ends)} times in {GIVE_UP_WITHIN_S:g} s"
                self._give_up(Fatal(f"{often}, last with {how}: {reason}"))
                return
            await asyncio.sleep(min(BACKOFF_LONGEST_S, BACKOFF_FIRST_S * 2.0 ** (len(ends) - 1)))
            try:
                await start()
            except Fatal as error:
                self._give_up(error)
                return
            self._say(f"{name} runs again")

    def _give_up(self, reason: Fatal) -> None:
        if not self.failed.done():
            self.failed.set_result(reason)

    async def _kafka_ended(self) -> str:
        return f"exit code {await self._kafka.wait()}"

    async def _restart_kafka(self) -> None:
        reason = self._kafka.reason()
        await self._kafka.stop()
        try:
            await self._kafka.start()
        except Fatal:
            logger.error("up.kafka_not_restarted", reason=reason)
            raise

    async def _ready(self) -> None:
        """Wait until gateway and worker say that they are ready."""
        part, lacking = "", None
        began, told = self._clock.monotonic(), False
        connector = aiohttp.TCPConnector(ssl=own(self._settings))
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2), connector=connector) as http:
            try:
                async with asyncio.timeout(READY_S) as patience:
                    for part in ("gateway", "worker"):
                        while (lacking := await self._lacking(http, part)) is not None:
                            if self.failed.done():
                                raise self.failed.result()
                            if lacking in READS_LOG:
                                patience.reschedule(asyncio.get_running_loop().time() + READY_S)
                                if not told and self._clock.monotonic() - began > QUIET_S:
                                    told = True
                                    self._say("The worker reads what is on the log, which may take minutes")
                            await asyncio.sleep(0.05)
                        self._say(f"{part} is ready at {self.url(part)}")
            except TimeoutError:
                raise Fatal(
                    f"Not ready within {READY_S:g} s ({part}: {lacking}): the files in {self._logs} say more."
                ) from None

    async def _lacking(self, http: aiohttp.ClientSession, part: str) -> str | None:
        """Why the part is not ready, None when it is."""
        if (url := self.url(part)) is None:
            return "does not listen"
        try:
            async with http.get(f"{url}/readyz") as answer:
                if answer.status == 200:
                    return None
                told = await answer.json()
        except (aiohttp.ClientError, TimeoutError):
            return "does not answer"
        return told.get("reason") or ", ".join(told.get("reasons", ()))

    async def stop(self) -> None:
        """End all parts, Kafka last, so that what the worker still learns is kept. May be called again."""
        self._stopping = True
        until = time.monotonic() + END_S
        self._kafka.mark_ending()
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        await asyncio.gather(*(child.stop(CHILD_GRACE_S) for child in self._children))
        await self._kafka.stop(max(KAFKA_GRACE_S, until - time.monotonic()))
