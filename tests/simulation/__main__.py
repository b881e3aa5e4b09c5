"""`python -m tests.simulation --seeds 100 --first 1 --changes 300`: every promise in virtual time, seed after seed.

What happens is told on standard error, with a script for each seed that failed, made as short as it can be; the last
line on standard output is one JSON object over all seeds. Exit code 1 when anything was violated.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import fields

from tests.simulation.protections import PROTECTIONS
from tests.simulation.script import Script, drawn
from tests.simulation.shrink import shrunk
from tests.simulation.tally import Result, Tally, prepare, results, violations_of

PROGRESS_S = 5.0
SHOWN = 5
"""Violations of a seed that are told in full."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--changes", type=int, default=300, help="in each")
    parser.add_argument("--jobs", type=int, default=1, help="processes, one a core")
    parser.add_argument("--shrink", type=int, default=3, help="how many failing seeds are made as short as they can be")
    names = [protection.__name__ for protection in PROTECTIONS]
    parser.add_argument("--without", action="append", default=[], choices=names, help="a protection that is taken away")
    told = parser.parse_args(arguments)
    seeds = range(told.first, told.first + told.seeds)
    tally, failed, told_at = Tally(), 0, time.monotonic()
    for result in results(seeds, told.changes, jobs=told.jobs, without=told.without):
        tally.add(result)
        if result.violations:
            failed += 1
            _tell_violations(result, told.changes, told.without)
            if failed <= told.shrink:
                prepare(told.without)
                _tell_shrunk(result, told.changes)
        if time.monotonic() - told_at > PROGRESS_S or result.seed == seeds[-1]:
            told_at = time.monotonic()
            _tell(f"{len(tally.seeds)} of {len(seeds)} seeds, {tally.changes} changes, {failed} seeds failed")
    print(json.dumps(tally.figures()), flush=True)
    return int(failed > 0)


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _tell_violations(result: Result, changes: int, without: Sequence[str]) -> None:
    for violation in result.violations[:SHOWN]:
        _tell(f"[seed {result.seed}] {violation.kind}: {violation.what}")
    if (more := len(result.violations) - SHOWN) > 0:
        _tell(f"[seed {result.seed}] and {more} more")
    arguments = " ".join(f"--without {name}" for name in without)
    again = f"make simulate SEEDS=1 FIRST={result.seed} CHANGES={changes}"
    _tell(f"[seed {result.seed}] again: {again}" + (f' ARGS="{arguments}"' if arguments else ""))


def _tell_shrunk(result: Result, changes: int) -> None:
    kind = result.violations[0].kind

    def fails(script: Script) -> bool:
        return any(violation.kind == kind for violation in violations_of(script)[0])

    script = drawn(result.seed, changes)
    if not fails(script):
        _tell(f"[seed {result.seed}] does not fail when it is run again: a run is not repeated exactly")
        return
    script = shrunk(script, fails)
    _tell(f"[seed {result.seed}] as short as it was made; this runs it:\n\n{as_python(script)}")


def as_python(script: Script) -> str:
    """A program that runs just this script."""
    settled = "".join(f"    {f.name}={getattr(script, f.name)},\n" for f in fields(script) if f.name != "entries")
    entries = "".join(f"        {entry!r},\n" for entry in script.entries)
    return (
        "from tests.simulation.script import Change, Fault, Script\n"
        "from tests.simulation.world import run\n\n"
        f"script = Script(\n{settled}    entries=(\n{entries}    ),\n)\n"
        "print(run(script).violations)\n"
    )


if __name__ == "__main__":
    sys.exit(main())
