"""The log read again, from its beginning, into empty tables: the rows must be the same, nothing be said anew, and no
vendor be asked for anything, since nothing is owed; but for the change feed, where its schedule says so by then.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import aiohttp
import orjson

from stream.codec import decode
from stream.errors import RecordRefused
from stream.records import ContactUpsert
from stream.settings import Settings
from stream.topics import CONNECTIONS, CONTACT_UPSERTS, INPUTS, TABLES, TOKENS, changelog_of
from stream.vault.vault import Vault
from tests.simulation.broker import Broker, Coordinator, Entry
from tests.simulation.edges import Disk, Life
from tests.simulation.loop import SimulatedTime
from tests.simulation.offices import Violation
from tests.simulation.worker import Worker

REPLAY_S = 600.0
LOOK_S = 5.0
"""For which it is seen whether lanes that are open stay idle."""


ON_SCHEDULE = "/employees/changed"


class _Asked:
    """In place of the clients' session: notes that somebody was asked for what is owed, and answers nobody."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    def request(self, _method: str, url: str, **_: Any) -> NoReturn:
        if not url.endswith(ON_SCHEDULE):
            self.urls.append(url)
        raise aiohttp.ClientError("nobody is there")


async def replayed(
    loop: SimulatedTime, was: Broker, settings: Settings, vault: Vault, lives: list[Life], connections: int
) -> list[Violation]:
    """What differs. The new worker is added to `lives`. connections: how many there are."""
    again = Broker(was.partitions)
    for topic in (*INPUTS, CONNECTIONS, TOKENS):
        for partition in range(was.partitions):
            again.logs[topic.name, partition] = list(was.logs[topic.name, partition])
    life = Life(loop, "replay", random.Random(0))
    lives.append(life)
    disks = {name: Disk() for name in TABLES}
    failed: list[BaseException] = []
    asked = _Asked()
    worker = Worker(
        life,
        again,
        Coordinator(loop, was.partitions, random.Random(0)),
        asked,
        settings,
        vault,
        disks,
        lambda *_: None,
        lambda _, error: failed.append(error),
        lambda *_: None,
    )
    worker.start()
    end = loop.time() + REPLAY_S
    while not failed and loop.time() < end and not (len(worker.lanes._served) == connections and worker.idle):
        await asyncio.sleep(0.5)
    await asyncio.sleep(LOOK_S)
    if failed or not worker.idle:
        return [Violation("lost", f"a replay does not end: {failed!r}")]
    life.kill()
    calls = [Violation("wrong_states", f"replay: a call that is not owed: {url}") for url in asked.urls]
    return [*calls, *_rows(was, disks), *_outputs(was, again)]


def _rows(was: Broker, disks: Mapping[str, Disk]) -> list[Violation]:
    found = []
    for table in TABLES:
        for partition in range(was.partitions):
            before = _meaning(_compacted(was.logs[changelog_of(table), partition]))
            after = _meaning(disks[table].rows.get(partition, {}))
            for key in sorted(before.keys() | after.keys()):
                if before.get(key) != after.get(key):
                    new, old = after.get(key) or {}, before.get(key) or {}
                    differ = {name: (old.get(name), new.get(name)) for name in {**old, **new}}
                    differ = {name: pair for name, pair in differ.items() if pair[0] != pair[1]}
                    what = f"replay: {table} {key.decode()} was and is {differ}"
                    found.append(Violation("wrong_states", what))
    return found


def _compacted(log: Sequence[Entry]) -> dict[bytes, bytes]:
    return {key: row for key, row in dict(log).items() if row is not None}


def _meaning(rows: Mapping[bytes, bytes]) -> dict[bytes, dict[str, Any]]:
    """Rows without what only says which record was folded when."""
    return {
        key: {name: value for name, value in orjson.loads(row).items() if name != "folded"}
        for key, row in rows.items()
        if not key.startswith(b"\x00")
    }


def _outputs(was: Broker, again: Broker) -> list[Violation]:
    """Upserts that are said anew; those of the greatest cause may be repeated."""
    found = []
    for partition in range(was.partitions):
        place = (CONTACT_UPSERTS.name, partition)
        before, after = was.logs[place], again.logs[place]
        said = [_cause(entry) for entry in before]
        new = Counter(_cause(entry) for entry in after[len(before) :])
        found += [
            Violation("wrong_states", f"replay: an upsert with cause {cause} is said anew")
            for cause in new
            if cause != max(said, default=-1)
        ]
    return found


def _cause(entry: Entry) -> int:
    try:
        record = decode(CONTACT_UPSERTS, entry[1])
    except RecordRefused:
        return -1
    assert isinstance(record, ContactUpsert)
    return record.cause.offset
