"""Rows go to the changelog first, and the store never claims to hold more of it than it does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import orjson
import pytest

from agents.claims import claim
from agents.recovery import CLAIM, NOBODY, Entry, Headers, Recovered, Recovery, claim_of, named
from agents.tables import Rows
from stream.core.rows import Person
from stream.errors import ActionNeeded, Fatal, LogUnavailable

HERE = 3
CLAIMED, MINE = "\x00origins", b'{"folded":{}}'
OLD, NEW = orjson.dumps({"folded": {"t": 1}}), orjson.dumps({"folded": {"t": 2}})


class MemoryChangelog:
    """Records of one partition, by whoever wrote them. claims: that each of them names."""

    def __init__(self, records: Iterable[Entry] = ()) -> None:
        self.records: list[Entry] = []
        self.claims: list[int] = []
        self.add(records, NOBODY)
        self.away = False

    def add(self, entries: Iterable[Entry], claim: int) -> None:
        for entry in entries:
            self.records.append(entry)
            self.claims.append(claim)

    async def put(self, topic: str, partition: int, entries: Sequence[Entry], headers: Headers) -> list[int]:
        assert (topic, partition) == ("rosterbook-people-changelog", HERE)
        if self.away:
            raise LogUnavailable("Kafka is away.")
        first = len(self.records)
        self.add(entries, claim_of(headers))
        return list(range(first, len(self.records)))

    async def headers(self, topic: str, partition: int, first: int, end: int) -> list[Headers]:
        assert (topic, partition) == ("rosterbook-people-changelog", HERE)
        return [() if claim == NOBODY else named(claim) for claim in self.claims[first:end]]


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

    def recover(self, changelog: MemoryChangelog) -> None:
        """Take all of the changelog."""
        recovery = Recovery(self.rows.get)
        headers = [() if claim == NOBODY else named(claim) for claim in changelog.claims]
        taken, offset = recovery.sift(zip(range(len(headers)), changelog.records, headers, strict=True))
        self.write(HERE, taken.items(), offset)
        self._recovered = recovery.result()

    def keys(self, partition: int, start: bytes) -> Iterator[bytes]:
        return iter(sorted(key for key in self.rows if key >= start))


class LastRecords:
    """A look at a log in which these offsets are not there any more."""

    def __init__(self, gone: Iterable[int] = ()) -> None:
        self._gone = set(gone)

    async def last_records(self, ends: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        return {place: max(set(range(-1, end)) - self._gone) for place, end in ends.items()}


async def opened(
    changelog: MemoryChangelog, store: MemoryStore, reader: LastRecords | None = None, row: bytes = MINE
) -> Rows[Person]:
    rows = Rows(changelog, changelog.headers, "people", Person, store)
    rows.open(HERE)
    await claim([rows], HERE, CLAIMED, row, reader or LastRecords())
    return rows


async def test_a_write_is_in_the_changelog_and_the_store_which_says_so() -> None:
    changelog, store = MemoryChangelog(), MemoryStore(Recovered(0))
    rows = await opened(changelog, store)
    await rows.write(HERE, {"acme/1": NEW})
    assert changelog.records[1:] == [(b"acme/1", NEW)]
    assert (store.rows[b"acme/1"], store.offset) == (NEW, 1)
    assert rows.is_own(HERE, 1)


async def test_what_is_not_durable_is_not_seen() -> None:
    changelog, store = MemoryChangelog(), MemoryStore(Recovered(0))
    rows = await opened(changelog, store)
    changelog.away = True
    with pytest.raises(LogUnavailable):
        await rows.write(HERE, {"acme/1": NEW})
    assert b"acme/1" not in store.rows


async def test_after_a_row_of_somebody_else_the_store_does_not_claim_to_hold_it() -> None:
    changelog, store = MemoryChangelog(), MemoryStore(Recovered(0))
    rows = await opened(changelog, store)
    await rows.write(HERE, {"acme/1": NEW})
    changelog.add([(b"acme/2", NEW)], NOBODY)
    await rows.write(HERE, {"acme/3": NEW})
    await rows.write(HERE, {"acme/4": NEW})
    assert store.offset == 1, "else a worker that gets its partition back would never see what was written meanwhile"
    assert not rows.is_own(HERE, 2)


async def test_an_owner_whose_row_lands_behind_the_claim_of_somebody_else_folds_nothing_more() -> None:
    changelog, store = MemoryChangelog(), MemoryStore(Recovered(0))
    rows = await opened(changelog, store)
    await rows.write(HERE, {"acme/1": OLD})
    changelog.add([(CLAIMED.encode(), MINE)], 2)
    with pytest.raises(Fatal, match="taken rosterbook-people-changelog, partition 3, over"):
        await rows.write(HERE, {"acme/1": NEW})
    assert store.rows[b"acme/1"] == OLD, "what counts for nothing is not in the store either"


async def test_an_owner_claims_first_and_names_its_claim_in_every_record() -> None:
    changelog = MemoryChangelog([(b"acme/1", OLD), (b"acme/1", NEW)])
    store = MemoryStore(Recovered(2))
    rows = await opened(changelog, store)
    await rows.write(HERE, {"acme/1": NEW})
    await rows.write_again(HERE, "acme/7")
    assert changelog.records[2:] == [(CLAIMED.encode(), MINE), (b"acme/1", NEW), (b"acme/7", None)]
    assert changelog.claims[2:] == [2, 2, 2]
    assert store.rows[CLAIM] == b"2"
    assert rows.is_own(HERE, 2)


async def test_nothing_is_written_to_a_partition_that_is_opened_and_not_claimed() -> None:
    changelog, store = MemoryChangelog(), MemoryStore(Recovered(0))
    rows = await opened(changelog, store)
    rows.open(HERE)
    with pytest.raises(KeyError):
        await rows.write(HERE, {"acme/1": NEW})
    assert len(changelog.records) == 1


async def test_a_claim_does_not_hold_when_somebody_else_wrote_since_the_recovery() -> None:
    changelog, store = MemoryChangelog([(b"acme/1", OLD), (b"acme/1", NEW)]), MemoryStore(Recovered(1))
    with pytest.raises(Fatal, match=r"Somebody else wrote to rosterbook-people-changelog, partition 3"):
        await opened(changelog, store)
    assert store.rows == {}


async def test_a_claim_holds_behind_records_that_compaction_took_away() -> None:
    changelog, store = MemoryChangelog([(b"acme/1", NEW), (b"acme/2", None)]), MemoryStore(Recovered(1))
    rows = await opened(changelog, store, LastRecords([1]))
    await rows.write(HERE, {"acme/1": NEW})
    assert changelog.claims[2:] == [1, 1]
    assert store.offset == 3


async def test_of_two_that_claim_the_same_only_the_first_holds_the_partition() -> None:
    changelog = MemoryChangelog()
    await opened(changelog, MemoryStore(Recovered(0)))
    with pytest.raises(Fatal):
        await opened(changelog, MemoryStore(Recovered(0)))


async def test_a_changelog_that_ends_before_its_claims_is_refused() -> None:
    with pytest.raises(ActionNeeded, match=r"has lost records: .* `rosterbook tables rebuild`"):
        await opened(MemoryChangelog(), MemoryStore(Recovered(7, claim=7)))


async def test_rows_that_late_ones_hide_are_written_again_at_the_opening() -> None:
    changelog, store = MemoryChangelog(), MemoryStore(Recovered(0))
    changelog.add([(b"\x00", MINE), (b"acme/1", NEW)], 0)
    changelog.add([(b"acme/1", OLD)], NOBODY)
    store.recover(changelog)
    assert store.offset == 1, "if this owner comes to nothing, the next recovery must see the late row again"
    await opened(changelog, store)
    assert changelog.records[-1] == (b"acme/1", NEW)
    assert store.offset == 4, "all that is in the changelog is in the store"


async def test_a_late_row_that_is_ahead_in_another_topic_hides_nothing_of_the_owner() -> None:
    def row(**folded: int) -> bytes:
        return orjson.dumps({"folded": folded})

    changelog, former = MemoryChangelog(), MemoryStore(Recovered(0))
    frozen = await opened(changelog, former)
    await frozen.write(HERE, {"acme/1": row(events=130, snapshots=50)})
    store = MemoryStore(Recovered(0))
    store.recover(changelog)
    owner = await opened(changelog, store)
    with pytest.raises(Fatal):
        await frozen.write(HERE, {"acme/1": row(events=136, snapshots=50)})
    await owner.write(HERE, {"acme/1": row(events=130, snapshots=51)})  # acked; and then the owner is no more
    third = MemoryStore(Recovered(0))
    third.recover(changelog)
    assert third.rows[b"acme/1"] == row(events=130, snapshots=51)


async def test_keys_are_those_that_begin_with_the_prefix() -> None:
    store = MemoryStore(Recovered(0))
    store.rows = dict.fromkeys((b"acme/1", b"acme/2", b"acmes/1", b"b/1"), NEW)
    rows = await opened(MemoryChangelog(), store)
    assert list(rows.keys(HERE, "acme/")) == ["acme/1", "acme/2"]


async def test_what_concerns_nobody_writes_nothing() -> None:
    changelog, store = MemoryChangelog(), MemoryStore(Recovered(0))
    rows = await opened(changelog, store)
    before = list(changelog.records), store.offset
    await rows.write(HERE, {})
    assert (changelog.records, store.offset) == before
