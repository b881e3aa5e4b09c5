"""Reading whole partitions, and single records, from outside any group."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import TopicPartition
from aiokafka.admin.records_to_delete import RecordsToDelete

from stream.codec import decode
from stream.errors import LogUnavailable
from stream.kafka.admin import admin
from stream.kafka.scan import LogScan
from stream.records import Command, DeadLetter, LogPosition
from stream.topics import COMMANDS, DEAD_LETTERS, HR_EVENTS
from tests.integration.harness import event_log
from tests.integration.inputs import ACME, AT, OTHER, heard


async def test_all_that_topics_hold_is_read_in_order_even_where_they_are_empty_or_large(bootstrap: str) -> None:
    scan = LogScan(bootstrap)
    async with asyncio.timeout(10):
        assert [entry async for entry in scan.all([HR_EVENTS, COMMANDS])] == []
    large = DeadLetter(connection=ACME, stage="s", error="e", message="m", payload="x" * 3_900_000, at=AT)
    async with event_log(bootstrap) as log:
        here = [await log.append(heard(str(n))) for n in range(1200)]
        there = await log.append(heard("9", connection=OTHER))
        largest = await log.append(large)
        await log.put(HR_EVENTS.name, here[0].partition, [(b"acme", None)])
        asked = await log.append(Command(connection=ACME, command="c", asked_by="kim", at=AT))
    found = [entry async for entry in scan.all([HR_EVENTS, DEAD_LETTERS, COMMANDS])]
    positions = [entry.position for entry in found]
    tombstone = here[-1].model_copy(update={"offset": 1200})
    assert [p for p in positions if p.topic == HR_EVENTS.name and p.partition == tombstone.partition] == [
        *here,
        tombstone,
    ]
    assert {there, largest, asked} <= set(positions)
    assert len(found) == 1204
    values = {entry.position: entry.value for entry in found}
    assert values[tombstone] is None
    assert decode(DEAD_LETTERS, values[largest]) == large


async def test_single_records_are_found_where_they_lie_and_only_in_the_same_life_of_the_topic(bootstrap: str) -> None:
    async with event_log(bootstrap) as log:
        here = [await log.append(heard(str(n))) for n in range(5)]
        there = await log.append(heard("9", connection=OTHER))
    scan = LogScan(bootstrap)
    async with admin(bootstrap) as client:
        await client.delete_records(
            {TopicPartition(HR_EVENTS.name, here[0].partition): RecordsToDelete(before_offset=1)}
        )

    async def these(*positions: LogPosition) -> list[LogPosition]:
        async with asyncio.timeout(10):
            return [entry.position async for entry in scan.these(positions)]

    assert await these(here[3], there, here[1]) in ([here[1], here[3], there], [there, here[1], here[3]])
    assert await these(here[0]) == [], "its time is over"
    assert await these(here[4].model_copy(update={"offset": 5000})) == [], "there has never been one"
    assert await these(here[3].model_copy(update={"topic_id": "0" * 32})) == [], "that was another topic"
    assert await these() == []


async def test_no_broker_and_no_topic_are_sentences(bootstrap: str) -> None:
    with pytest.raises(LogUnavailable, match=r"127\.0\.0\.1:1"):
        [entry async for entry in LogScan("127.0.0.1:1").all([HR_EVENTS])]
    nowhere = replace(COMMANDS, name="rosterbook.nowhere")
    with pytest.raises(LogUnavailable, match="run `rosterbook topics apply`"):
        [entry async for entry in LogScan(bootstrap).all([nowhere])]


async def test_what_was_written_from_a_moment_on_is_found_by_its_time(bootstrap: str) -> None:
    async with event_log(bootstrap) as log:
        before = [await log.append(heard(str(n))) for n in range(3)]
        moment = datetime.now(UTC)
        while int(datetime.now(UTC).timestamp() * 1000) == int(moment.timestamp() * 1000):
            await asyncio.sleep(0)  # times on the log are whole milliseconds
        after = [await log.append(heard(str(n))) for n in range(3, 5)]
    scan = LogScan(bootstrap)

    async def since(at: datetime) -> list[LogPosition]:
        async with asyncio.timeout(10):
            return [entry.position async for entry in scan.since(HR_EVENTS, ACME, at)]

    assert await since(moment + timedelta(milliseconds=1)) == after
    assert await since(moment - timedelta(hours=1)) == [*before, *after]
    assert await since(moment + timedelta(hours=1)) == []
