"""Rows go to the changelog first, and the store never claims to hold more of it than it does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import orjson
import pytest

from agents.recovery import Entry, Recovered
from agents.tables import Rows
from stream.core.rows import Person
from stream.errors import LogUnavailable

HERE = 3
OLD, NEW = orjson.dumps({"folded": {"t": 1}}), orjson.dumps({"folded": {"t": 2}})


class MemoryChangelog:
    """Records of one partition, by whoever wrote them."""

    def __init__(self) -> None:
        self.records: list[Entry] = []
        self.away = False

    async def put(self, topic: str, partition: int, entries: Sequence[Entry]) -> list[int]:
        assert (topic, partition) == ("rosterbook-people-changelog", HERE)
        if self.away:
            raise LogUnavailable("Kafka is away.")
        first = len(self.records)
        self.records += entries
        return list(range(first, len(self.records)))


class MemoryStore:
    """offset: up to which it says that the changelog is in it."""

    def __init__(self, recovered: Recovered) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.offset: int | None = None
        self._recovered = recovered

    def get(self, partition: int, key: bytes) -> bytes | None:
        return self.rows.get(key)

    def write(self, partition: int, entries: Iterable[Entry], offset: int | None) -> None:
        for key, value in entries:
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        self.offset = self.offset if offset is None else offset

    def recovered(self, partition: int) -> Recovered:
        return self._recovered

    def keys(self, partition: int, start: bytes) -> Iterator[bytes]:
        return iter(sorted(key for key in self.rows if key >= start))


async def opened(changelog: MemoryChangelog, store: MemoryStore) -> Rows[Person]:
    rows = Rows(changelog, "people", Person, store)
    await rows.open(HERE)
    return rows


async def test_a_write_is_in_the_changelog_and_the_store_which_says_so() -> None:
    changelog, store = MemoryChangelog(), MemoryStore(Recovered(0))
    rows = await opened(changelog, store)
    await rows.write(HERE, {"acme/1": NEW})
    assert (changelog.records, store.rows, store.offset) == ([(b"acme/1", NEW)], {b"acme/1": NEW}, 0)
    assert rows.is_own(HERE, 0)


async def test_what_is_not_durable_is_not_seen() -> None:
    changelog, store = MemoryChangelog(), MemoryStore(Recovered(0))
    rows = await opened(changelog, store)
    changelog.away = True
    with pytest.raises(LogUnavailable):
        await rows.write(HERE, {"acme/1": NEW})
    assert store.rows == {}


async def test_after_a_row_of_somebody_else_the_store_does_not_claim_to_hold_it() -> None:
    changelog, store = MemoryChangelog(), MemoryStore(Recovered(0))
    rows = await opened(changelog, store)
    await rows.write(HERE, {"acme/1": NEW})
    changelog.records.append((b"acme/2", NEW))
    await rows.write(HERE, {"acme/3": NEW})
    await rows.write(HERE, {"acme/4": NEW})
    assert store.offset == 0, "else a worker that gets its partition back would never see what was written meanwhile"
    assert not rows.is_own(HERE, 1)


async def test_rows_that_older_ones_hide_are_written_again_at_the_opening() -> None:
    changelog, store = MemoryChangelog(), MemoryStore(Recovered(2, (b"acme/1",)))
    changelog.records = [(b"acme/1", NEW), (b"acme/1", OLD)]
    store.rows = {b"acme/1": NEW}
    await opened(changelog, store)
    assert changelog.records[-1] == (b"acme/1", NEW)
    assert store.offset is None, "the next recovery looks at the older row again"


async def test_keys_are_those_that_begin_with_the_prefix() -> None:
    store = MemoryStore(Recovered(0))
    store.rows = dict.fromkeys((b"acme/1", b"acme/2", b"acmes/1", b"b/1"), NEW)
    rows = await opened(MemoryChangelog(), store)
    assert list(rows.keys(HERE, "acme/")) == ["acme/1", "acme/2"]
