"""Looks for values that must not be somewhere: as they are, and as they look in a URL, JSON, hex and base64."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

import psutil
from aiokafka import TopicPartition

from stream.kafka.admin import admin, describe
from stream.kafka.consumer import ungrouped

SHORTEST = 12
"""A shorter value could be found by chance."""
SPARSE = {".index", ".timeindex"}
"""Kafka's indexes: offsets and times, in 10 MiB of nothing each."""

Place = tuple[str, bytes]
"""A name for where something was read, and what was read."""


def forms(value: str) -> frozenset[bytes]:
    """What the value's bytes may look like, whatever stands before and behind them."""
    raw = value.encode()
    found = {raw, raw.hex().encode(), json.dumps(value)[1:-1].encode()}
    found |= {quoted(value, safe="").encode() for quoted in (quote, quote_plus)}
    for before in range(3):  # base64 writes three bytes as four letters: what a byte becomes depends on its place
        whole = base64.b64encode(bytes(before) + raw)
        ours = whole[-(-before * 4 // 3) : (before + len(raw)) * 8 // 6]
        found |= {ours, ours.translate(bytes.maketrans(b"+/", b"-_"))}
    return frozenset(found)


class Marks:
    """name -> a value that must not be found."""

    def __init__(self, values: Mapping[str, str]) -> None:
        assert all(len(value) >= SHORTEST for value in values.values()), "too short to be looked for"
        self._forms = {name: (value.lower().encode(), forms(value)) for name, value in values.items()}

    def found(self, places: Iterable[Place]) -> list[str]:
        """A line for each value that was found: its name, and where."""
        return [
            f"{name} in {place}"
            for place, content in places
            for lower in [content.lower()]
            for name, (value, looks) in self._forms.items()
            if value in lower or any(look in content for look in looks)
        ]


def files(folder: Path) -> Iterator[Place]:
    """Everything in a folder, the log's segments with all topics and changelogs included."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.suffix not in SPARSE:
            yield str(file.relative_to(folder)), file.read_bytes()


def processes(pid: int) -> Iterator[Place]:
    """How this process and all below it were called, and their environments."""
    process = psutil.Process(pid)
    for one in (process, *process.children(recursive=True)):
        yield f"command line of {one.name()}", "\0".join(one.cmdline()).encode()
        yield f"environment of {one.name()}", "\0".join(f"{k}={v}" for k, v in one.environ().items()).encode()


async def topics(bootstrap: str) -> list[Place]:
    """Keys, values and headers of all that every topic holds, as a reader gets it."""
    async with admin(bootstrap) as client:
        there = await describe(client, await client.list_topics())
    partitions = [TopicPartition(name, number) for name, (_, count) in there.items() for number in range(count)]
    async with ungrouped(bootstrap) as consumer:
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        found: list[Place] = []
        left = await consumer.end_offsets(partitions)
        while left := {tp: end for tp, end in left.items() if await consumer.position(tp) < end}:
            for messages in (await consumer.getmany(timeout_ms=200)).values():
                for one in messages:
                    parts = [one.key or b"", one.value or b"", *(value for _, value in one.headers)]
                    found.append((f"{one.topic} {one.partition}/{one.offset}", b"\0".join(parts)))
        return found
