"""Tells our cancellation of a task from one that aiokafka lets out.

It lets out the end of tasks of its own, above all when a client is stopped while Kafka is away. Taken for ours, that
would end the task that called, silently.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from stream.errors import LogUnavailable


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
