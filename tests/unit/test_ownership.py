"""Partitions come and go only between folds, whoever takes them away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from agents.ownership import Ownership
from agents.partition import Partition
from agents.recovery import Entry, Headers, Recovered, claim_of
from agents.results import Results
from stream.core.rows import Row
from stream.kafka.reader import Extent
from tests.unit.test_tables import MemoryStore
from tests.virtual_time import VirtualTime, run

HERE = 3
FOLD_S = 2.0
NOT_ASKED = cast(Any, None)


class Silence:
    """In place of the echo: nothing lands in a changelog."""

    async def listen(self, *_: Any) -> None:
        return None

    async def stop(self) -> None:
        return None


class EmptyLog:
    """Nothing was ever written to it. claims: changelogs in which the partition was claimed, in order."""

    def __init__(self) -> None:
        self.claims: list[str] = []

    def topic_id(self, topic: str) -> str:
        return f"the life of {topic}"

    async def put(self, topic: str, partition: int, entries: Sequence[Entry], headers: Headers) -> list[int]:
        assert (partition, len(entries), claim_of(headers)) == (HERE, 1, 0)
        self.claims.append(topic)
        return [0]

    async def headers(self, *_: Any) -> list[Headers]:
        raise AssertionError("nobody else writes")

    async def extents(self, group: str, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Extent]:
        return {place: Extent(0, 0, None) for place in partitions}

    async def newest(self, partitions: Mapping[tuple[str, int], Extent], count: int) -> dict[Any, list[bytes]]:
        return {place: [] for place in partitions}


class Doubtful:
    """A member of the group that does not know whether it still is one, until `heard` is set."""

    generation = 1

    def __init__(self) -> None:
        self.heard = asyncio.Event()

    async def confirmed(self) -> None:
        await self.heard.wait()

    async def seek(self, positions: Mapping[tuple[str, int], int]) -> None:
        return None


def owner() -> Ownership:
    """It has one partition."""
    owned = Ownership(NOT_ASKED, NOT_ASKED, NOT_ASKED, cast(Any, Silence()), NOT_ASKED)
    owned.partitions[HERE] = Partition(HERE, generation=1)
    return owned


def test_whoever_closes_a_partition_waits_for_the_fold_under_way_even_when_a_stop_and_a_rebalance_come_together() -> (
    None
):
    async def main() -> None:
        owned, over = owner(), []

        async def fold() -> None:
            async with owned.hold(HERE):
                await asyncio.sleep(FOLD_S)
                over.append("fold")

        async def close() -> None:
            await owned.close([HERE])
            over.append("close")

        await asyncio.gather(fold(), close(), close())
        assert over == ["fold", "close", "close"]
        assert owned.partitions == {}

    run(main(), VirtualTime())


def test_a_fold_that_waited_while_its_partition_was_closed_waits_for_the_next_assignment() -> None:
    async def main() -> None:
        owned, begun = owner(), []

        async def fold() -> None:
            async with owned.hold(HERE) as partition:
                begun.append(partition.generation)
                await asyncio.sleep(FOLD_S)

        first = asyncio.create_task(fold())
        closing = asyncio.create_task(owned.close([HERE]))
        second = asyncio.create_task(fold())
        await asyncio.gather(first, closing)
        assert begun == [1]
        assert not second.done()
        second.cancel()

    run(main(), VirtualTime())


def test_tables_are_claimed_only_when_nobody_else_can_have_the_partition_yet() -> None:
    """Whoever was frozen in a recovery, and wakes when there is a new owner, knows even the new owner's rows."""

    async def main() -> None:
        log, group = EmptyLog(), Doubtful()
        results = Results(cast(Any, log), log.headers)
        for table in ("roster", "people"):
            results.table(table, Row, MemoryStore(Recovered(0)))
        owned = Ownership(results, group, cast(Any, log), cast(Any, Silence()), NOT_ASKED)
        opening = asyncio.create_task(owned.open([HERE]))
        await asyncio.sleep(1.0)
        assert not log.claims
        group.heard.set()
        await opening
        assert log.claims == ["rosterbook-people-changelog", "rosterbook-roster-changelog"], "that with intents last"
        assert set(owned.partitions) == {HERE}

    run(main(), VirtualTime())
