"""Many seeds: each is run, on one core or on several, and what came of all of them is counted."""

from __future__ import annotations

import gc
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from typing import Any, get_args

import pytest
import structlog

from tests.simulation.offices import Kind, Violation
from tests.simulation.protections import PROTECTIONS
from tests.simulation.script import FAULTS, FaultKind, Script, drawn
from tests.simulation.world import run

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Result:
    """What came of one seed. seconds: of one core."""

    seed: int
    changes: int
    faults: Counter[str]
    violations: tuple[Violation, ...]
    seconds: float


@dataclass
class Tally:
    """The figures of all seeds together."""

    seeds: list[int] = field(default_factory=list)
    changes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, result: Result) -> None:
        self.seeds.append(result.seed)
        self.changes += result.changes
        self.faults += result.faults
        self.violations.update(violation.kind for violation in result.violations)
        self.seconds += result.seconds

    @property
    def changes_per_s(self) -> float:
        """Changes that one core gets through in a second."""
        return self.changes / self.seconds if self.seconds else 0.0

    def figures(self) -> dict[str, Any]:
        return {
            "seeds": self.seeds,
            "changes": self.changes,
            "faults": dict(sorted(self.faults.items())),
            **{kind: self.violations[kind] for kind in KINDS},
            "changes_per_s": round(self.changes_per_s, 1),
        }


def violations_of(script: Script) -> tuple[tuple[Violation, ...], Counter[str]]:
    """What goes wrong in a run, and the faults in it. A run that breaks off has lost whatever was still owed."""
    try:
        report = run(script)
    except Exception as error:
        return (Violation("lost", f"the run broke off: {error!r}"),), Counter()
    return report.violations, report.faults


def result_of(seed: int, changes: int, faults: Mapping[FaultKind, int] = FAULTS) -> Result:
    began = time.process_time()
    script = drawn(seed, changes, faults)
    violations, happened = violations_of(script)
    return Result(seed, script.changes, happened, violations, time.process_time() - began)


def results(seeds: Sequence[int], changes: int, *, jobs: int = 1, without: Sequence[str] = ()) -> Iterator[Result]:
    """Run the seeds and give their results in order. jobs: processes. without: protections that are taken away."""
    if jobs == 1:
        prepare(without)
        yield from map(partial(result_of, changes=changes), seeds)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), prepare, (without,)) as pool:
        yield from pool.map(partial(result_of, changes=changes), seeds)


def prepare(without: Sequence[str] = ()) -> None:
    """For this process, from here on: nothing is logged, and these protections are gone."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    # A run lets go of nearly all it makes by itself: looking for cycles as often as Python does costs a tenth of it.
    gc.set_threshold(100_000, 20, 20)
    patch = pytest.MonkeyPatch()
    for protection in PROTECTIONS:
        if protection.__name__ in without:
            protection(patch)
