"""`python -m tests.chaos.proofs [NAME]...`: without a protection the suite must report what goes wrong.

Each protection has a run of its own: the faults against which it stands, on a company with much to do. The same run
with all protections must end well. A line for each is printed on standard output; exit code 1 when one was not missed.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.quiet import quiet
from tests.chaos.run import Result, Run
from tests.chaos.world import Shape

TRIES = 4
"""Seeds that are tried: what goes wrong without a protection goes wrong only sometimes."""


@dataclass(frozen=True)
class Proof:
    """faults: kinds, each as often as it is named. seconds: that the changes take."""

    faults: tuple[str, ...]
    workers: int = 2
    changes: int = 120
    seconds: float = 40.0


FROZEN_AMID = ("freeze worker amid an append", "zoho is late", "bamboohr is late")
PROOFS = {
    "ack-before-durable": Proof(("kill worker amid a row",) * 5, workers=1),
    "changelog-not-awaited": Proof(("state deleted amid a row",) * 5, workers=1),
    "create-without-search": Proof(("applied and dropped POST",) * 5, workers=1),
    "lane-open-on-revocation": Proof(("join and leave", "zoho answers 503", "zoho is late") * 2),
    "lane-not-fenced": Proof(FROZEN_AMID * 2),
    "no-settle-time": Proof(("zoho is late",) * 6, workers=1),
    "equal-rows-skipped": Proof(("bamboohr is late", "kill worker amid a row", "state deleted") * 3, workers=1),
    "row-before-output": Proof(("kill worker amid an append",) * 5, workers=1),
    "answer-before-append": Proof(("kill gateway amid an append", "changes without Kafka"), workers=1, seconds=20.0),
    "no-catch-up-gate": Proof(("tables rebuilt",) * 2, workers=1),
    "older-readings-apply": Proof(FROZEN_AMID * 2),
}


async def play(name: str, seed: int, *, without: bool) -> Result:
    proof = PROOFS[name]
    folder = Path(tempfile.mkdtemp(prefix=f"proof-{name}-"))
    shape = Shape(workers=proof.workers, without=(name,) if without else ())
    run = Run(folder, seed, shape, proof.changes, proof.faults, proof.seconds)
    try:
        return await run.go()
    finally:
        shutil.rmtree(folder)


async def missed(name: str) -> Result | None:
    """The first result that reports something, None when no seed does."""
    for seed in range(1, TRIES + 1):
        result = await play(name, seed, without=True)
        if result.troubles:
            return result
    return None


async def prove(names: Sequence[str]) -> int:
    failed = 0
    for name in names:
        result = await missed(name)
        if result is None:
            failed += 1
            print(f"{name}: {TRIES} seeds ended well without it", flush=True)
            continue
        sound = await play(name, result.seed, without=False)
        failed += bool(sound.troubles)
        with_it = "; ".join(sound.troubles) or "nothing"
        print(
            f"{name}: seed {result.seed} without it: {'; '.join(result.troubles[:4])}; with it: {with_it}", flush=True
        )
    return int(failed > 0)


if __name__ == "__main__":
    quiet()
    sys.exit(asyncio.run(prove(sys.argv[1:] or list(PROOFS))))
