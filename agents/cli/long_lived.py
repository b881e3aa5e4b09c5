"""How the processes that live long run: on uvloop, and with fewer searches for garbage than Python makes."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any

GARBAGE_EVERY = (10_000, 20, 10)
"""Objects made, and rounds, between searches for cycles: a plan or a first load makes millions of objects that live,
and Python's own numbers would spend a quarter of its time on looking at them again and again."""


def run(work: Coroutine[Any, Any, None]) -> None:
    """Do the work to its end."""
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # for the loop of Faust's consumer too, in its own thread
    gc.set_threshold(*GARBAGE_EVERY)
    asyncio.run(work)
