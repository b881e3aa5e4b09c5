"""`rosterbook sync` ends with the record that it needed last, whichever topic that comes from."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Iterable
from typing import cast

from stream.codec import canonical
from stream.kafka.event_log import EventLog
from stream.kafka.scan import Entry, LogScan
from stream.records import ConnectionId, HrEvent, LogPosition, Mapping
from stream.topics import CONTACT_UPSERTS, EMPLOYEES, OUTCOMES
from stream.watching import ADDRESSES, PEOPLE, sync
from tests.fake_clock import START
from tests.small_world import ACME, HR_EVENTS, at
from tests.unit.one_sync import ADA, ASKED, EMAIL, READ, address, outcome, row, snapshot, upsert

ENTRIES = [
    Entry(at(EMPLOYEES.name, READ), b"", canonical(snapshot())),
    Entry(at(CONTACT_UPSERTS.name, 3), b"", canonical(upsert())),
    Entry(at(OUTCOMES.name, 4), b"", canonical(outcome("unchanged", settles=READ))),
    Entry(at(PEOPLE, 5), f"{ACME}/{ADA}".encode(), canonical(row())),
    Entry(at(ADDRESSES, 6), f"{ACME}/{EMAIL}".encode(), canonical(address("7"))),
]
ASKING = HrEvent(connection=ACME, employees=(ADA,), kind="operator", insists=True, received_at=START)


class Silent:
    """The log, on which nothing more comes after these entries."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = entries

    def partition_of(self, connection: ConnectionId) -> int:
        return 0

    async def append(self, record: HrEvent) -> LogPosition:
        return at(HR_EVENTS, ASKED)

    async def follow(self, topics: Iterable[str], partition: int) -> AsyncGenerator[Entry | None, None]:
        yield None
        for entry in self._entries:
            yield entry
        await asyncio.Event().wait()


async def test_the_last_record_that_is_needed_ends_it_in_every_order() -> None:
    for order in itertools.permutations(ENTRIES):
        log = Silent(order)
        async with asyncio.timeout(5):
            trace = await sync(cast(EventLog, log), cast(LogScan, log), ASKING, Mapping())
        assert trace.end == "kept"
