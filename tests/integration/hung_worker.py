"""`rosterbook worker` that hangs in the fold of the second notice.

    python -m tests.integration.hung_worker blocked|waiting

blocked: its loop stands still. waiting: the loop turns, and the fold waits for something that never comes.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

from agents.cli import run
from stream.core import folds

SECOND = 1
"""Offset of the notice in whose fold it hangs."""


def hang_blocked() -> None:
    hear = folds.hear

    def never_hears(person: Any, event: Any, position: Any) -> Any:
        if position.offset == SECOND:
            threading.Event().wait()
        return hear(person, event, position)

    folds.hear = never_hears


def hang_waiting() -> None:
    from agents.results import Results

    write = Results.write

    async def never_writes(self: Results, partition: Any, table: Any, values: Any) -> None:
        if table.name == "people" and partition.next["rosterbook.hr-events"] == SECOND:
            await asyncio.Event().wait()
        await write(self, partition, table, values)

    Results.write = never_writes  # type: ignore[method-assign]


if __name__ == "__main__":
    {"blocked": hang_blocked, "waiting": hang_waiting}[sys.argv[1]]()
    sys.exit(run(["worker"]))
