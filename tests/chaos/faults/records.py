"""Bytes that no version of the product wrote are put into every topic that it reads."""

from __future__ import annotations

import random

from aiokafka.errors import KafkaError

from stream.topics import COMMANDS, CONNECTIONS, CONTACT_UPSERTS, DEAD_LETTERS, EMPLOYEES, HR_EVENTS, OUTCOMES, TOKENS
from tests.chaos.faults.fault import Fault
from tests.chaos.world import World

KEYED_BY_CONNECTION = (HR_EVENTS, EMPLOYEES, CONTACT_UPSERTS, OUTCOMES, DEAD_LETTERS, COMMANDS)
FOLDED = (HR_EVENTS, EMPLOYEES, CONTACT_UPSERTS, OUTCOMES)
"""Where each of them must be found as a dead letter in the end."""
COMPACTED = (CONNECTIONS, TOKENS)
NO_RECORDS = (
    b"",
    b"\xff\x00\xfe no text at all",
    b"null",
    b"[]",
    b'{"schema":1}',
    b'{"schema":1,"connection":"acme","employees":"17"}',
    b'{"schema":1,"connection":"acme","employee":{"id":1}}',
    b"{" * 20_000,
)


async def undecodable(world: World, rng: random.Random) -> str | None:
    """In a compacted topic under a key of nobody's: a record there takes the place of the one before."""
    kept = 0
    for topic in (*KEYED_BY_CONNECTION, *COMPACTED):
        key = b"nobody|settings" if topic in COMPACTED else world.office.connection.encode()
        try:
            put = await world.sight.put(topic, key, rng.choice(NO_RECORDS))
        except KafkaError:
            continue
        kept += 1
        if topic in FOLDED:
            world.undecodable.add((put.topic, put.offset))
    return f"into {kept} topics" if kept else None


FAULTS = (Fault("undecodable bytes", undecodable),)
