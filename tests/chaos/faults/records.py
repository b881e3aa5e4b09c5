"""Bytes that no version of the product wrote are put into every topic, the changelogs of its tables included."""

from __future__ import annotations

import random

from stream.topics import INPUTS, TABLES, TOPICS, changelog_of
from tests.chaos.faults.fault import Fault
from tests.chaos.world import World

READ_BY_AGENTS = {topic.name for topic in INPUTS}
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


async def undecodable(world: World, rng: random.Random) -> str:
    """In a compacted topic under a key of nobody's, since a record there takes the place of the one before; in the
    changelog of a table under any key that it has. What the agents read must be found as a dead letter in the end.
    """
    keys = {t.name: b"nobody|settings" if t.compacted else world.office.connection.encode() for t in TOPICS}
    async with world.cluster.one_at_a_time:  # so that no broker is away meanwhile
        for changelog in map(changelog_of, TABLES):
            keys[changelog] = rng.choice(await world.sight.keys(changelog) or [b"nobody/1"])
        for topic, key in keys.items():
            put = await world.sight.put(topic, key, rng.choice(NO_RECORDS))
            if topic in READ_BY_AGENTS:
                world.undecodable.add((put.topic, put.offset))
    return f"into {len(keys)} topics"


FAULTS = (Fault("undecodable bytes", undecodable),)
