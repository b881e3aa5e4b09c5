"""All that the tables and the partitions' life ask of Faust: a store in RocksDB that Faust recovers from the changelog,
and the membership in the consumer group. The records themselves come as Faust's streams, to `Folding.steps`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import faust
from faust.types import TP, EventT
from rocksdict import WriteBatch

from agents.recovery import Entry, Headers, Recovered, Recovery, claim_in
from stream.fence import Fence
from stream.topics import changelog_of

ROCKSDB = {
    "block_cache_size": 256 * 1024,
    "write_buffer_size": 512 * 1024,
    "max_write_buffer_number": 2,
    "target_file_size_base": 4 * 1024 * 1024,
    "max_open_files": 32,
}
"""Bytes, for each partition of each table: Faust's own numbers would take gigabytes."""
LOOK_AGAIN_S = 0.02


class FaustStore:
    """The store of one of Faust's tables, one RocksDB a partition."""

    def __init__(self, app: faust.App, name: str, partitions: int, failed: Callable[[BaseException], None]) -> None:
        """failed: told of an error in a recovery, which the worker must not survive: Faust logs it and goes on."""
        table: Any = app.Table(
            name,
            partitions=partitions,
            key_type=bytes,
            value_type=bytes,
            options={"driver": "rocksdict", **ROCKSDB},
        )
        self.faust: Any = table.data
        self.faust.apply_changelog_batch = self._recover
        self._recoveries: dict[int, Recovery] = {}
        self._changelog = changelog_of(name)
        self._failed = failed

    def get(self, partition: int, key: bytes) -> bytes | None:
        found: bytes | None = self._db(partition).get(key)
        return found

    def write(self, partition: int, entries: Iterable[Entry], offset: int | None) -> None:
        batch = WriteBatch(raw_mode=True)
        for key, value in entries:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        if offset is not None:
            batch.put(self.faust.offset_key, str(offset).encode())
        self._db(partition).write(batch)

    def recovered(self, partition: int) -> Recovered:
        if (recovery := self._recoveries.pop(partition, None)) is not None:
            return recovery.result()
        found: bytes | None = self._db(partition).get(self.faust.offset_key)
        return Recovered(0 if found is None else int(found) + 1, claim=claim_in(partial(self.get, partition)))

    def keys(self, partition: int, start: bytes) -> Iterator[bytes]:
        found: Iterator[bytes] = self._db(partition).keys(from_key=start)
        return found

    def _recover(self, batch: Iterable[EventT[Any]], **_: Any) -> None:
        """In place of Faust's own, which takes whatever comes last.

        Faust hands a record of a partition that has just gone to whichever table the record before was for.
        """
        try:
            self._take([event for event in batch if event.message.topic == self._changelog])
        except Exception as error:
            self._failed(error)
            raise

    def _take(self, batch: Iterable[EventT[Any]]) -> None:
        records: dict[int, list[tuple[int, Entry, Headers]]] = {}
        for event in batch:
            message: Any = event.message
            entry = (message.key or b"", message.value)
            records.setdefault(message.partition, []).append((message.offset, entry, message.headers or ()))
        for partition, found in records.items():
            if partition not in self._recoveries:
                self._recoveries[partition] = Recovery(partial(self.get, partition))
            taken, offset = self._recoveries[partition].sift(found)
            self.write(partition, taken.items(), offset)

    def _db(self, partition: int) -> Any:
        return self.faust._db_for_partition(partition)


class FaustGroup:
    """This worker as a member of the consumer group."""

    def __init__(self, app: faust.App, fence: Fence) -> None:
        self.app = app
        self._fence = fence

    @property
    def generation(self) -> int:
        return self.app.consumer_generation_id

    async def seek(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Read on from these offsets.

        Faust sees to that only where something has been committed, and only after it has let the records flow: what it
        fetches in between is dropped. So whatever was handed out before this comes again.
        """
        while self.app.rebalancing:  # the flow is resumed when that ends
            await asyncio.sleep(LOOK_AGAIN_S)
        await self.app.consumer.seek_wait({TP(*place): offset for place, offset in positions.items()})

    async def confirmed(self) -> None:
        """Returns at a moment when nobody else can have our partitions yet."""
        await self._fence.wait_open()
