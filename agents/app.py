"""The worker's composition root: settings in, a running worker out."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any, NoReturn, TypeVar

import aiohttp
import faust
from faust.assignor.partition_assignor import PartitionAssignor
from mode.supervisors import CrashingSupervisor
from mode.utils.queues import FlowControlEvent

from agents.echo import Echo
from agents.enrich import enrich
from agents.faust_edge import FaustGroup, FaustStore, all_recovered
from agents.folding import Folding
from agents.health import Health, Serving
from agents.heartbeat import watch_heartbeats
from agents.lanes import Lanes
from agents.partition import INPUTS
from agents.roster import roster
from agents.settle import settle
from agents.sink import sink
from agents.tables import Rows
from stream.clock import Clock, SystemClock
from stream.core.rows import Address, Company, ContactState, Person, Row
from stream.errors import LogUnavailable
from stream.fence import Fence
from stream.kafka.event_log import EventLog
from stream.kafka.reader import LogReader
from stream.kafka.view import CompactedView
from stream.records import Connection, ConnectionId, Mapping
from stream.settings import Settings
from stream.telemetry import log
from stream.topics import APP, CONNECTIONS, HR_EVENTS, TOKENS
from stream.vault.vault import Vault

logger = log("worker")

RETRY_S = 0.5

R = TypeVar("R", bound=Row)


class CoPartitioned(PartitionAssignor):
    """Faust groups topics by a tuple of a set of members, whose order is no promise: all our topics belong together."""

    @classmethod
    def _group_co_subscribed(cls, topics: set[str], subscriptions: Any) -> Iterable[set[str]]:
        return [topics]


class KeptFlow(FlowControlEvent):
    """Faust resumes a flow that runs already when recovery ends, and would empty the queues of the agents by that.

    What is in them then was fetched after the partitions were sought to what is committed: it would not come again.
    """

    def resume(self) -> None:
        if not self.is_active():
            super().resume()


def faust_app(settings: Settings, bootstrap: str, partitions: int) -> faust.App:
    """The Faust application with the settings that lose nothing; why each is so is in the README."""
    app = faust.App(
        APP,
        broker=f"kafka://{bootstrap}",
        store="rocksdb://",
        datadir=str(settings.data / "worker"),
        agent_supervisor=CrashingSupervisor,
        stream_wait_empty=False,
        stream_buffer_maxsize=256,
        stream_processing_timeout=86400,
        broker_commit_livelock_soft_timeout=86400,
        broker_commit_interval=1.0,
        broker_max_poll_interval=10_000_000,
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=0.5,
        broker_request_timeout=max(settings.session_timeout + 2, 10),
        consumer_auto_offset_reset="earliest",
        topic_partitions=partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        producer_request_timeout=30,
        key_serializer="raw",
        value_serializer="raw",
        web_enabled=False,
        web_tables_enabled=False,
        web_router_enabled=False,
        PartitionAssignor=CoPartitioned,
    )
    app.flow_control = KeptFlow()
    return app


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
        self._folding: Folding | None = None
        self._lanes: Lanes | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set. What the worker must not survive ends the process here and now."""
        settings = self._settings
        async with AsyncExitStack() as stack:
            health = Health(self._vault.key_ids, lambda: self._not_ready, self._serving)
            address = await health.start(
                settings.metrics_host, settings.metrics_port, settings.data / "worker" / "address"
            )
            stack.push_async_callback(health.stop)
            logger.info("worker.listening", address=address)
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
        settings, clock = self._settings, self._clock
        app = faust_app(settings, self._kafka, event_log.partitions)
        reader, echo = LogReader(self._kafka), Echo(self._kafka)
        folding = self._folding = Folding(event_log, FaustGroup(app), reader, echo, clock, self._fail)

        def table(name: str, model: type[R]) -> Rows[R]:
            return folding.table(name, model, FaustStore(app, name, event_log.partitions))

        people, addresses = table("people", Person), table("roster", Address)
        contacts, companies = table("contacts", ContactState), table("companies", Company)
        fence = Fence(clock, session_timeout=settings.session_timeout, call_deadline=settings.call_deadline)
        stack.callback(watch_heartbeats(fence, APP))
        # No limit: a slow vendor of one company must not use up another's places. No cookies: they would carry over.
        http = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar())
        )
        connections = CompactedView(self._kafka, CONNECTIONS, lambda key, record: lanes.connection_changed(key, record))
        tokens = CompactedView(self._kafka, TOKENS)
        lanes = self._lanes = Lanes(
            settings,
            event_log,
            people,
            contacts,
            companies,
            connections,
            tokens,
            self._vault,
            http,
            fence,
            clock,
            self._fail,
        )
        folding.results.row_written = lanes.row_written
        for view in (connections, tokens):
            await view.start()
            stack.push_async_callback(view.stop)
        topics = {
            topic: app.topic(topic.name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
            for topic in INPUTS
        }

        def mapping_of(connection: ConnectionId) -> Mapping:
            record = connections.records.get(f"{connection}|settings")
            return record.mapping if isinstance(record, Connection) else Mapping()

        hr_events, employees, upserts, outcomes = (topics[topic] for topic in INPUTS)
        enrich(app, folding, hr_events, people)
        roster(app, folding, employees, people, addresses, mapping_of)
        sink(app, folding, upserts, contacts)
        settle(app, folding, outcomes, contacts, companies)
        app.on_partitions_revoked.connect(self._revoked)
        app.on_partitions_assigned.connect(self._given)
        app.on_rebalance_complete.connect(self._recovered)
        await connections.loaded.wait()  # the roster fold must know the mappings before it folds anything
        self._not_ready = "recovering tables"
        await app.start()
        await self._wait(app, stop)
        self._not_ready = "stopping"
        await self._close(range(event_log.partitions))
        await app.stop()

    async def _wait(self, app: faust.App, stop: asyncio.Event) -> None:
        waits: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(stop.wait()),
            asyncio.ensure_future(app._crashed.wait()),
            self._failed,
        ]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if self._failed.done():
            end_at_once(self._failed.result())
        if app.crashed:
            end_at_once(app.crash_reason or RuntimeError("the stream processor crashed"))

    def _fail(self, error: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_result(error)

    # -- partitions ---------------------------------------------------------------------------------------------------

    async def _revoked(self, _: Any, /, *args: Any, **__: Any) -> None:
        (revoked,) = args
        self._assigned = False
        self._not_ready = "rebalancing"
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        await self._close({tp.partition for tp in revoked if tp.topic == HR_EVENTS.name})

    async def _close(self, numbers: Iterable[int]) -> None:
        assert self._lanes is not None
        assert self._folding is not None
        numbers = list(numbers)
        await self._lanes.close(numbers)
        await self._folding.close(numbers)

    async def _given(self, *_: Any, **__: Any) -> None:
        self._assigned = True

    async def _recovered(self, app: Any, /, *_: Any, **__: Any) -> None:
        if not self._assigned or not all_recovered(app):  # it ends while the partitions are being given away again
            return
        numbers = sorted({tp.partition for tp in app.consumer.assignment() if tp.topic == HR_EVENTS.name})
        self._keep(self._open(numbers))

    async def _open(self, numbers: list[int]) -> None:
        assert self._lanes is not None
        assert self._folding is not None
        partitions = await self._folding.open(numbers)
        logger.info("worker.partitions_opened", partitions=numbers)
        self._not_ready = "catching up"
        await asyncio.gather(*(self._lanes.open(partition) for partition in partitions))
        self._not_ready = None
        logger.info("worker.ready", partitions=len(numbers))

    def _keep(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._opening.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._opening.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                self._fail(error)

        task.add_done_callback(done)

    def _serving(self, connection: ConnectionId) -> Serving:
        return self._lanes.serving(connection) if self._lanes else Serving(False, self._not_ready or "starting")


def end_at_once(error: BaseException) -> NoReturn:
    """Log why and end the process: nothing is flushed, no connection is closed in order, another worker may own it."""
    kind = "fatal" if isinstance(error, LogUnavailable) else "crashed"
    logger.critical(f"worker.{kind}", error=type(error).__name__, reason=str(error)[:300], exc_info=error)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
