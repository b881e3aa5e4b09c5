"""What an onlooker of the log sees: each HR event, what became of it in Zoho, and how long that took."""

from __future__ import annotations

import asyncio
import statistics
from collections import deque
from dataclasses import dataclass
from datetime import datetime

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from stream.codec import decode
from stream.errors import RecordRefused
from stream.records import AnyRecord, HrEvent, SyncOutcome
from stream.topics import HR_EVENTS, MAX_RECORD_BYTES, OUTCOMES

RETRY_S = 0.5
SHOWN = 14
MANY = 4
"""More changed fields than these are a new record."""


@dataclass(frozen=True)
class Seen:
    """One debt that was paid. event: what BambooHR said; outcome: what was done in Zoho; latency in milliseconds."""

    at: datetime
    employee: str
    event: str
    action: str
    changed: str
    latency_ms: float


class Watch:
    """Reads `hr-events` and `outcomes` from their beginning. latencies_ms: one for each paid debt, in order."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._heard: dict[tuple[int, int], HrEvent] = {}
        self._task: asyncio.Task[None] | None = None
        self.events = 0
        self.latencies_ms: list[float] = []
        self.latest: deque[Seen] = deque(maxlen=SHOWN)

    async def start(self) -> None:
        self._task = asyncio.create_task(self._read(), name="watch the log")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def percentiles(self, last: int = 0) -> dict[str, float | None]:
        """p50 and p99 of the latencies so far, in milliseconds; None before the first. last: of so many; 0 = of all."""
        latencies = self.latencies_ms[-last:]
        if len(latencies) < 2:
            one = round(latencies[0], 1) if latencies else None
            return {"p50": one, "p99": one}
        cuts = statistics.quantiles(latencies, n=100, method="inclusive")
        return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1)}

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            HR_EVENTS.name,
            OUTCOMES.name,
            bootstrap_servers=self._bootstrap,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=MAX_RECORD_BYTES,
        )
        try:
            await consumer.start()
            topics = {topic.name: topic for topic in (HR_EVENTS, OUTCOMES)}
            while True:
                try:
                    batches = await consumer.getmany(timeout_ms=500)
                except KafkaError:
                    await asyncio.sleep(RETRY_S)
                    continue
                # Events first: an outcome names the event it follows from.
                for tp, messages in sorted(batches.items(), key=lambda batch: batch[0].topic != HR_EVENTS.name):
                    for message in messages:
                        try:
                            record = decode(topics[tp.topic], message.value)
                        except RecordRefused:
                            continue
                        self._take(tp.partition, message.offset, record)
        finally:
            await consumer.stop()

    def _take(self, partition: int, offset: int, record: AnyRecord) -> None:
        if isinstance(record, HrEvent):
            self.events += 1
            self._heard[partition, offset] = record
        elif isinstance(record, SyncOutcome) and record.settles is not None:
            cause = next((p for p in record.chain if p.topic == HR_EVENTS.name), None)
            event = self._heard.get((cause.partition, cause.offset)) if cause else None
            if event is None:
                return
            latency = (record.at - event.received_at).total_seconds() * 1000
            self.latencies_ms.append(latency)
            changed = ", ".join(sorted(name for name, (before, after) in record.changes.items() if before != after))
            self.latest.append(
                Seen(
                    at=record.at,
                    employee=record.employee,
                    event=_told(event),
                    action=record.action,
                    changed=changed,
                    latency_ms=latency,
                )
            )


def _told(event: HrEvent) -> str:
    """What BambooHR said, for a person: "created", "deleted", or which fields changed."""
    fields = ", ".join(event.changed_fields)
    return (
        fields if 0 < len(event.changed_fields) <= MANY else ", ".join(kind.rpartition(".")[2] for kind in event.types)
    )
