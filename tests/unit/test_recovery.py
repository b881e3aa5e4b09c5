"""What a store takes from its changelog when a former owner's late rows lie in it."""

from __future__ import annotations

import orjson
import pytest

from agents.recovery import CLAIM, NOBODY, Headers, Recovered, Recovery, claim_of, named


def row(**folded: int) -> bytes:
    return orjson.dumps({"folded": folded})


OLD, NEW = row(events=1), row(events=2)
Record = tuple[int, bytes, bytes | None, int]
"""Offset, key, row and claim of a changelog record."""


class Taken:
    """A store that takes what a recovery sifts."""

    def __init__(self, **rows: bytes) -> None:
        self.all: dict[bytes, bytes | None] = {key.encode(): value for key, value in rows.items()}
        self.offset: int | None = None
        self.begin()

    def begin(self) -> None:
        """Another recovery into this store."""
        self.recovery = Recovery(self.all.get)

    def sift(self, *records: Record) -> None:
        sifted = [(offset, (key, row), () if at == NOBODY else named(at)) for offset, key, row, at in records]
        taken, self.offset = self.recovery.sift(sifted)
        self.all.update(taken)

    @property
    def rows(self) -> dict[bytes, bytes | None]:
        return {key: value for key, value in self.all.items() if key != CLAIM}


def test_rows_of_an_owner_and_of_the_next_are_taken() -> None:
    store = Taken(a=OLD)
    store.sift((3, b"claim", NEW, 3), (4, b"a", NEW, 3), (5, b"claim", NEW, 5), (6, b"a", None, 5), (7, b"b", NEW, 5))
    assert store.rows == {b"claim": NEW, b"a": None, b"b": NEW}
    assert store.offset == 7
    assert store.recovery.result() == Recovered(8, claim=5)


def test_a_late_row_of_a_former_owner_hides_no_row_and_its_key_is_named() -> None:
    store = Taken()
    store.sift((3, b"a", NEW, 3), (4, b"claim", NEW, 4), (5, b"a", OLD, 3), (6, b"b", NEW, 4))
    assert store.rows == {b"a": NEW, b"claim": NEW, b"b": NEW}
    assert store.offset == 4, "the next recovery looks at the late row again"
    assert store.recovery.result() == Recovered(7, (b"a",), 4)


def test_what_a_late_row_was_folded_to_does_not_matter() -> None:
    """Former and new owner may each be ahead in another topic: of such rows neither is the older one."""
    store = Taken(a=row(events=130, snapshots=50))
    store.sift((4, b"claim", NEW, 4), (5, b"a", row(events=136, snapshots=50), 0))
    store.sift((6, b"a", row(events=130, snapshots=51), 4))
    assert store.rows[b"a"] == row(events=130, snapshots=51)
    assert store.recovery.result() == Recovered(7, claim=4)


def test_a_row_of_the_owner_behind_a_late_one_ends_the_matter() -> None:
    store = Taken()
    store.sift((4, b"a", NEW, 4), (5, b"a", OLD, 3))
    store.sift((6, b"a", NEW, 4))
    assert store.offset == 6
    assert store.recovery.result() == Recovered(7, claim=4)


def test_the_claim_is_in_the_store_for_the_next_recovery() -> None:
    store = Taken()
    store.sift((4, b"a", NEW, 4))
    store.begin()
    store.sift((5, b"a", OLD, 3), (6, b"b", None, 3))
    assert store.rows == {b"a": NEW}
    assert store.recovery.result() == Recovered(7, (b"a", b"b"), 4)


def test_rows_without_a_claim_count_only_before_the_first() -> None:
    store = Taken()
    store.sift((0, b"a", OLD, NOBODY), (1, b"a", NEW, NOBODY), (2, b"claim", NEW, 2), (3, b"a", OLD, NOBODY))
    assert store.rows == {b"a": NEW, b"claim": NEW}
    assert store.recovery.result() == Recovered(4, (b"a",), 2)


@pytest.mark.parametrize(
    "bytes_", [b"\xff no text", b"", b"null", b"[]", b'{"schema":1}', b'{"folded":7}', b"{" * 20_000]
)
def test_bytes_that_are_no_row_are_not_taken_and_the_row_before_them_is_written_again(bytes_: bytes) -> None:
    store = Taken(kept=row(events=7))
    store.sift((3, b"kept", bytes_, NOBODY), (4, b"nobody", bytes_, NOBODY))
    assert store.rows == {b"kept": row(events=7)}
    assert store.recovery.result().behind == (b"kept", b"nobody")


@pytest.mark.parametrize("headers", [(), (("claim", b""),), (("claim", b"-5"),), (("claim", b"\xff"),), (("x", b"7"),)])
def test_headers_that_name_no_claim(headers: Headers) -> None:
    assert claim_of(headers) == NOBODY
    assert claim_of(named(7)) == 7
