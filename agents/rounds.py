"""Work that an owner of a connection does again and again: at its time, when it is woken, and later again what failed.
What it suffers from stops no lane.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Protocol

from stream.errors import ConnectionTrouble, LogUnavailable, RecordRefused, Retriable
from stream.lane import LaneClosed

FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 300.0
CLOSE_GRACE_S = 1.8


class Say(Protocol):
    """Told once of each kind of trouble. context: as the error has it."""

    def __call__(self, *, reason: str, retry_in_s: float, **context: str | int | float) -> None: ...


class Rounds:
    """trouble: why the last round failed, None when it did not."""

    def __init__(
        self, name: str, round_: Callable[[], Awaitable[float]], say: Say, crashed: Callable[[BaseException], None]
    ) -> None:
        """round_: one round; the seconds until the next, infinite for none. Its errors are of the tree.

        crashed: told of an error that is no answer to anything: a bug, or the log being away.
        """
        self._name = name
        self._round = round_
        self._tell = say
        self._crashed = crashed
        self.trouble: str | None = None
        self._failures = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._ended = asyncio.Event()
        """Set at the end of the round that is under way, or of the next one."""

    def open(self, first_wait: float) -> None:
        """first_wait: seconds before the first round."""
        self._task = asyncio.create_task(self._run(first_wait), name=self._name)

    def wake(self) -> None:
        """Have a round now, or one more after the one that is under way."""
        self._wake.set()

    def ended(self) -> Coroutine[object, object, object]:
        """Waits for the end of the round that is under way by now, or else of the next one, however late it is awaited:
        that round may fail before anybody gets a turn.
        """
        return self._ended.wait()

    async def close(self, *, busy: bool = False) -> None:
        """busy: what is under way gets its grace to end; else it is cut off at once."""
        self._closing = True
        if self._task is None:
            return
        if busy:
            await asyncio.wait({self._task}, timeout=CLOSE_GRACE_S)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    async def _run(self, wait: float) -> None:
        try:
            while not self._closing:
                try:
                    async with asyncio.timeout(None if wait == math.inf else wait):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                self._wake.clear()
                wait = await self._try()
                ended, self._ended = self._ended, asyncio.Event()
                ended.set()
        except LaneClosed:
            pass
        except Exception as error:  # the log away or a bug must end the worker, not one task
            self._crashed(error)

    async def _try(self) -> float:
        """Seconds until the next round."""
        try:
            wait = await self._round()
        except LogUnavailable:
            raise
        except Retriable as error:
            self._failures += 1
            wait = max(min(FIRST_WAIT_S * 2.0 ** min(self._failures - 1, 16), LONGEST_WAIT_S), error.retry_after or 0.0)
            self._say(error.message, wait, error.context)
        except (ConnectionTrouble, RecordRefused) as error:
            wait = LONGEST_WAIT_S
            self._say(error.message, wait, error.context)
        else:
            self.trouble, self._failures = None, 0
        return wait

    def _say(self, reason: str, wait: float, context: Mapping[str, str | int | float]) -> None:
        if reason != self.trouble:
            self._tell(reason=reason, retry_in_s=wait, **context)
        self.trouble = reason
