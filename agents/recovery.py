"""What a store takes from its changelog, so that no late row of a former owner undoes a newer one.

A worker that was frozen in the middle of a fold may wake after its partition has a new owner, and its row may land in
the changelog behind the owner's newer one, or before it. So every record of a changelog names its writer's claim: the
offset at which that writer took the partition over, which lies behind all claims before (`agents/claims.py`). A record
whose claim is less than one before it is a former owner's, and late: it is not taken. The next owner writes what it
hides again, so that this is the last in the changelog too and outlives compaction.

Records without a claim are of a time when there were none, or of nobody: they count only where nobody has claimed yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import orjson

Entry = tuple[bytes, bytes | None]
"""Key and row; None takes the row away."""
Headers = Sequence[tuple[str, bytes]]
"""Of a Kafka record."""

CLAIM = b"\x00claim"
"""Key in the store, and in no changelog: the greatest claim of what was taken, in decimal digits."""
HEADER = "claim"
NOBODY = -1


def named(claim: int) -> Headers:
    """The headers of a record that is written under this claim."""
    return [(HEADER, b"%d" % claim)]


def claim_of(headers: Headers) -> int:
    """The claim that a record names."""
    found = dict(headers).get(HEADER, b"")
    return int(found) if found.isdigit() else NOBODY


@dataclass(frozen=True)
class Recovered:
    """end: the changelog offset that follows what was looked at. behind: keys whose last row there is a late one.

    claim: the greatest in what was taken.
    """

    end: int
    behind: tuple[bytes, ...] = ()
    claim: int = NOBODY


@dataclass
class Recovery:
    """Of one partition of one table. `row_of`: what the store has under a key."""

    row_of: Callable[[bytes], bytes | None]
    _behind: dict[bytes, int] = field(default_factory=dict)
    _end: int = 0
    _claim: int = field(init=False)

    def __post_init__(self) -> None:
        self._claim = claim_in(self.row_of)

    def sift(self, records: Iterable[tuple[int, Entry, Headers]]) -> tuple[dict[bytes, bytes | None], int]:
        """Of the next changelog records, each with its offset: what to take, and up to where all is taken by that.

        Where a late row is the last of its key, that offset lies before it: the next recovery looks at it again.
        """
        taken: dict[bytes, bytes | None] = {}
        for offset, (key, row), headers in records:
            claim = claim_of(headers)
            if claim < self._claim or (claim == NOBODY and row is not None and not _is_row(row)):
                self._behind.setdefault(key, offset)
            else:
                taken[key] = row
                self._behind.pop(key, None)
                if claim > self._claim:
                    self._claim = claim
                    taken[CLAIM] = b"%d" % claim
            self._end = offset + 1
        return taken, min(self._behind.values(), default=self._end) - 1

    def result(self) -> Recovered:
        return Recovered(self._end, tuple(self._behind), self._claim)


def claim_in(row_of: Callable[[bytes], bytes | None]) -> int:
    """The greatest claim of what a store has taken."""
    return int(row_of(CLAIM) or NOBODY)


def _is_row(value: bytes) -> bool:
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict) and isinstance(found.get("folded"), dict)
