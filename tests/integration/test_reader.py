"""Looking at the log from outside: where partitions begin and end, what is committed, and the newest records."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin.records_to_delete import RecordsToDelete

from stream.codec import decode
from stream.errors import LogUnavailable
from stream.kafka.admin import admin
from stream.kafka.reader import Extent, LogReader
from stream.topics import APP, HR_EVENTS, partition_of
from tests.integration.harness import commit, event_log
from tests.integration.inputs import ACME, heard

HERE, THERE = partition_of(ACME, 2), 1 - partition_of(ACME, 2)
BOTH = [(HR_EVENTS.name, HERE), (HR_EVENTS.name, THERE)]


async def test_extents_tell_beginning_end_and_what_the_group_reads_next(bootstrap: str) -> None:
    reader = LogReader(bootstrap)
    async with event_log(bootstrap) as log:
        await log.append_all([heard(str(n)) for n in range(6)])
    assert await reader.extents(APP, BOTH) == {BOTH[0]: Extent(0, 6, None), BOTH[1]: Extent(0, 0, None)}

    await commit(bootstrap, 2, HR_EVENTS)
    assert (await reader.extents(APP, BOTH))[BOTH[0]] == Extent(0, 6, 2)

    async with admin(bootstrap) as client:
        await client.delete_records({TopicPartition(*BOTH[0]): RecordsToDelete(before_offset=4)})
    passed = (await reader.extents(APP, BOTH))[BOTH[0]]
    assert (passed, passed.next_read) == (Extent(4, 6, 2), 4), "retention has passed what was committed"


async def test_the_newest_records_of_full_empty_and_deleted_partitions(bootstrap: str) -> None:
    reader = LogReader(bootstrap)
    async with event_log(bootstrap) as log:
        await log.append_all([heard(str(n)) for n in range(6)])
        await log.put(HR_EVENTS.name, HERE, [(b"acme", None), (b"acme", b"last")])
    extents = await reader.extents(APP, BOTH)

    newest = await reader.newest(extents, 3)
    assert newest[BOTH[1]] == []
    assert [decode(HR_EVENTS, value) for value in newest[BOTH[0]][:-1]] == [heard("5")]
    assert newest[BOTH[0]][-1] == b"last"
    assert len((await reader.newest(extents, 100))[BOTH[0]]) == 7, "all but the tombstone"

    async with admin(bootstrap) as client:
        await client.delete_records({TopicPartition(*BOTH[0]): RecordsToDelete(before_offset=8)})
    async with asyncio.timeout(5):
        assert await reader.newest(await reader.extents(APP, BOTH), 3) == {BOTH[0]: [], BOTH[1]: []}


async def test_what_lies_between_two_offsets_is_read_in_order_whatever_is_gone_of_it(bootstrap: str) -> None:
    async with event_log(bootstrap) as log:
        await log.append_all([heard(str(n)) for n in range(6)])
        await log.put(HR_EVENTS.name, THERE, [(b"acme", b"one"), (b"acme", None)])
    found: list[tuple[int, int]] = []

    def take(records: Sequence[Any]) -> None:
        found.extend((record.partition, record.offset) for record in records)

    async with asyncio.timeout(10):
        await LogReader(bootstrap).read({BOTH[0]: 2, BOTH[1]: 0}, {BOTH[0]: 5, BOTH[1]: 2}, take)
        assert sorted(found) == sorted([(HERE, 2), (HERE, 3), (HERE, 4), (THERE, 0), (THERE, 1)])
        found.clear()
        async with admin(bootstrap) as client:
            await client.delete_records({TopicPartition(*BOTH[0]): RecordsToDelete(before_offset=4)})
        await LogReader(bootstrap).read({BOTH[0]: 2}, {BOTH[0]: 6}, take)
        assert found == [(HERE, 4), (HERE, 5)]
        found.clear()
        await LogReader(bootstrap).read({BOTH[0]: 0}, {BOTH[0]: 3}, take)
        assert found == [], "all of it is gone"


async def test_no_broker_is_a_sentence() -> None:
    with pytest.raises(LogUnavailable, match=r"does not answer at 127.0.0.1:1"):
        await LogReader("127.0.0.1:1").extents(APP, BOTH)
