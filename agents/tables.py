"""Tables whose writes are durable before they are seen: changelog first, confirmed, then the local store.

So the store is never ahead of its changelog, whatever ends the process. Rows live in the partition of the record that
is folded, which is the partition of their connection on every topic.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

from agents.recovery import CLAIM, NOBODY, Entry, Headers, Recovered, claim_of, named
from stream.codec import canonical
from stream.core.rows import Row
from stream.errors import ActionNeeded, Fatal
from stream.telemetry import log
from stream.topics import changelog_of

logger = log("tables")

ROWS_PARSED = 256
"""Rows of a table that are not parsed again: the next fold, and the lane twice, look at each soon after a write."""

R = TypeVar("R", bound=Row)


class Store(Protocol):
    """One table's rows on this machine, with how much of the changelog is in them."""

    def get(self, partition: int, key: bytes) -> bytes | None: ...

    def write(self, partition: int, entries: Iterable[Entry], offset: int | None) -> None:
        """All of it or nothing. offset: up to which the changelog is in the store by that; None leaves it as it is."""
        ...

    def recovered(self, partition: int) -> Recovered:
        """What the recovery came to that is just over. Asked once after each."""
        ...

    def keys(self, partition: int, start: bytes) -> Iterator[bytes]:
        """Keys from `start` on, in order."""
        ...


class Changelog(Protocol):
    """How rows become durable."""

    async def put(self, topic: str, partition: int, entries: Sequence[Entry], headers: Headers) -> list[int]:
        """Returns the offsets, once they are durable. headers: of each record. Raises LogUnavailable."""
        ...


Look = Callable[[str, int, int, int], Awaitable[list[Headers]]]
"""Topic, partition, first offset, end -> the headers of each record there."""


class Rows(Generic[R]):
    """One table: rows of one model by key."""

    def __init__(self, log: Changelog, look: Look, name: str, model: type[R], store: Store) -> None:
        """look: at what the changelog holds."""
        self.name = name
        self.changelog = changelog_of(name)
        self._model = model
        self._parsed = lru_cache(ROWS_PARSED)(model.model_validate_json)
        self._log = log
        self._look = look
        self._store = store
        self._recovered: dict[int, Recovered] = {}
        self._claims: dict[int, int] = {}
        self._own: dict[int, set[int]] = {}
        self._next: dict[int, int] = {}
        self._looked: dict[int, int] = {}
        """Partition -> the changelog offset up to which nobody has claimed it since we did."""

    def get(self, partition: int, key: str) -> R | None:
        """The row, None where there is none."""
        value = self.raw(partition, key)
        return None if value is None else self._parsed(value)

    def raw(self, partition: int, key: str) -> bytes | None:
        return self._store.get(partition, key.encode())

    def encode(self, row: Row) -> bytes:
        assert isinstance(row, self._model)
        return canonical(row)

    async def write(self, partition: int, values: Mapping[str, bytes]) -> None:
        """Make rows durable, then visible. Raises LogUnavailable when the changelog does not confirm in time."""
        if values:
            await self._put(partition, [(key.encode(), value) for key, value in values.items()])

    async def _put(self, partition: int, entries: list[Entry]) -> None:
        own = self._own[partition]
        offsets = await self._log.put(self.changelog, partition, entries, named(self._claims[partition]))
        own.update(offsets)
        await self._look_between(partition, offsets)
        # A row of somebody else in between is not in the store, and the next recovery must begin before it: a worker
        # that was frozen may get the partition back later, and has seen nothing of what its owners wrote meanwhile.
        follows = offsets == list(range(self._next[partition], offsets[-1] + 1))
        if follows:
            self._next[partition] = offsets[-1] + 1
        self._store.write(partition, entries, offsets[-1] if follows else None)

    async def _look_between(self, partition: int, offsets: list[int]) -> None:
        """Raises Fatal where a claim of somebody else lies before these offsets of ours.

        What we wrote behind it counts for nothing. Were we to go on, the next fold's intent could land where this
        one's is read, in a changelog that the other has not come to yet, and hide it.
        """
        first, end = self._looked[partition], offsets[-1] + 1
        self._looked[partition] = max(first, end)
        if first >= end or offsets == list(range(first, end)):
            return
        between = await self._look(self.changelog, partition, first, end)
        if max(map(claim_of, between), default=NOBODY) > self._claims[partition]:
            raise Fatal(
                f"Somebody else has taken {self.changelog}, partition {partition}, over: the worker starts again.",
                topic=self.changelog,
                partition=partition,
            )

    async def write_again(self, partition: int, key: str) -> None:
        """Put the row as we know it behind what the changelog holds now; a tombstone where we know none."""
        await self._put(partition, [(key.encode(), self.raw(partition, key))])

    def open(self, partition: int) -> None:
        """The partition is ours and recovered. Nothing is written to it before it is claimed, too (`agents/claims.py`).

        Raises ActionNeeded when the changelog ends before its own claims.
        """
        self._claims.pop(partition, None)
        recovered = self._recovered[partition] = self._store.recovered(partition)
        if recovered.claim >= recovered.end:
            raise ActionNeeded(
                f"{self.changelog}, partition {partition}, was made again or has lost records: end every worker and "
                "fold the log anew with `rosterbook tables rebuild`.",
                topic=self.changelog,
                partition=partition,
            )

    def end(self, partition: int) -> int:
        """The changelog offset that follows what was recovered, and so the claim."""
        return self._recovered[partition].end

    async def send_claim(self, partition: int, key: str, row: bytes) -> int:
        """Write a row that claims the partition; where it landed says whether the claim holds."""
        entry = (key.encode(), row)
        (offset,) = await self._log.put(self.changelog, partition, [entry], named(self.end(partition)))
        return offset

    async def begin(self, partition: int, key: str, row: bytes, offset: int) -> None:
        """The claim holds, with the row at this offset: from here on rows may be written, and others' are heard.

        Rows that late ones hide in the changelog are written again.
        """
        recovered = self._recovered[partition]
        self._claims[partition] = recovered.end
        self._own[partition], self._next[partition] = {offset}, offset + 1
        self._looked[partition] = offset + 1
        entries = [(key.encode(), row), (CLAIM, b"%d" % recovered.end)]
        self._store.write(partition, entries, None if recovered.behind else offset)
        if recovered.behind:
            logger.warning("tables.late_rows_passed_over", changelog=self.changelog, partition=partition)
            await self._put(partition, [(key, self._store.get(partition, key)) for key in recovered.behind])

    def is_own(self, partition: int, offset: int) -> bool:
        """Whether we wrote this changelog record since the partition was opened. Asked once for each."""
        own = self._own[partition]
        if offset not in own:
            return False
        own.discard(offset)
        return True

    def keys(self, partition: int, prefix: str) -> Iterator[str]:
        """Keys that begin with `prefix`, in order."""
        start = prefix.encode()
        for key in self._store.keys(partition, start):
            if not key.startswith(start):
                return
            yield key.decode()
