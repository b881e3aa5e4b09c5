"""What stands in a lane's way: how often each key and the whole connection failed in a row, how long to wait before
the next try, whether a try of a key is its last, and whether the lane is suspended, which is said on the log when it
begins and when it ends. It calls nobody and picks nothing; the lane tells it how each try ended and asks it whether it
may begin another.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from stream.clock import Clock
from stream.core.rows import Suspension
from stream.errors import ConnectionTrouble, RateLimited, Retriable, Unavailable
from stream.flood import FloodGuard, FloodPolicy
from stream.records import Api, ConnectionId, LaneOutcome
from stream.telemetry import SUSPENDED, log

logger = log("lane")


@dataclass(frozen=True)
class RetryPolicy:
    """Seconds. first, longest: wait of a key or connection that fails once, and often. probe_every: while a person must
    act. failures_to_suspend: of the connection in a row, until the lane says that it waits.

    failures_to_give_up: of one key, each after a success of another since anything failed. So an outage adds none while
    it lasts, and calls that fail by chance, however many, give up less than one debt in 2 ** 30. By the waits it takes
    20 minutes or more.
    """

    first: float = 0.5
    longest: float = 60.0
    probe_every: float = 30.0
    failures_to_suspend: int = 3
    failures_to_give_up: int = 30


class Trouble:
    """Of one lane. suspended: why it waits for somebody or something, None while it does not."""

    def __init__(
        self,
        connection: ConnectionId,
        api: Api,
        *,
        clock: Clock,
        append: Callable[[LaneOutcome], Awaitable[object]],
        retry: RetryPolicy,
        flood: FloodPolicy,
        before: Suspension | None,
    ) -> None:
        """before: as the lane's former owner left it on the log; the lane then begins by probing."""
        self._connection = connection
        self._api = api
        self._clock = clock
        self._append = append
        self._policy = retry
        self._tries: dict[str, int] = {}
        self._failed_alone: dict[str, int] = {}
        self._failed_last: str | None = None
        self._failures = 0 if before is None else 1
        self.suspended = None if before is None else before.reason
        self.guard = FloodGuard(flood, before.reason if before is not None and before.flood else None)
        self.paused_until = 0.0
        self.show()

    @property
    def probing(self) -> bool:
        """Whether only one key may be tried at a time."""
        return self._failures > 0

    def forget(self, key: str) -> None:
        """The key is paid, or owes nothing any more."""
        self._tries.pop(key, None)
        self._failed_alone.pop(key, None)

    def is_last(self, key: str) -> bool:
        """Whether the key is given up unless the vendor answers now: it answers about others, and never about this."""
        return not self.probing and self._failed_alone.get(key, 0) >= self._policy.failures_to_give_up

    async def failed(self, key: str, error: Retriable | ConnectionTrouble) -> float:
        """A try ended so. Returns the seconds after which the key is tried again. Raises LogUnavailable."""
        if isinstance(error, ConnectionTrouble):
            self._failures += 1
            self._pause(self._policy.probe_every)
            await self._suspend(error.message)
            return self._policy.probe_every
        tries = self._tries[key] = self._tries.get(key, 0) + 1
        connection_wide = is_of_the_connection(error)
        if isinstance(error, Unavailable) and not self.probing:
            self._failed_alone[key] = self._failed_alone.get(key, 0) + 1
        # Calls that were under way together fail together: that is one failure of the connection.
        self._failures += connection_wide and self._clock.monotonic() >= self.paused_until
        wait = self._backoff(tries, error.retry_after)
        logger.warning(
            "lane.call_failed",
            connection=self._connection,
            api=self._api,
            key=key,
            reason=error.message,
            retry_in_s=round(wait, 2),
            **error.context,
        )
        if connection_wide:
            # One key that fails over and over says nothing of the others: the next of them may probe soon.
            again = isinstance(error, Unavailable) and key == self._failed_last
            self._failed_last = key
            self._pause(self._backoff(1 if again else max(1, self._failures), error.retry_after))
            told_to_wait_long = (error.retry_after or 0.0) > self._policy.longest
            if self._failures >= self._policy.failures_to_suspend or told_to_wait_long:
                await self._suspend(error.message)
        return wait

    async def works(self) -> None:
        """The vendor answered as it should. Ends a suspension, but none by the flood guard. Raises LogUnavailable."""
        if self.guard.stopped is not None:
            return
        self._failures = 0
        if self.suspended is not None:
            self.suspended = None
            self.show()
            logger.info("lane.resumed", connection=self._connection, api=self._api)
            await self._say("resumed", None)

    def show(self, *, closed: bool = False) -> None:
        """Set the metric. closed: another worker shows it from now on, or nobody."""
        SUSPENDED.labels(self._connection, self._api).set(self.suspended is not None and not closed)

    def _backoff(self, times: int, told: float | None) -> float:
        wait = min(self._policy.longest, self._policy.first * 2.0 ** min(times - 1, 16))
        wait *= 0.5 + random.random()  # noqa: S311 - spreads retries, hides nothing
        return wait if told is None else max(wait, told)

    def _pause(self, seconds: float) -> None:
        self.paused_until = max(self.paused_until, self._clock.monotonic() + seconds)

    async def _suspend(self, reason: str) -> None:
        if self.suspended == reason:
            return
        self.suspended = reason
        self.show()
        logger.error("lane.suspended", connection=self._connection, api=self._api, reason=reason)
        await self._say("suspended", reason)

    async def _say(self, state: Literal["suspended", "resumed"], reason: str | None) -> None:
        await self._append(
            LaneOutcome(
                connection=self._connection,
                api=self._api,
                state=state,
                reason=reason,
                flood=state == "suspended" and self.guard.stopped is not None,
                at=self._clock.now(),
            )
        )


def is_of_the_connection(error: Retriable | ConnectionTrouble) -> bool:
    """Whether every key would have met the same; else it is this key's own trouble."""
    return isinstance(error, RateLimited | Unavailable | ConnectionTrouble)
