"""The Faust application as this product needs it: settings under which nothing is lost, and what must be mended.

`tests/integration/test_faust_defects.py` has a test for each mend, which fails without it. Faust and aiokafka are
mended from outside, so only versions that were read for it are accepted.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import faust
from faust.assignor.partition_assignor import PartitionAssignor
from faust.tables import TableManager
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from mode.supervisors import CrashingSupervisor
from mode.utils.queues import FlowControlEvent

from agents.faust_recovery import Changelogs, CompleteRecovery
from stream.errors import ActionNeeded
from stream.settings import Settings
from stream.topics import APP, CHANGELOGS

CHECKED = {"faust-streaming": "0.15.3", "mode-streaming": "0.7.", "aiokafka": "0.14."}
"""Package -> the version, or how those versions begin, whose source was read for what is relied on here."""

FETCH_BYTES = 64 * 1024
"""Of a partition at a time; of a larger batch, the whole. Faust hands out all that one fetch brought before it looks
for more: with a backlog in some partitions, what arrives in another waits until as much of each is folded."""

FETCH_WAIT_MS = 100
"""Faust lets the broker hold a fetch for 1.5 s while its partitions have nothing. aiokafka has one fetch under way, of
those partitions that it has nothing of: one that was just emptied would wait as long, at each 64 KiB."""


def refuse_unchecked_versions() -> None:
    """Raises ActionNeeded: another version may lose records in ways that nobody has looked for."""
    for package, checked in CHECKED.items():
        found = version(package)
        if found != checked and not (checked.endswith(".") and found.startswith(checked)):
            raise ActionNeeded(
                f"{package} {found} has not been checked for losing records: install what Rosterbook asks for "
                f"({checked}{'*' if checked.endswith('.') else ''}), as `make setup` does."
            )


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


class PromptTables(TableManager):
    """Faust waits a second for tables at the start of each worker: here all are made before."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class WithoutChangelogs:
    """What is assigned, as the fetcher is shown it."""

    def __init__(self, assignment: Any) -> None:
        self.tps = frozenset(tp for tp in assignment.tps if tp.topic not in CHANGELOGS)
        self.state_value = assignment.state_value


class PromptThread(AIOKafkaConsumerThread):
    """Faust's, but that a fetch is held for FETCH_WAIT_MS, and that changelogs are not fetched: whoever recovers tables
    reads them alone (`agents/faust_recovery.py`). aiokafka would name each of their partitions in each fetch, and keep
    what comes of them for ever, since nobody takes it; the first of each would hold up all other fetches for 0.1 s.
    """

    def _create_worker_consumer(self, transport: Transport) -> Any:
        consumer: Any = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def on_start(self) -> None:
        await super().on_start()
        fetcher: Any = self._ensure_consumer()._fetcher
        of_all, inputs_of = fetcher._get_actions_per_node, lru_cache(1)(WithoutChangelogs)  # until the next rebalance
        fetcher._get_actions_per_node = lambda assignment: of_all(inputs_of(assignment))


class PromptConsumer(Consumer):
    """Of such a thread."""

    def _new_consumer_thread(self) -> PromptThread:
        return PromptThread(self, loop=self.loop, beacon=self.beacon)


def faust_app(settings: Settings, bootstrap: str, partitions: int, reader: Changelogs) -> faust.App:
    """The application. Why each setting is so is in the README. Raises ActionNeeded."""
    refuse_unchecked_versions()
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
        consumer_max_fetch_size=FETCH_BYTES,
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
        TableManager=PromptTables,
    )
    app.flow_control = KeptFlow()
    transport: Any = app.transport
    transport.Consumer = PromptConsumer
    tables: Any = app.tables
    tables._recovery = CompleteRecovery(app, reader)
    return app
