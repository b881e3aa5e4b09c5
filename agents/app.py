"""A worker's life: it connects, is given partitions and opens them, closes them before they go, and ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any

import faust

from agents.ending import AGAIN, end_at_once, leave
from agents.health import CATCHING_UP, RECOVERING, Health, Serving
from agents.progress import waiting_work
from agents.stacks import log_stacks
from agents.watchdog import Watchdog, WatchdogPolicy, Work
from agents.wiring import Parts, wire
from stream.clock import Clock, SystemClock
from stream.errors import LogUnavailable
from stream.kafka.cancellation import end
from stream.kafka.event_log import EventLog
from stream.records import ConnectionId
from stream.settings import Settings
from stream.telemetry import log
from stream.topics import HR_EVENTS
from stream.vault.fitting import refuse_other_keys
from stream.vault.vault import Vault

logger = log("worker")

RETRY_S = 0.5


class Worker:
    """One worker process. `run` returns when told to stop; an error from which it must not go on ends the process."""

    def __init__(
        self, settings: Settings, bootstrap: Callable[[], str | None], vault: Vault, clock: Clock | None = None
    ) -> None:
        """bootstrap: where the brokers are, None while that is not known yet."""
        self._settings = settings
        self._bootstrap = bootstrap
        self._vault = vault
        self._clock = clock or SystemClock()
        self._opening: set[asyncio.Task[None]] = set()
        self._assigned = False
        self._not_ready: str | None = "waiting for Kafka"
        self._failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._parts: Parts | None = None
        self._loop = asyncio.get_running_loop()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set. What the worker must not survive ends the process here and now.

        Raises VaultLocked when the keys are not those of the log, before anything is folded.
        """
        settings = self._settings
        async with AsyncExitStack() as stack:
            health = Health(lambda: self._vault.key_ids, self._lacking, self._warnings, self._serving)
            address = await health.start(
                settings.metrics_host, settings.metrics_port, settings.data / "worker" / "address"
            )
            stack.push_async_callback(health.stop)
            logger.info("worker.listening", address=address)
            policy = WatchdogPolicy(block=settings.watchdog_block, stall=settings.watchdog_stall)
            watchdog = Watchdog(policy, self._clock, self._waiting, self._hangs)
            watchdog.start()
            stack.push_async_callback(watchdog.stop)
            event_log = await self._connect(stop)
            if event_log is None:
                return
            stack.push_async_callback(event_log.stop)
            await self._work(stack, event_log, stop)

    async def _connect(self, stop: asyncio.Event) -> EventLog | None:
        """The log, once it answers; None when told to stop before."""
        said = None
        while not stop.is_set():
            if (bootstrap := self._bootstrap()) is not None:
                event_log = EventLog(bootstrap)
                try:
                    await event_log.start()
                except LogUnavailable as error:
                    if said != error.message:
                        logger.warning("worker.waiting_for_kafka", reason=error.message)
                    said = self._not_ready = error.message
                else:
                    self._kafka = bootstrap
                    return event_log
            try:
                async with asyncio.timeout(RETRY_S):
                    await stop.wait()
            except TimeoutError:
                pass
        return None

    async def _work(self, stack: AsyncExitStack, event_log: EventLog, stop: asyncio.Event) -> None:
        parts = self._parts = await wire(
            stack, self._settings, self._kafka, event_log, self._vault, self._clock, self._fail
        )
        app = parts.app
        app.on_partitions_revoked.connect(self._revoked)
        app.on_partitions_assigned.connect(self._given)
        app.on_rebalance_complete.connect(self._recovered)
        await parts.connections.loaded.wait()  # the roster fold must know the mappings before it folds anything
        refuse_other_keys(parts.connections.records.values(), self._vault)
        self._not_ready = RECOVERING
        starting = asyncio.create_task(app.start())  # done only when the first recovery is
        await self._wait(app, starting, stop)
        self._not_ready = "stopping"
        await self._close(range(event_log.partitions))
        await app.stop()

    async def _wait(self, app: faust.App, starting: asyncio.Task[None], stop: asyncio.Event) -> None:
        told = asyncio.create_task(stop.wait())
        crashed = asyncio.ensure_future(app._crashed.wait())
        waits: set[asyncio.Future[Any]] = {told, crashed, self._failed}
        try:
            await asyncio.wait({starting, *waits}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done() and not starting.cancelled() and starting.exception() is None:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (told, crashed, starting):
                task.cancel()
        if self._failed.done():
            end_at_once(self._failed.result(), self._settings.data)
        if app.crashed:
            end_at_once(app.crash_reason or RuntimeError("the stream processor crashed"), self._settings.data)
        if starting.done():
            starting.result()

    def _fail(self, error: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_result(error)

    def _lacking(self) -> str | None:
        """Why the worker is not ready, None when it is."""
        if self._not_ready is None and self._parts is not None and not self._parts.lookout.answers:
            return "Kafka does not answer"
        return self._not_ready

    def _warnings(self) -> list[str]:
        """What somebody should do, although the rest of the worker's work goes on."""
        if self._parts is None:
            return []
        return [*self._parts.folding.owned.why_stopped().values(), *self._parts.clocks.warnings()]

    def _waiting(self) -> Iterable[Work]:
        return () if self._parts is None else waiting_work(self._parts, self._not_ready)

    def _hangs(self, sentence: str) -> None:
        """On the watchdog's thread: the loop may stand still."""
        log_stacks(self._loop)
        logger.critical("worker.hangs", reason=sentence)
        leave(AGAIN)

    # -- partitions ---------------------------------------------------------------------------------------------------

    async def _revoked(self, _: Any, /, *args: Any, **__: Any) -> None:
        (revoked,) = args
        self._assigned = False
        self._not_ready = "rebalancing"
        opening, self._opening = self._opening, set()
        await end(*opening)
        await self._close({tp.partition for tp in revoked if tp.topic == HR_EVENTS.name})

    async def _close(self, numbers: Iterable[int]) -> None:
        assert self._parts is not None
        numbers = list(numbers)
        await self._parts.lanes.close(numbers)
        await self._parts.folding.close(numbers)

    async def _given(self, *_: Any, **__: Any) -> None:
        self._assigned = True
        self._not_ready = RECOVERING

    async def _recovered(self, app: Any, /, *_: Any, **__: Any) -> None:
        if not self._assigned:  # a recovery that ends while the partitions are being given away again
            return
        numbers = sorted({tp.partition for tp in app.consumer.assignment() if tp.topic == HR_EVENTS.name})
        self._keep(self._open(numbers))

    async def _open(self, numbers: list[int]) -> None:
        assert self._parts is not None
        lanes = self._parts.lanes
        partitions = await self._parts.folding.open(numbers)
        logger.info("worker.partitions_opened", partitions=numbers)
        self._not_ready = CATCHING_UP
        await asyncio.gather(*(lanes.open(partition) for partition in partitions))
        self._not_ready = None
        logger.info("worker.ready", partitions=len(numbers))

    def _keep(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._opening.add(task)

        def done(task: asyncio.Task[None]) -> None:
            if task.cancelled():
                if task in self._opening:  # by nobody here: the partitions would stay shut, and nobody would know
                    self._fail(LogUnavailable("The opening of partitions was cut off by the end of a connection."))
            elif (error := task.exception()) is not None:
                self._fail(error)
            self._opening.discard(task)

        task.add_done_callback(done)

    def _serving(self, connection: ConnectionId) -> Serving:
        if self._parts is None:
            return Serving(False, self._not_ready or "starting")
        number = self._parts.lanes.maker.log.partition_of(connection)
        if (why := self._parts.folding.owned.why_stopped().get(number)) is not None:
            return Serving(False, why)
        return self._parts.lanes.serving(connection)
