"""`python -m tests.chaos --seeds 20 --first 1 --changes 500`: every promise under fire, seed after seed.

What happens is told on standard error; the last line on standard output is one JSON object over all seeds. Exit code 1
when something was lost, doubled, wrong or out of order. The folder of a seed that failed is kept.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.chaos.faults import KINDS
from tests.chaos.quiet import quiet
from tests.chaos.run import Result, Run
from tests.chaos.world import Shape


def total(results: Sequence[Result]) -> dict[str, Any]:
    """The figures of all seeds together."""
    faults: Counter[str] = sum((result.faults for result in results), Counter())
    return {
        "seeds": [result.seed for result in results],
        "changes": sum(result.changes for result in results),
        "faults": dict(sorted(faults.items())),
        "lost": sum(len(result.verdict.lost) for result in results),
        "duplicate_contacts": sum(len(result.verdict.duplicates) for result in results),
        "wrong_states": sum(len(result.verdict.wrong) for result in results),
        "order_violations": sum(len(result.order) for result in results),
        "longest_stall_s": max((result.longest_stall_s for result in results), default=0.0),
        "redeliveries": sum(result.redeliveries for result in results),
    }


async def play(seeds: Sequence[int], told: argparse.Namespace) -> list[Result]:
    """As many at a time as `told.jobs` says; they have nothing in common."""
    slots = asyncio.Semaphore(told.jobs)

    async def one(seed: int) -> Result:
        async with slots:
            folder = Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-"))
            result = await Run(folder, seed, Shape.drawn(seed, told.without), told.changes, told.fault).go()
            if result.troubles or told.keep:
                print(f"[seed {seed}] kept: {folder}", file=sys.stderr)
            else:
                shutil.rmtree(folder)
            return result

    return await asyncio.gather(*map(one, seeds))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--changes", type=int, default=200, help="in each")
    parser.add_argument("--fault", action="append", default=[], choices=sorted(KINDS), help="these instead of any")
    parser.add_argument("--without", action="append", default=[], help="a protection that is switched off")
    parser.add_argument("--jobs", type=int, default=1, help="seeds at a time")
    parser.add_argument("--keep", action="store_true", help="the folder of a seed that ended well too")
    told = parser.parse_args(arguments)
    quiet()
    seeds = range(told.first, told.first + told.seeds)
    figures = total(asyncio.run(play(seeds, told)))
    print(json.dumps(figures), flush=True)
    return int(any(figures[name] for name in ("lost", "duplicate_contacts", "wrong_states", "order_violations")))


if __name__ == "__main__":
    sys.exit(main())
