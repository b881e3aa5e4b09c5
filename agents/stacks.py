"""Where every thread and every task of the process stands, for the log of a worker that hangs.

Only places in the code are told: file, line and function, no values, which could be of people.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import traceback
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from types import AsyncGeneratorType, CoroutineType, FrameType

from stream.telemetry import log

logger = log("watchdog")

NAMES = 5
"""Of the tasks that stand in the same place, so many are named."""

Places = tuple[str, ...]


def log_stacks(loop: asyncio.AbstractEventLoop) -> None:
    """Log each thread, and the tasks of `loop` by the place where they stand. For any thread."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        logger.critical("watchdog.thread", thread=names.get(ident, str(ident)), at=_of_thread(frame))
    standing: dict[Places, list[str]] = defaultdict(list)
    for task in asyncio.all_tasks(loop):
        standing[_of_task(task)].append(task.get_name())
    for places, tasks in sorted(standing.items(), key=lambda found: len(found[1])):
        logger.critical("watchdog.tasks", tasks=sorted(tasks)[:NAMES], count=len(tasks), at=places)


def _of_thread(frame: FrameType) -> Places:
    return _places((found.filename, found.lineno, found.name) for found in traceback.extract_stack(frame))


def _of_task(task: asyncio.Task[object]) -> Places:
    """From the task's own coroutine inwards to what it awaits; asyncio itself shows the first alone."""
    found: list[tuple[str, int | None, str]] = []
    awaited: object = task.get_coro()
    while awaited is not None:
        frame = _first(awaited, "cr_frame", "gi_frame", "ag_frame")
        if isinstance(frame, FrameType):
            found.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        awaited = _first(awaited, "cr_await", "gi_yieldfrom", "ag_await") or _wrapped(awaited)
    return _places(found)


def _first(of: object, *names: str) -> object:
    return next((value for name in names if (value := getattr(of, name, None)) is not None), None)


def _wrapped(awaited: object) -> object:
    """The coroutine or generator behind a step of it or behind its `__await__`: Python has no other way to it."""
    if type(awaited).__name__ not in ("coroutine_wrapper", "async_generator_asend"):
        return None
    return next((one for one in gc.get_referents(awaited) if isinstance(one, CoroutineType | AsyncGeneratorType)), None)


def _places(found: Iterable[tuple[str, int | None, str]]) -> Places:
    return tuple(f"{'/'.join(Path(file).parts[-2:])}:{line} {name}" for file, line, name in found)
