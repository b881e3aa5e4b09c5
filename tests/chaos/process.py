"""A process of the product as the runs start it: it waits less long, its writes can be late, its clock may be off, or a
protection missing.

    python -m tests.chaos.process [--skew SECONDS] [--without PROTECTION]... worker|gateway

Everything is patched from here; the product knows nothing of it.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from agents.cli import run
from stream.clock import SystemClock
from stream.kafka.event_log import EventLog
from stream.lane import Lane, LanePolicy
from stream.records import SyncOutcome

PATIENCE_S = 4.0
LATE_S = 3.0
"""Writes that begin within so long after the signal go out so much later."""
LATE_APPENDS, LATE_OUTCOMES, LATE_ROWS = (int(signal.SIGRTMIN) + number for number in range(3))
"""Signals upon which records, what a lane says of a contact, or rows of tables go out late, so that a process can be
harmed in the middle of it.
"""


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


def be_late_when_told() -> None:
    """Upon a signal, writes to the log wait before they begin."""
    until = dict.fromkeys((LATE_APPENDS, LATE_OUTCOMES, LATE_ROWS), 0.0)

    def is_late(name: str, what: object) -> bool:
        if name == "put":
            signals = [LATE_ROWS]
        else:
            signals = [LATE_APPENDS, LATE_OUTCOMES] if isinstance(what, SyncOutcome) else [LATE_APPENDS]
        return any(time.monotonic() < until[number] for number in signals)

    def late(name: str) -> Callable[..., Awaitable[Any]]:
        write = getattr(EventLog, name)

        async def written(self: EventLog, what: object, *arguments: Any, **named: Any) -> Any:
            if is_late(name, what):
                await asyncio.sleep(LATE_S)
            return await write(self, what, *arguments, **named)

        return written

    def told(number: int, _: object) -> None:
        until[number] = time.monotonic() + LATE_S

    for name in ("append", "append_all", "put"):
        setattr(EventLog, name, late(name))
    for number in until:
        signal.signal(number, told)


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
    be_late_when_told()
    if told.skew:
        skew_clock(told.skew)
    if told.without:
        _take_away(told.without)
    return run([told.command])


if __name__ == "__main__":
    sys.exit(main())
