"""What the loop of the simulation promises of its processes."""

from __future__ import annotations

import asyncio

from tests.simulation.loop import Process, SimulatedTime
from tests.virtual_time import run

LONG_S = 3600.0


def test_what_is_buried_comes_to_its_end_even_when_a_part_of_it_fails_on_the_way() -> None:
    loop = SimulatedTime()

    async def main() -> list[str]:
        process, ended = Process(loop, "a worker"), []

        async def part(name: str) -> None:
            try:
                await asyncio.sleep(LONG_S)
            finally:
                process.kill()  # what a worker does when it fails
                await asyncio.sleep(0)
                ended.append(name)

        tasks = [process.start(part(name)) for name in ("one", "other")]
        await asyncio.sleep(0)
        process.kill()
        process.bury()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=1.0)
        return ended

    assert run(main(), loop) == ["one", "other"]
