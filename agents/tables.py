"""Faust tables whose writes are durable before they are seen: changelog first, confirmed, then the local store.

So the store is never ahead of its changelog, whatever ends the process. Rows live in the partition of the record that
is folded, which is the partition of their connection on every topic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

import faust
from rocksdict import WriteBatch

from stream.codec import canonical
from stream.core.rows import Row
from stream.kafka.event_log import EventLog
from stream.topics import changelog_of

R = TypeVar("R", bound=Row)

ROCKSDB = {
    "block_cache_size": 256 * 1024,
    "write_buffer_size": 512 * 1024,
    "max_write_buffer_number": 2,
    "target_file_size_base": 4 * 1024 * 1024,
    "max_open_files": 32,
}
"""Bytes, for each partition of each table: Faust's own numbers would take gigabytes."""


class Rows(Generic[R]):
    """One table: rows of one model by key, in one RocksDB a partition."""

    def __init__(self, app: faust.App, log: EventLog, name: str, model: type[R]) -> None:
        self.name = name
        self._model = model
        self._log = log
        self.changelog = changelog_of(name)
        self._own: dict[int, set[int]] = {}
        self._table: Any = app.Table(
            name,
            partitions=log.partitions,
            key_type=bytes,
            value_type=bytes,
            options={"driver": "rocksdict", **ROCKSDB},
        )

    def get(self, partition: int, key: str) -> R | None:
        """The row, None where there is none."""
        value = self.raw(partition, key)
        return None if value is None else self._model.model_validate_json(value)

    def raw(self, partition: int, key: str) -> bytes | None:
        found: bytes | None = self._db(partition).get(key.encode())
        return found

    def encode(self, row: Row) -> bytes:
        assert isinstance(row, self._model)
        return canonical(row)

    async def write(self, partition: int, values: Mapping[str, bytes]) -> None:
        """Make rows durable, then visible. Raises LogUnavailable when the changelog does not confirm in time."""
        await self._put(partition, [(key.encode(), value) for key, value in values.items()])

    async def _put(self, partition: int, entries: list[tuple[bytes, bytes | None]]) -> None:
        own = self._own.setdefault(partition, set())
        offsets = await self._log.put(self.changelog, partition, entries)
        own.update(offsets)
        batch = WriteBatch(raw_mode=True)
        for key, value in entries:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(self._store.offset_key, str(offsets[-1]).encode())
        self._db(partition).write(batch)

    async def write_again(self, partition: int, key: str) -> None:
        """Put the row as we know it behind what the changelog holds now; a tombstone where we know none."""
        await self._put(partition, [(key.encode(), self.raw(partition, key))])

    def opened(self, partition: int) -> int:
        """The partition is ours and recovered: the changelog offset that follows what was recovered."""
        self._own[partition] = set()
        recovered: bytes | None = self._db(partition).get(self._store.offset_key)
        return 0 if recovered is None else int(recovered) + 1

    def is_own(self, partition: int, offset: int) -> bool:
        """Whether we wrote this changelog record since the partition was opened. Asked once for each."""
        own = self._own.setdefault(partition, set())
        if offset not in own:
            return False
        own.discard(offset)
        return True

    def keys(self, partition: int, prefix: str) -> Iterator[str]:
        """Keys that begin with `prefix`, in order."""
        start = prefix.encode()
        for key in self._db(partition).keys(from_key=start):
            if not key.startswith(start):
                return
            yield key.decode()

    @property
    def _store(self) -> Any:
        return self._table.data

    def _db(self, partition: int) -> Any:
        return self._store._db_for_partition(partition)
