"""Partitions come and go only between folds, whoever takes them away."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from agents.ownership import Ownership
from agents.partition import Partition
from tests.virtual_time import VirtualTime, run

HERE = 3
FOLD_S = 2.0
NOT_ASKED = cast(Any, None)


class Silence:
    """In place of the echo: nothing lands in a changelog."""

    async def stop(self) -> None:
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
