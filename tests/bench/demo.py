"""How long after the command the demo has its first contact, beside the least that it must do before that.

On a prepared checkout: the jars and the broker's start-up cache are there. The floor is a Python process that imports
the worker, and an embedded Kafka on a new folder, one after the other and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
import time
from pathlib import Path

from stream.kafka.embedded import EmbeddedKafka
from stream.tether import tethered
from tests.bench.figures import Figure, Target, percentile

ROUNDS = 3
DEMO = ("-m", "agents.cli", "demo", "--employees", "5", "--exit-when-synced", "--json")
FIRST = re.compile(rb"First contact after ([0-9.]+) s")
DEADLINE_S = 120.0


async def run() -> list[Figure]:
    floors, firsts, ends, told = [], [], [], []
    for _ in range(ROUNDS):
        floors.append(await _import_worker() + await _start_kafka())
        first, end, by_itself = await _demo()
        firsts.append(first)
        ends.append(end)
        told.append(by_itself)
    return [
        Figure(
            "command to first contact",
            percentile(firsts, 50),
            "s",
            percentile(floors, 50),
            Target("<=", 20),
            f"median of {ROUNDS}; the slowest {max(firsts):.1f} s; floor: import the worker, start Kafka",
        ),
        Figure("command to first contact, as the demo says", percentile(told, 50), "s"),
        Figure("command to the end of the story of 5 people", percentile(ends, 50), "s", percentile(floors, 50)),
    ]


async def _demo() -> tuple[float, float, float]:
    """Seconds from the command to the first contact and to the end, by our stopwatch, and the first by its own."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *tethered([sys.executable, *DEMO]), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    first, by_itself, said = 0.0, 0.0, []
    try:
        async with asyncio.timeout(DEADLINE_S):
            async for line in process.stderr:
                said.append(line.decode(errors="replace"))
                if found := FIRST.search(line):
                    first, by_itself = time.perf_counter() - began, float(found[1])
            report = await process.stdout.read()
            status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    end = time.perf_counter() - began
    if status != 0 or not first:
        raise RuntimeError(f"The demo ended with {status} and without a first contact:\n{''.join(said)}")
    assert json.loads(report)["contacts"] == json.loads(report)["employees"]
    return first, end, by_itself


async def _import_worker() -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(*tethered([sys.executable, "-c", "import agents.app"]))
    assert await process.wait() == 0
    return time.perf_counter() - began


async def _start_kafka() -> float:
    with tempfile.TemporaryDirectory(prefix="rosterbook-bench-") as folder:
        began = time.perf_counter()
        async with EmbeddedKafka(Path(folder)):
            return time.perf_counter() - began
