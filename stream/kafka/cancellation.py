"""Tells our cancellation of a task from one that aiokafka lets out, and makes ours heard.

It lets out the end of tasks of its own, above all when a client is stopped while Kafka is away. Taken for ours, that
would end the task that called, silently. And while it stops a client it swallows a cancellation of its caller, who then
goes on as if nobody had asked for its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from stream.errors import LogUnavailable

HEARD_S = 5.0
"""Seconds that a task which was cancelled may take to end before it is cancelled again: one that stops its client while
the machine is busy takes a second or two, and a second cancellation would leave the client half stopped.
"""


@contextmanager
def only_our_cancellation() -> Iterator[None]:
    """Let a cancellation of the current task through; raise LogUnavailable in place of any other."""
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise LogUnavailable("A call to Kafka was cut off by the end of its connection.") from None


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks that use Kafka, again and again until they have ended. What they raise is left to them."""
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=HEARD_S)
    await asyncio.gather(*tasks, return_exceptions=True)
