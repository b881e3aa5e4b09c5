"""`python -m tests.chaos.proofs [NAME]...`: without a protection the suite must report what goes wrong.

Each protection has a run of its own: the faults against which it stands, on a company with much to do. The same run
with all protections must end well. A line for each is printed on standard output; exit code 1 when one was not missed.
Equal rows that are not written again on redelivery are left to the simulation: what is lost by that is lost only when
a crash, a redelivery and the loss of a disk follow each other around the only event of a person.
"""

from __future__ import annotations

import argparse
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

SHOWN = 4
"""Of what is reported, so much is told."""


@dataclass(frozen=True)
class Proof:
    """faults: kinds, each as often as it is named. happens: what changes. seconds: that the changes take.

    Where something can be lost, people are hired: nothing that happens later makes up for one that was lost. Where an
    older state can be written over a newer one, a few people change all the time.
    """

    faults: tuple[str, ...]
    workers: int = 1
    happens: tuple[str, ...] = ("hire",)
    changes: int = 120
    seconds: float = 40.0


UNREAD = "bamboohr is silent for a minute"
"""So that what is owed stays so for a while."""
PROOFS = {
    "ack-before-durable": Proof(("kill worker amid a row",) * 5),
    "changelog-not-awaited": Proof((UNREAD, *("state deleted amid a row",) * 4)),
    "create-without-search": Proof(("applied and dropped POST",) * 5),
    "lane-open-on-revocation": Proof(("join and leave", "zoho answers 503", "zoho is late") * 2, 2, ("edit",)),
    "lane-not-fenced": Proof(("freeze worker amid an outcome",) * 2, 2, ("edit",), 180, 60.0),
    "no-settle-time": Proof(("applied too late POST",) * 4),
    "row-before-output": Proof(("kill worker amid an append",) * 5),
    "answer-before-append": Proof(("kill gateway amid an append", "changes without Kafka"), seconds=20.0),
    "no-catch-up-gate": Proof(("tables rebuilt",) * 2, happens=("edit",)),
    "older-readings-apply": Proof(("freeze worker amid an append",) * 2, 2, ("edit",), 180, 60.0),
}


async def play(name: str, seed: int, *, without: bool) -> Result:
    proof = PROOFS[name]
    folder = Path(tempfile.mkdtemp(prefix=f"proof-{name}-"))
    shape = Shape(workers=proof.workers, without=(name,) if without else (), happens=proof.happens)
    try:
        return await Run(folder, seed, shape, proof.changes, proof.faults, proof.seconds).go()
    finally:
        shutil.rmtree(folder)


async def missed(name: str) -> Result | None:
    """The first result that reports something, None when no seed does."""
    for seed in range(1, TRIES + 1):
        result = await play(name, seed, without=True)
        if result.troubles:
            return result
    return None


async def prove(name: str) -> bool:
    """Whether the suite reports what goes wrong without the protection, and nothing with it; says so."""
    result = await missed(name)
    if result is None:
        print(f"{name}: {TRIES} seeds ended well without it", flush=True)
        return False
    sound = await play(name, result.seed, without=False)
    found, with_it = "; ".join(result.troubles[:SHOWN]), "; ".join(sound.troubles) or "nothing"
    print(f"{name}: seed {result.seed}: without it {len(result.troubles)}: {found}; with it: {with_it}", flush=True)
    return not sound.troubles


async def prove_all(names: Sequence[str], jobs: int) -> bool:
    slots = asyncio.Semaphore(jobs)

    async def one(name: str) -> bool:
        async with slots:
            return await prove(name)

    return all(await asyncio.gather(*map(one, names)))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.proofs", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "name", nargs="*", choices=[*PROOFS, []], help="of a protection; all of them when none is named"
    )
    parser.add_argument("--jobs", type=int, default=1, help="protections at a time")
    told = parser.parse_args()
    quiet()
    return int(not asyncio.run(prove_all(told.name or list(PROOFS), told.jobs)))


if __name__ == "__main__":
    sys.exit(main())
