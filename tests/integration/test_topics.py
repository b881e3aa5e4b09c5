"""Topics are created as the table says, differences are named, and mending one touches no other."""

from __future__ import annotations

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from stream.errors import SettingsError
from stream.kafka.admin import Difference, admin, apply, check, describe, partition_count, wanted_configs
from stream.kafka.protocol import SetTopicConfigs
from stream.settings import Settings
from stream.topics import CHANGELOGS, CONNECTIONS, HR_EVENTS, TOKENS, TOPICS
from tests.e2e.waiting import until
from tests.integration.harness import NAMES


def same(one: list[Difference], other: list[Difference]) -> bool:
    return sorted(one, key=str) == sorted(other, key=str)


async def until_differs(client: AIOKafkaAdminClient, wanted: list[Difference]) -> None:
    """The brokers learn of a change soon after the controller has confirmed it."""

    async def found() -> bool:
        return same(await check(client, 2, 1), wanted)

    await until("the differences are these", found, 10)


async def test_applying_twice_changes_nothing_and_leaves_no_difference(bootstrap: str) -> None:
    async with admin(bootstrap) as client:
        before = await describe(client, NAMES)
        assert await apply(client, 2, 1, 1) == []
        assert await check(client, 2, 1) == []
        assert await describe(client, NAMES) == before
    assert set(before) == {t.name for t in TOPICS} | set(CHANGELOGS)
    assert {count for _, count in before.values()} == {2}
    assert len({topic_id for topic_id, _ in before.values()}) == len(before)


async def test_each_difference_is_named_and_mended(bootstrap: str) -> None:
    async with admin(bootstrap) as client:
        await client.delete_topics([TOKENS.name])
        changes = {HR_EVENTS.name: {"retention.ms": "1000"}, CONNECTIONS.name: {"max.message.bytes": "5000"}}
        await client._send_to_controller(SetTopicConfigs(changes))

        wanted = [
            Difference(TOKENS.name, "does not exist", True),
            Difference(HR_EVENTS.name, f"retention.ms is 1000, wanted is {400 * 86_400_000}", True),
            Difference(CONNECTIONS.name, "max.message.bytes is 5000, wanted is 1048576", True),
        ]
        await until_differs(client, wanted)
        assert same(await apply(client, 2, 1, 1), wanted)
        await until_differs(client, [])


async def test_setting_one_value_leaves_compaction_as_it_is(bootstrap: str) -> None:
    compacted = [name for name, config in wanted_configs(1).items() if config["cleanup.policy"] == "compact"]
    assert set(compacted) == {CONNECTIONS.name, TOKENS.name, *CHANGELOGS}
    async with admin(bootstrap) as client:
        await client._send_to_controller(SetTopicConfigs({name: {"retention.ms": "5000"} for name in compacted}))
        await until_differs(
            client, [Difference(name, "retention.ms is 5000, wanted is -1", True) for name in compacted]
        )


async def test_another_number_of_partitions_is_refused_with_what_to_do(bootstrap: str) -> None:
    async with admin(bootstrap) as client:
        assert {d.mendable for d in await check(client, 3, 1)} == {False}
        with pytest.raises(SettingsError, match=r"has 2 partitions, wanted are 3: .* Set ROSTERBOOK_PARTITIONS"):
            await apply(client, 3, 1, 1)
        assert {count for _, count in (await describe(client, NAMES)).values()} == {2}


async def test_topics_keep_the_partitions_that_they_have_unless_a_number_is_set(bootstrap: str) -> None:
    async with admin(bootstrap) as client:
        assert await partition_count(client, Settings()) == 2
        assert await partition_count(client, Settings(partitions=3)) == 3
        await client.delete_topics(NAMES)

        async def gone() -> bool:
            return not await describe(client, NAMES)

        await until("the topics are gone", gone, 10)
        assert await partition_count(client, Settings()) == 4
        assert await partition_count(client, Settings(kafka=bootstrap)) == 12
