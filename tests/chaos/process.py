"""A process of the product as the runs start it: it waits less long, and its clock may be off, or a protection missing.

    python -m tests.chaos.process [--skew SECONDS] [--without PROTECTION]... worker|gateway

Everything is patched from here; the product knows nothing of it.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from agents.cli import run
from stream.clock import SystemClock
from stream.lane import Lane, LanePolicy

PATIENCE_S = 4.0


def skew_clock(seconds: float) -> None:
    """The wall clock is off by so much; the monotonic one is not."""
    now = SystemClock.now
    off = timedelta(seconds=seconds)

    def skewed(self: SystemClock) -> datetime:
        return now(self) + off

    SystemClock.now = skewed  # type: ignore[method-assign]


def hurry() -> None:
    """A vendor's trouble is waited out in seconds, not a minute, so that a run meets more of it."""
    begin = Lane.__init__

    def hurried(self: Lane, *arguments: Any, policy: LanePolicy | None = None, **named: Any) -> None:
        policy = policy or LanePolicy()
        retry = replace(policy.retry, longest=PATIENCE_S, probe_every=PATIENCE_S)
        policy = replace(policy, retry=retry)
        begin(self, *arguments, policy=policy, **named)

    Lane.__init__ = hurried  # type: ignore[method-assign]


def _take_away(names: list[str]) -> None:
    import pytest

    from tests.chaos.protections import PROTECTIONS

    patch = pytest.MonkeyPatch()
    for name in names:
        PROTECTIONS[name](patch)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.process")
    parser.add_argument("--skew", type=float, default=0.0)
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("command", choices=("worker", "gateway"))
    told = parser.parse_args()
    hurry()
    if told.skew:
        skew_clock(told.skew)
    if told.without:
        _take_away(told.without)
    return run([told.command])


if __name__ == "__main__":
    sys.exit(main())
