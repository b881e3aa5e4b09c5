"""What a store takes from its changelog when a former owner's late rows lie in it."""

from __future__ import annotations

import orjson
import pytest

from agents.recovery import Recovered, Recovery


def row(**folded: int) -> bytes:
    return orjson.dumps({"folded": folded})


class Taken:
    """A store that takes what a recovery sifts."""

    def __init__(self, **rows: bytes) -> None:
        self.rows: dict[bytes, bytes | None] = {key.encode(): value for key, value in rows.items()}
        self.offset: int | None = None
        self.recovery = Recovery(self.rows.get)

    def sift(self, *records: tuple[int, bytes, bytes | None]) -> None:
        taken, self.offset = self.recovery.sift(records)
        self.rows.update(taken)


def test_a_newer_row_is_taken_and_so_is_one_that_says_the_same_again() -> None:
    store = Taken(a=row(events=1))
    store.sift((4, b"a", row(events=2)), (5, b"a", row(events=2, snapshots=1)), (6, b"a", row(events=2, snapshots=1)))
    assert store.rows[b"a"] == row(events=2, snapshots=1)
    assert store.offset == 6
    assert store.recovery.result() == Recovered(7)


def test_an_older_row_hides_no_newer_one_and_its_key_is_named() -> None:
    store = Taken()
    store.sift((4, b"a", row(events=2)), (5, b"b", row(events=2)), (6, b"a", row(events=1)))
    assert store.rows == {b"a": row(events=2), b"b": row(events=2)}
    assert store.offset == 5, "the next recovery looks at the older row again"
    assert store.recovery.result() == Recovered(7, (b"a",))


def test_a_row_is_older_when_it_was_folded_to_less_of_any_topic() -> None:
    store = Taken(a=row(events=2, snapshots=3))
    store.sift((4, b"a", row(events=7, snapshots=2)))
    assert store.rows[b"a"] == row(events=2, snapshots=3)


def test_a_newer_row_behind_an_older_one_ends_the_matter() -> None:
    store = Taken()
    store.sift((4, b"a", row(events=2)), (5, b"a", row(events=1)))
    store.sift((6, b"a", row(events=2)))
    assert store.offset == 6
    assert store.recovery.result() == Recovered(7)


def test_the_row_in_the_store_counts_too_and_a_tombstone_is_taken() -> None:
    store = Taken(a=row(events=5), b=row(events=5))
    store.sift((4, b"a", row(events=4)), (5, b"b", None))
    assert store.rows == {b"a": row(events=5), b"b": None}
    assert store.recovery.result() == Recovered(6, (b"a",))


@pytest.mark.parametrize(
    "bytes_", [b"\xff no text", b"", b"null", b"[]", b'{"schema":1}', b'{"folded":7}', b"{" * 20_000]
)
def test_bytes_that_are_no_row_are_not_taken_and_the_row_before_them_is_written_again(bytes_: bytes) -> None:
    store = Taken(kept=row(events=7))
    store.sift((3, b"kept", bytes_), (4, b"nobody", bytes_))
    assert store.rows == {b"kept": row(events=7)}
    assert store.recovery.result().behind == (b"kept", b"nobody")
