"""What of a worker's work waits for the worker alone, and how far it has come: what its watchdog judges.

While Kafka does not answer, nothing waits for the worker; nor does a lane that is suspended or has nothing due, or a
partition that stands still.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agents.watchdog import Work
from agents.wiring import Parts


def waiting_work(parts: Parts, not_ready: str | None) -> Iterator[Work]:
    """not_ready: what the worker is still about to do before it serves, None when it does."""
    if not parts.lookout.answers:
        return
    partitions = parts.folding.owned.partitions
    folded = {
        (topic, number): offset
        for number, p in partitions.items()
        if p.stopped is None
        for topic, offset in p.next.items()
    }
    if not_ready is not None:
        tables: Any = parts.app.tables
        recovery = tables.recovery
        yield Work("The worker on its way to be ready", (not_ready, tuple(folded.items()), recovery.active_remaining()))
        return
    for (topic, number), offset in folded.items():
        if parts.lookout.ends.get((topic, number), 0) > offset:
            yield Work(f"The folding of {topic}, partition {number},", offset)
    for name, moves in parts.lanes.at_work():
        yield Work(name, moves)
