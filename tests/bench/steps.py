"""Where the time of an event goes: the moments of the log's records and of the sandboxes' requests, put in a row.

A record's time stamp is when it was handed to the producer, in whole milliseconds; half a millisecond is added, so that
medians and sums over many events come out right. Between two stamps lies what the first record cost to become durable
and what was done until the second was ready.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.demo.vendors import CONNECTION
from agents.results import INTENT
from stream.topics import (
    CONTACT_UPSERTS,
    EMPLOYEES,
    HR_EVENTS,
    MAX_RECORD_BYTES,
    OUTCOMES,
    changelog_of,
    partition_of,
)
from tests.bench.figures import percentile
from tests.bench.place import Call, Place


class Timed(Protocol):
    """An event that was measured, in seconds since the epoch."""

    @property
    def sent(self) -> float: ...
    @property
    def done(self) -> float: ...


CHAIN = (
    ("hr-events", "gateway has checked and understood the webhook"),
    ("people row", "event durable, consumed, folded"),
    ("read asked", "row durable, lane, request to BambooHR"),
    ("read answered", "sandbox: GET employee"),
    ("employees", "answer read, snapshot made"),
    ("intent", "snapshot durable, consumed, folded"),
    ("contact-upserts", "intent durable"),
    ("roster rows", "upsert durable"),
    ("contacts row", "rows durable, lock, upsert consumed and folded"),
    ("contact asked", "row durable, lane, request to Zoho"),
    ("contact answered", "sandbox: GET contact"),
    ("attempting", "answer read, compared"),
    ("write asked", "attempt durable, fence, request to Zoho"),
    ("write answered", "sandbox: PUT contact"),
)
"""The moments of an event in their order, each with what lies before it."""


async def read_steps(at: Place, events: Sequence[Timed]) -> list[tuple[str, float, float]]:
    """For each step of the chain: what it is, its median and its p99 in milliseconds."""
    moments = await _of_records(at) + _of_calls(at.vendors.calls)
    begins = [event.sent - 0.001 for event in events]
    first: dict[int, dict[str, float]] = defaultdict(dict)
    for name, moment in sorted(moments, key=lambda found: found[1]):
        number = bisect_right(begins, moment) - 1
        if number < 0 or moment > events[number].done + 0.001:
            continue
        name = "roster rows" if name == "people row" and "intent" in first[number] else name
        first[number].setdefault(name, moment)
    steps: dict[str, list[float]] = {what: [] for _, what in CHAIN}
    for number, event in enumerate(events):
        last = event.sent
        for name, what in CHAIN:
            if name in first[number]:
                steps[what].append((first[number][name] - last) * 1000)
                last = first[number][name]
    return [(what, percentile(found, 50), percentile(found, 99)) for what, found in steps.items() if found]


def _of_calls(calls: Sequence[Call]) -> list[tuple[str, float]]:
    moments = []
    for call in calls:
        name = "write" if call.method == "PUT" else "read" if "/employees/" in call.path else "contact"
        moments += [(f"{name} asked", call.arrived), (f"{name} answered", call.answered)]
    return moments


async def _of_records(at: Place) -> list[tuple[str, float]]:
    names = {topic.name: topic.name.removeprefix("rosterbook.") for topic in (HR_EVENTS, EMPLOYEES, CONTACT_UPSERTS)}
    names |= {OUTCOMES.name: "", changelog_of("people"): "people row", changelog_of("contacts"): "contacts row"}
    names |= {changelog_of("roster"): ""}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=at.installation.kafka,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=MAX_RECORD_BYTES,
    )
    await consumer.start()
    moments: list[tuple[str, float]] = []
    try:
        counts = {name: len(await consumer._client._wait_on_metadata(name)) for name in names}
        places = [TopicPartition(name, partition_of(CONNECTION, count)) for name, count in counts.items()]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        while [place for place in places if await consumer.position(place) < ends[place]]:
            for place, messages in (await consumer.getmany(timeout_ms=200)).items():
                moments += [
                    (name, (message.timestamp + 0.5) / 1000)
                    for message in messages
                    if (name := names[place.topic] or _name(place.topic, message.key, message.value))
                ]
    finally:
        await consumer.stop()
    return moments


def _name(topic: str, key: bytes, value: bytes) -> str | None:
    if topic == OUTCOMES.name:
        return "attempting" if orjson.loads(value).get("action") == "attempting" else None
    return "intent" if key == INTENT.encode() else None
