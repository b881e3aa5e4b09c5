"""The lane: pays the debts of one connection at one API, while it is open and the fence is.

It picks due keys, keeps the quota, calls the API through its `Work`, which appends the result to the log, and waits
until that is folded before it looks at the key again. It writes no table. What happens after a failure is decided in
`stream/trouble.py`: trouble of one key delays that key; trouble of the whole connection, or too many records that fail
for good, pauses the lane, which then probes with one key at a time.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol

from stream.clock import Clock
from stream.core.rows import Suspension
from stream.due import BACKFILL, CLASSES, RISE_S, DueQueue
from stream.errors import ConnectionTrouble, LogUnavailable, Retriable
from stream.fence import Fence
from stream.flood import FloodGuard, FloodPolicy
from stream.http import Still
from stream.pace import Pace
from stream.quota import KeptForLive, QuotaLedger
from stream.records import Api, ConnectionId, LaneOutcome, LogPosition
from stream.telemetry import DEBTS
from stream.trouble import RetryPolicy, Trouble, is_of_the_connection

LOOK_AGAIN_S = 0.01
LOOK_FOR_LIVE_S = 0.1


@dataclass(frozen=True)
class LanePolicy:
    """unfolded: own records that are not folded yet, at most. close_grace: seconds for calls in flight."""

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    flood: FloodPolicy = field(default_factory=FloodPolicy)
    unfolded: int = 50
    close_grace: float = 1.8


@dataclass(frozen=True)
class Owed:
    """What a row says now. priority: 0 first. folded: topic -> offset of the last record folded into the row."""

    owed: bool
    priority: int
    folded: Mapping[str, int]


Said = Literal["accepted", "refused", "silent", "not asked"]
"""Whether the vendor was asked, and then took this record, answered that it will not, or never gave a usable answer."""


class Paid(NamedTuple):
    """How a payment ended. position: of the last record that was appended for it."""

    position: LogPosition
    vendor: Said


class Work(Protocol):
    """What one kind of lane does with a key."""

    def look(self, key: str) -> Owed | None:
        """The row as it is now, None when there is none."""
        ...

    async def pay(self, key: str, *, last: bool = False) -> Paid | None:
        """Pay the debt; None when nothing was owed any more. Before a record is given up, the flood guard is asked.

        last: no usable answer ends the debt now, as a refusal does, instead of raising Unavailable.

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
        api: Api,
        *,
        ledger: QuotaLedger,
        fence: Fence,
        token_pace: Pace,
        clock: Clock,
        append: Callable[[LaneOutcome], Awaitable[object]],
        crashed: Callable[[BaseException], None],
        policy: LanePolicy | None = None,
        suspended: Suspension | None = None,
    ) -> None:
        """token_pace: of all lanes of the worker. suspended: what the log says of this lane, however long ago and
        whoever had it then. crashed: told of an error that is no answer to anything: a bug, or the log being away.
        """
        self.connection = connection
        self.api = api
        self.ledger = ledger
        self._fence = fence
        self._token_pace = token_pace
        self._for_tokens = 0
        self._clock = clock
        self._crashed = crashed
        self._policy = policy or LanePolicy()
        self._trouble = Trouble(
            connection,
            api,
            clock=clock,
            append=append,
            retry=self._policy.retry,
            flood=self._policy.flood,
            before=suspended,
        )
        self._shown = DEBTS.labels(connection, api)
        self._shown.set_function(lambda: len(self.open_keys))
        self._queue = DueQueue()
        self._due_since: dict[str, float] = {}
        self._paying: dict[str, asyncio.Task[None]] = {}
        self._key_of: dict[asyncio.Task[Any] | None, str] = {}
        self._in_bulk: set[asyncio.Task[Any] | None] = set()
        self._unfolded: dict[str, LogPosition] = {}
        self._closing = False
        self.moves = 0
        """Calls that were begun, and tries that ended, whatever came of them."""
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
        self._shown.set_function(lambda: 0)
        self._trouble.show(closed=True)

    @property
    def guard(self) -> FloodGuard:
        """What the work asks before it gives a record up."""
        return self._trouble.guard

    @property
    def suspended(self) -> str | None:
        """Why the lane waits, None while it does not."""
        return self._trouble.suspended

    @property
    def idle(self) -> bool:
        """Nothing is owed, under way or waiting to be folded."""
        return not self._queue and not self._paying and not self._unfolded

    @property
    def debts(self) -> int:
        return len(self._queue) + len(self._paying)

    @property
    def backfill(self) -> int:
        """Debts that nobody waits for, as far as none of them is being paid."""
        return self._queue.count(BACKFILL)

    @property
    def open_keys(self) -> set[str]:
        """Whose debts are owed, under way, or paid by what is not folded yet."""
        return {*self._queue, *self._paying, *self._unfolded}

    @property
    def at_work(self) -> bool:
        """There is something to do now, and nothing to wait for: `moves` must grow."""
        now = self._clock.monotonic()
        due = self._may_begin(now) and self._may_begin_at(now) <= now
        waits = self.suspended is not None or bool(self._for_tokens)
        return not waits and not self._closing and (due or bool(self._paying))

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
            self._due_since.pop(key, None)
            self._trouble.forget(key)
        else:
            now = self._clock.monotonic()
            self._queue.add(key, row.priority, now, since=self._due_since.setdefault(key, now))
            self._wake.set()

    @asynccontextmanager
    async def admit(self, operation: str, changes: bool) -> AsyncIterator[Still]:
        """What a client asks just before each request: waits for the quota, then for the fence if it changes something.

        Raises LaneClosed when the lane no longer begins calls, and what the ledger raises.
        """
        if self._closing:
            raise LaneClosed(operation)
        task = asyncio.current_task()
        self._waiting.add(task)
        try:
            if task in self._in_bulk:
                await self._let_live_go_first()
            gate = self._fence if changes else self._fence.reads
            async with self.ledger.call(gate, live=not self._backfills(task)) as goes_out:
                self._waiting.discard(task)
                if self._closing:
                    raise LaneClosed(operation)
                self.moves += 1
                yield partial(self._still_goes, goes_out)
        finally:
            self._waiting.discard(task)

    @contextmanager
    def in_bulk(self) -> Iterator[None]:
        """The calls that this task makes meanwhile read for everybody: each lets whatever is due go first, unless that
        takes as long as a debt waits to rise, and none uses what is left of the day.
        """
        task = asyncio.current_task()
        self._in_bulk.add(task)
        try:
            yield
        finally:
            self._in_bulk.discard(task)

    async def _let_live_go_first(self) -> None:
        began = now = self._clock.monotonic()
        while now < began + RISE_S and self.suspended is None and self._queue.ripe_at(now, BACKFILL) == now:
            await asyncio.sleep(LOOK_FOR_LIVE_S)
            now = self._clock.monotonic()

    @asynccontextmanager
    async def admit_token(self, operation: str, changes: bool) -> AsyncIterator[Still]:
        """The same for token requests: they are paced and fenced, but take nothing of the organization's quota."""
        if changes:
            self._for_tokens += 1
            try:
                await self._token_pace.turn()
            finally:
                self._for_tokens -= 1
            await self._fence.wait_open()
        if self._closing:
            raise LaneClosed(operation)
        yield self._may_still_change

    def _backfills(self, task: asyncio.Task[Any] | None) -> bool:
        """Whether this task reads for everybody, or pays a debt of the lowest class, as its row is now."""
        if task in self._in_bulk:
            return True
        key = self._key_of.get(task)
        row = None if key is None or self._work is None else self._work.look(key)
        return row is not None and row.priority >= BACKFILL

    def _may_still_change(self) -> bool:
        return self._fence.open

    def _still_goes(self, goes_out: Callable[[], None]) -> bool:
        if not self._may_still_change():
            return False
        goes_out()
        return True

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            now = self._clock.monotonic()
            if self._may_begin(now) and (key := self._queue.next(now, self._classes(now))) is not None:
                task = self._paying[key] = asyncio.create_task(self._pay(key), name=f"pay {self.connection} {self.api}")
                self._key_of[task] = key
                continue
            wait = self._may_begin_at(now) - now
            timed = wait < math.inf and (wait > 0 or self._may_begin(now))  # else a payment's end is what wakes us
            try:
                async with asyncio.timeout(max(wait, LOOK_AGAIN_S) if timed else None):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _may_begin(self, now: float) -> bool:
        limit = 1 if self._trouble.probing else self.ledger.quota.in_flight
        ready = now >= self._open_at() and len(self._unfolded) < self._policy.unfolded
        return ready and len(self._paying) < limit

    def _may_begin_at(self, now: float) -> float:
        """The moment at which time alone may let a key begin; infinite when none is owed."""
        moments = []
        for classes, live in ((BACKFILL, True), (CLASSES, False)):
            if (ripe := self._queue.ripe_at(now, classes)) is not None:
                moments.append(max(ripe, self._open_at(live=live)))
        return min(moments, default=math.inf)

    def _open_at(self, *, live: bool = True) -> float:
        return max(self._trouble.paused_until, self.ledger.closed_until(live=live))

    def _classes(self, now: float) -> int:
        """So many classes may begin: not the backfill while the rest of the day's calls is kept for the others."""
        return CLASSES if now >= self.ledger.closed_until(live=False) else BACKFILL

    async def _pay(self, key: str) -> None:
        again: float | None = None
        try:
            again = await self._try(key)
        except LaneClosed:
            pass
        except Exception as error:  # the log away or a bug must end the worker, not one task
            self._crashed(error)
        finally:
            self._key_of.pop(self._paying.pop(key, None), None)
            self.moves += 1
            self._wake.set()
        if not self._closing:
            self._requeue(key, again)

    async def _try(self, key: str) -> float | None:
        """The seconds after which the key is to be tried again, None when this try was its end."""
        assert self._work is not None
        try:
            paid = await self._work.pay(key, last=self._trouble.is_last(key))
        except LogUnavailable:
            raise
        except (Waiting, KeptForLive) as error:
            return error.retry_after or self._policy.retry.first
        except (Retriable, ConnectionTrouble) as error:
            if is_of_the_connection(error):
                self._due_since.pop(key, None)  # behind the others: the next probe is another key's
            return await self._trouble.failed(key, error)
        self._due_since.pop(key, None)
        self._trouble.forget(key)
        if paid is not None:
            self._unfolded[key] = paid.position
            if paid.vendor == "accepted":
                self.guard.accepted()
            if paid.vendor in ("accepted", "refused"):
                await self._trouble.works()
        return None

    def _requeue(self, key: str, again: float | None) -> None:
        assert self._work is not None
        if again is None:
            self.notice(key)
        elif (row := self._work.look(key)) is not None and row.owed:
            now = self._clock.monotonic()
            since = self._due_since.setdefault(key, now + again)
            self._queue.add(key, row.priority, now, at=now + again, since=since)
