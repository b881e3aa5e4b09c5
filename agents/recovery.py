"""What a store takes from its changelog, so that no late row of a former owner undoes a newer one.

A worker that was frozen in the middle of a fold may wake after its partition has a new owner, and its row may land in
the changelog behind the owner's newer one. Every row says up to which offsets it was folded, and an owner's next row
never says less than its last: so a row that says less than the one before it is not taken. The next owner writes the
newer one again, so that it is the last in the changelog too and outlives compaction. Bytes that are no row at all are
passed over the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import orjson

Entry = tuple[bytes, bytes | None]
"""Key and row; None takes the row away."""


@dataclass(frozen=True)
class Recovered:
    """end: the changelog offset that follows what was looked at. behind: keys whose last row there is an older one."""

    end: int
    behind: tuple[bytes, ...] = ()


@dataclass
class Recovery:
    """Of one partition of one table. `row_of`: the row that the store has."""

    row_of: Callable[[bytes], bytes | None]
    _behind: dict[bytes, int] = field(default_factory=dict)
    _end: int = 0

    def sift(self, records: Iterable[tuple[int, bytes, bytes | None]]) -> tuple[dict[bytes, bytes | None], int]:
        """Of the next changelog records (offset, key, row): what to take, and up to which offset all is taken by that.

        Where an older row is the last of its key, that offset lies before it: the next recovery looks at it again.
        """
        taken: dict[bytes, bytes | None] = {}
        for offset, key, row in records:
            before = taken[key] if key in taken else self.row_of(key)
            no_row = row is not None and _folded(row) is None
            if no_row or (row is not None and before is not None and is_older(row, before)):
                self._behind.setdefault(key, offset)
            else:
                taken[key] = row
                self._behind.pop(key, None)
            self._end = offset + 1
        return taken, min(self._behind.values(), default=self._end) - 1

    def result(self) -> Recovered:
        return Recovered(self._end, tuple(self._behind))


def is_older(row: bytes, than: bytes) -> bool:
    """Whether `row` was folded to less of some topic than the other one."""
    now, then = _folded(row) or {}, _folded(than) or {}
    return any(now.get(topic, -1) < offset for topic, offset in then.items())


def _folded(row: bytes) -> dict[str, int] | None:
    """Topic -> offset up to which it was folded; None when these bytes are no row."""
    try:
        found = orjson.loads(row)
    except orjson.JSONDecodeError:
        return None
    folded = found.get("folded") if isinstance(found, dict) else None
    return folded if isinstance(folded, dict) else None
