"""What a bench finds, and where it is kept: one line a figure in `results.csv`, appended, never changed."""

from __future__ import annotations

import csv
import math
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

RESULTS = Path(__file__).parent / "results.csv"
COLUMNS = ("date", "commit", "bench", "figure", "value", "unit", "floor", "ratio", "target", "met", "note")


@dataclass(frozen=True)
class Target:
    """What is promised, of the value itself or of its ratio to the floor."""

    sign: Literal["<=", ">="]
    number: float
    of: Literal["value", "ratio"] = "value"

    def __str__(self) -> str:
        return f"{'ratio ' if self.of == 'ratio' else ''}{self.sign} {self.number:g}"


@dataclass(frozen=True)
class Figure:
    """One number. floor: the same, of something that does as little as possible, measured in the same run."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    target: Target | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times the floor."""
        return self.value / self.floor if self.floor else None

    @property
    def met(self) -> bool | None:
        """None where nothing is promised."""
        if self.target is None:
            return None
        found = self.value if self.target.of == "value" else self.ratio
        assert found is not None, "a target of the ratio needs a floor"
        return found <= self.target.number if self.target.sign == "<=" else found >= self.target.number

    def cells(self) -> tuple[str, ...]:
        """value, unit, floor, ratio, target, met: as text, empty where there is none."""
        return (
            _short(self.value),
            self.unit,
            _short(self.floor),
            "" if self.ratio is None else f"{self.ratio:.3f}",
            "" if self.target is None else str(self.target),
            {None: "", True: "yes", False: "no"}[self.met],
        )


def append(bench: str, figures: Sequence[Figure], note: str, file: Path = RESULTS) -> None:
    """Add the figures of one run. note: what holds for all of them, such as the machine's load."""
    new = not file.exists()
    stamp, commit = datetime.now(UTC).isoformat(timespec="seconds"), _commit()
    with file.open("a", newline="", encoding="utf-8") as out:
        rows = csv.writer(out, lineterminator="\n")
        if new:
            rows.writerow(COLUMNS)
        for figure in figures:
            both = "; ".join(part for part in (figure.note, note) if part)
            rows.writerow((stamp, commit, bench, figure.name, *figure.cells(), both))


def load() -> str:
    """How busy the machine is: a figure of a busy machine says little."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many percent of `values` do not exceed: the nearest rank, never one in between."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]


def _short(number: float | None) -> str:
    return "" if number is None else f"{number:.0f}" if abs(number) >= 1000 else f"{number:.4g}"


def _commit() -> str:
    """Short id of the commit, with a + when files of the product differ from it; empty outside a repository."""
    where = Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607 - whichever git there is
            cwd=where,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--", "stream", "agents"],  # noqa: S607 - as above
            cwd=where.parent.parent,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{commit}+" if changed else commit
