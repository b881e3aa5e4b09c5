"""Runs the benches that are named, or all; prints their figures and appends them to `results.csv`.

python -m tests.bench [BENCH]... [--changed N] [--people N] [--events N] [--crowd N] [--connections N]
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from stream.settings import Settings
from stream.telemetry import configure_logging
from tests.bench import (
    calls,
    connections,
    demo,
    gateway,
    isolation,
    latency,
    lives,
    loading,
    memory,
    missed,
    plan,
    quota,
    sweep,
)
from tests.bench.figures import Figure, append, load


def main() -> None:
    parser = _parser()
    options = parser.parse_intermixed_args()
    benches: dict[str, Callable[[], Awaitable[Sequence[Figure]]]] = {
        "latency": lambda: latency.run(options.events),
        "gateway": gateway.run,
        "calls": calls.run,
        "demo": demo.run,
        "memory": lambda: memory.run(options.people),
        "isolation": isolation.run,
        "quota": quota.run,
        "takeover": lambda: lives.run_takeover(1000),
        "restart": lambda: lives.run_restart(options.crowd),
        "connections": lambda: connections.run(options.connections),
        "missed": lambda: missed.run(options.changed),
        "load": lambda: loading.run(options.people),
        "load-killed": lambda: loading.run_killed(options.people),
        "load-at-limit": lambda: loading.run_at_limit(options.people),
        "plan": lambda: plan.run(options.people),
        "sweep": lambda: sweep.run(options.people),
    }
    if unknown := set(options.benches) - benches.keys():
        parser.error(f"there is no bench {', '.join(sorted(unknown))}, but {', '.join(benches)}")
    # The sandboxes and clients of this process would otherwise speak between the figures.
    configure_logging(Settings(log_level="warning"), file=Path(tempfile.gettempdir()) / "rosterbook-bench.log")
    for name in options.benches or benches:
        before = load()
        figures = asyncio.run(_awaited(benches[name]))
        append(name, figures, f"{before} before the run")
        _show(name, figures, before)


async def _awaited(bench: Callable[[], Awaitable[Sequence[Figure]]]) -> Sequence[Figure]:
    return await bench()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure, print, and keep the figures.")
    parser.add_argument("benches", nargs="*", metavar="bench", help="none means all")
    parser.add_argument("--people", type=int, default=10_000, help="of the benches memory, load*, plan and sweep")
    parser.add_argument("--crowd", type=int, default=50_000, help="people of the bench restart")
    parser.add_argument("--connections", type=int, default=1000, help="of the bench connections")
    parser.add_argument("--changed", type=int, default=10_000, help="people of the bench missed")
    parser.add_argument("--events", type=int, default=500, help="of the bench latency")
    return parser


def _show(bench: str, figures: Sequence[Figure], before: str) -> None:
    table = Table(title=f"{bench} ({before})", title_justify="left")
    for column in ("figure", "value", "unit", "floor", "ratio", "target", "met", "note"):
        table.add_column(column, justify="right" if column in ("value", "floor", "ratio") else "left")
    for figure in figures:
        style = {None: "", True: "green", False: "bold red"}[figure.met]
        table.add_row(figure.name, *figure.cells(), figure.note, style=style)
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
