"""How an owner takes a partition over, so that whatever a former owner still writes there is known to be late.

Before it writes anything else, the owner writes a record into each changelog that names as its claim the end of what
was recovered. The claim holds if nothing landed in between: then the owner knows all that lies before it, and no two
owners hold the same. A row that is sent by a former owner lands before the claim, where it is recovered, or behind it,
where every later recovery passes it over.

The tables are claimed one after the other, the one with the intents last. So whoever is cut off in the middle does no
harm: a former owner's fold may find its intent taken and its rows in other tables passed over, and the next owner
carries the intent out; never the other way round. And the former owner folds nothing after that, since it sees the
claim that lies before its rows (`agents/tables.py`).

A claim is sent only while nobody else can have the partition yet, and what it names was read before that: so whoever
is frozen in a recovery and wakes when there is a new owner cannot claim behind that owner's back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from agents.tables import Rows
from stream.errors import Fatal

Place = tuple[str, int]


class Reader(Protocol):
    """A look at the log."""

    async def last_records(self, ends: Mapping[Place, int]) -> dict[Place, int]:
        """(topic, partition) -> offset of the last record before its end, less than its beginning where none is."""
        ...


async def claim(tables: Iterable[Rows[Any]], partition: int, key: str, row: bytes, reader: Reader) -> None:
    """Take the partition over in each table's changelog with this row, in this order. Raises Fatal when a claim does
    not hold; then the claims before it hold nevertheless.
    """
    for table in tables:
        await _claim(table, partition, key, row, reader)


async def _claim(table: Rows[Any], partition: int, key: str, row: bytes, reader: Reader) -> None:
    end = table.end(partition)
    landed = await table.send_claim(partition, key, row)
    if landed != end:  # a changelog may end behind its last record: compaction takes tombstones away
        place = (table.changelog, partition)
        if (await reader.last_records({place: landed}))[place] >= end:
            raise Fatal(
                f"Somebody else wrote to {table.changelog}, partition {partition}, while it was taken over: "
                "the worker starts again from what is there now."
            )
    await table.begin(partition, key, row, landed)
