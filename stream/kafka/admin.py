"""Create the topics as the table in `stream/topics.py` says, and say where a cluster differs from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from stream.errors import LogUnavailable, SettingsError
from stream.kafka.protocol import SetTopicConfigs, TopicMetadata, topic_id
from stream.settings import Settings
from stream.topics import CHANGELOGS, MAX_RECORD_BYTES, TOPICS

EXISTS = 36


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it should be. mendable: `apply` can set it right."""

    topic: str
    what: str
    mendable: bool


@asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client. Raises LogUnavailable when the brokers cannot be reached or fail while it is used."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=15_000)
    try:
        await client.start()
        yield client
    except (KafkaError, TimeoutError) as error:
        raise LogUnavailable(f"Kafka does not answer at {bootstrap}: check that it runs.") from error
    finally:
        await client.close()


def wanted_configs(min_insync: int) -> dict[str, dict[str, str]]:
    """Topic -> configuration, changelogs included."""
    changelog = {
        "cleanup.policy": "compact",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "max.message.bytes": str(MAX_RECORD_BYTES),
        "min.insync.replicas": str(min_insync),
        "unclean.leader.election.enable": "false",
    }
    return {
        **{topic.name: topic.config(min_insync) for topic in TOPICS},
        **dict.fromkeys(CHANGELOGS, changelog),
    }


async def describe(client: AIOKafkaAdminClient, names: list[str]) -> dict[str, tuple[str, int]]:
    """Topic -> (id, partitions), of those that exist and have a leader for every partition."""
    answer = await client._send_request(TopicMetadata(names))
    return {
        name: (topic_id(high, low), len(partitions))
        for error, name, high, low, _, partitions, _, _ in answer.topics
        if error == 0 and all(partition[2] >= 0 for partition in partitions)
    }


async def partition_count(client: AIOKafkaAdminClient, settings: Settings) -> int:
    """How many partitions every topic is to have: as it is set, else as the topics that exist have."""
    if settings.partitions is not None:
        return settings.partitions
    found = await describe(client, list(wanted_configs(settings.min_insync)))
    return next((count for _, count in found.values()), settings.new_partitions)


async def check(client: AIOKafkaAdminClient, partitions: int, min_insync: int) -> list[Difference]:
    """Where the cluster differs from the table, in the table's order."""
    wanted = wanted_configs(min_insync)
    found = await describe(client, list(wanted))
    differences = [Difference(name, "does not exist", True) for name in wanted if name not in found]
    for name, (_, count) in found.items():
        if count != partitions:
            differences.append(
                Difference(name, f"has {count} partitions, wanted are {partitions}: they cannot be changed", False)
            )
    for name, entries in (await _configs(client, list(found))).items():
        for key, value in wanted[name].items():
            if entries.get(key) != value:
                differences.append(Difference(name, f"{key} is {entries.get(key)}, wanted is {value}", True))
    return differences


async def _configs(client: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    answers = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }


async def apply(client: AIOKafkaAdminClient, partitions: int, replicas: int, min_insync: int) -> list[Difference]:
    """Create what is missing, set configurations that differ, and wait until every partition has a leader.

    Returns what was mended. Raises SettingsError when something differs that cannot be mended or the brokers refuse.
    """
    wanted = wanted_configs(min_insync)
    differences = await check(client, partitions, min_insync)
    if fixed := [difference for difference in differences if not difference.mendable]:
        raise SettingsError(f"Topic {fixed[0].topic} {fixed[0].what}. Set ROSTERBOOK_PARTITIONS to what it has.")
    missing = [d.topic for d in differences if d.what == "does not exist"]
    if missing:
        answer = await client.create_topics(
            [NewTopic(name, partitions, replicas, topic_configs=wanted[name]) for name in missing]
        )
        for name, code, *_ in answer.topic_errors:
            if code not in (0, EXISTS):
                raise SettingsError(f"Kafka refuses to create {name} ({for_code(code).__name__}).")
    different = {d.topic: wanted[d.topic] for d in differences if d.topic not in missing}
    if different:
        answer = await client._send_to_controller(SetTopicConfigs(different))
        for code, _, _, name in answer.responses:
            if code:
                raise SettingsError(f"Kafka refuses the configuration of {name} ({for_code(code).__name__}).")
    async with asyncio.timeout(30):
        while len(await describe(client, list(wanted))) < len(wanted):
            await asyncio.sleep(0.05)
    return differences
