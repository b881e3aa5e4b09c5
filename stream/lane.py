"""The lane: pays the debts of one connection at one API, while it is open and the fence is.

It picks due keys, keeps the quota, calls the API through its `Work`, which appends the result to the log, and waits
until that is folded before it looks at the key again. It writes no table. Trouble of one key delays that key; trouble
of the whole connection pauses the lane, which then probes with one key at a time, and says so on the log when it lasts.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from stream.clock import Clock
from stream.due import DueQueue
from stream.errors import ConnectionTrouble, LogUnavailable, RateLimited, Retriable, Unavailable
from stream.fence import Fence
from stream.quota import QuotaLedger
from stream.records import ConnectionId, LaneOutcome, LogPosition
from stream.telemetry import DEBTS, SUSPENDED, log

logger = log("lane")


@dataclass(frozen=True)
class LanePolicy:
    """Seconds. backoff: first and longest wait of a failing key or connection. unfolded: own records not yet folded."""

    backoff_first: float = 0.5
    backoff_longest: float = 60.0
    probe_every: float = 30.0
    failures_to_suspend: int = 3
    unfolded: int = 50
    close_grace: float = 3.0


@dataclass(frozen=True)
class Owed:
    """What a row says now. priority: 0 first. folded: topic -> offset of the last record folded into the row."""

    owed: bool
    priority: int
    folded: Mapping[str, int]


class Work(Protocol):
    """What one kind of lane does with a key."""

    def look(self, key: str) -> Owed | None:
        """The row as it is now, None when there is none."""
        ...

    async def pay(self, key: str) -> LogPosition | None:
        """Pay the debt; the position of the last record that was appended for it, None when nothing was owed any more.

        Raises Retriable (with the wait, where known), ConnectionTrouble, LaneClosed.
        """
        ...


class LaneClosed(Exception):
    """The lane was closed before the call began: nothing was sent."""


class Waiting(Retriable):
    """Not due yet: something else must happen first."""


class Lane:
    """One connection, one API. All methods are for the worker's loop."""

    def __init__(
        self,
        connection: ConnectionId,
        api: Literal["bamboohr", "zoho"],
        *,
        ledger: QuotaLedger,
        fence: Fence,
        clock: Clock,
        append: Callable[[LaneOutcome], Awaitable[object]],
        crashed: Callable[[BaseException], None],
        policy: LanePolicy | None = None,
    ) -> None:
        """crashed: told of an error that is no answer to anything: a bug, or the log being away."""
        self.connection = connection
        self.api = api
        self.suspended: str | None = None
        self._ledger = ledger
        self._fence = fence
        self._clock = clock
        self._append = append
        self._crashed = crashed
        self._policy = policy or LanePolicy()
        self._queue = DueQueue()
        self._paying: dict[str, asyncio.Task[None]] = {}
        self._unfolded: dict[str, LogPosition] = {}
        self._tries: dict[str, int] = {}
        self._failures = 0
        self._paused_until = 0.0
        self._closing = False
        self._waiting: set[asyncio.Task[None] | None] = set()
        self._wake = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._work: Work | None = None

    def attach(self, work: Work) -> None:
        """Take the work. From here on `notice` may tell of keys; nothing is paid before `open`."""
        self._work = work

    def open(self, work: Work | None = None) -> None:
        """Start paying. work: attached first, where that has not been done."""
        if work is not None:
            self.attach(work)
        self._runner = asyncio.create_task(self._run(), name=f"lane {self.connection} {self.api}")

    async def close(self) -> None:
        """Take no new work and give calls in flight the grace to end; cut off the rest, and at once what only waits for
        its turn. May be called again.
        """
        self._closing = True
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
            self._runner = None
        if self._paying:
            tasks = list(self._paying.values())
            for task in self._waiting.intersection(tasks):
                if task is not None:
                    task.cancel()
            _, late = await asyncio.wait(tasks, timeout=self._policy.close_grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        DEBTS.labels(self.connection, self.api).set(0)

    @property
    def idle(self) -> bool:
        """Nothing is owed, under way or waiting to be folded."""
        return not self._queue and not self._paying and not self._unfolded

    @property
    def debts(self) -> int:
        return len(self._queue) + len(self._paying)

    def notice(self, key: str) -> None:
        """The key's row may have changed."""
        assert self._work is not None
        row = self._work.look(key)
        position = self._unfolded.get(key)
        if position is not None and (row is None or row.folded.get(position.topic, -1) >= position.offset):
            del self._unfolded[key]
            self._wake.set()
        if key in self._paying or key in self._unfolded:
            return
        if row is None or not row.owed:
            self._queue.remove(key)
            self._tries.pop(key, None)
        else:
            self._queue.add(key, row.priority, self._clock.monotonic())
            self._wake.set()
        DEBTS.labels(self.connection, self.api).set(self.debts)

    @asynccontextmanager
    async def admit(self, operation: str, changes: bool) -> AsyncIterator[None]:
        """What a client asks just before each request: waits for the quota, then for the fence if it changes something.

        Raises LaneClosed when the lane no longer begins calls.
        """
        if self._closing:
            raise LaneClosed(operation)
        task = asyncio.current_task()
        self._waiting.add(task)
        try:
            async with self._ledger.call(self._fence if changes else None):
                self._waiting.discard(task)
                if self._closing:
                    raise LaneClosed(operation)
                yield
        finally:
            self._waiting.discard(task)

    @asynccontextmanager
    async def admit_token(self, operation: str, changes: bool) -> AsyncIterator[None]:
        """The same for token requests: they are fenced, but take nothing of the organization's quota."""
        if changes:
            await self._fence.wait_open()
        if self._closing:
            raise LaneClosed(operation)
        yield

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            now = self._clock.monotonic()
            if self._may_begin(now) and (key := self._queue.next(now)) is not None:
                self._paying[key] = asyncio.create_task(self._pay(key), name=f"pay {self.connection} {self.api}")
                continue
            ripe = self._queue.ripe_at(now)
            wait = None if ripe is None else max(ripe, self._paused_until) - now
            try:
                async with asyncio.timeout(wait if wait is not None and wait > 0 else None):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _may_begin(self, now: float) -> bool:
        limit = 1 if self._failures else self._ledger.quota.in_flight
        return now >= self._paused_until and len(self._paying) < limit and len(self._unfolded) < self._policy.unfolded

    async def _pay(self, key: str) -> None:
        assert self._work is not None
        again: float | None = None
        try:
            position = await self._work.pay(key)
        except LaneClosed:
            pass
        except LogUnavailable as error:
            self._crashed(error)
        except (Waiting, Retriable) as error:
            again = await self._retriable(key, error)
        except ConnectionTrouble as error:
            again = self._policy.probe_every
            self._failures += 1
            self._pause(again)
            await self._suspend(error.message)
        except Exception as error:  # a bug must end the worker, not one task
            self._crashed(error)
        else:
            self._tries.pop(key, None)
            if position is not None:
                self._unfolded[key] = position
                await self._works()
        finally:
            self._paying.pop(key, None)
            self._wake.set()
        if not self._closing:
            self._requeue(key, again)

    def _requeue(self, key: str, again: float | None) -> None:
        assert self._work is not None
        if again is None:
            self.notice(key)
        elif (row := self._work.look(key)) is not None and row.owed:
            now = self._clock.monotonic()
            self._queue.add(key, row.priority, now, at=now + again)

    async def _retriable(self, key: str, error: Retriable) -> float:
        """The seconds after which the key is tried again."""
        if isinstance(error, Waiting):
            return error.retry_after or self._policy.backoff_first
        tries = self._tries[key] = self._tries.get(key, 0) + 1
        connection_wide = isinstance(error, RateLimited | Unavailable)
        # Calls that were under way together fail together: that is one failure of the connection.
        self._failures += connection_wide and self._clock.monotonic() >= self._paused_until
        longest = self._policy.backoff_longest
        doubled = self._policy.backoff_first * 2.0 ** min(max(tries, self._failures) - 1, 16)
        wait = min(longest, doubled)
        wait *= 0.5 + random.random()  # noqa: S311 - spreads retries, hides nothing
        if error.retry_after is not None:
            wait = max(wait, error.retry_after)
        logger.warning(
            "lane.call_failed",
            connection=self.connection,
            api=self.api,
            reason=error.message,
            retry_in_s=round(wait, 2),
            **error.context,
        )
        if connection_wide:
            self._pause(wait)
            if self._failures >= self._policy.failures_to_suspend or wait > longest:
                await self._suspend(error.message)
        return wait

    def _pause(self, seconds: float) -> None:
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)

    async def _suspend(self, reason: str) -> None:
        if self.suspended == reason:
            return
        self.suspended = reason
        SUSPENDED.labels(self.connection, self.api).set(1)
        logger.error("lane.suspended", connection=self.connection, api=self.api, reason=reason)
        await self._say("suspended", reason)

    async def _works(self) -> None:
        self._failures = 0
        if self.suspended is not None:
            self.suspended = None
            SUSPENDED.labels(self.connection, self.api).set(0)
            logger.info("lane.resumed", connection=self.connection, api=self.api)
            await self._say("resumed", None)

    async def _say(self, state: Literal["suspended", "resumed"], reason: str | None) -> None:
        outcome = LaneOutcome(
            connection=self.connection, api=self.api, state=state, reason=reason, at=self._clock.now()
        )
        try:
            await self._append(outcome)
        except LogUnavailable as error:
            self._crashed(error)
