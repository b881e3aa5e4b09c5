"""The upkeep of a connection's webhook, for as long as its lanes are open: looked at at the start and every hour, and
again when somebody asks or something failed. What the webhook suffers from stops no lane.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from stream.bamboohr.keep_webhook import CHECK_EVERY_S, NO_ADDRESS, KeepWebhook
from stream.clock import Clock
from stream.errors import ConnectionTrouble, LogUnavailable, RecordRefused, Retriable
from stream.lane import LaneClosed
from stream.records import WebhookRegistration
from stream.telemetry import log

logger = log("webhook")

FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 300.0
RECENT = timedelta(minutes=5)
"""A connection that changes owners often is not looked at each time."""
CLOSE_GRACE_S = 3.0


class Upkeep:
    """Of one connection. crashed: told of an error that is no answer to anything: a bug, or the log being away."""

    def __init__(
        self, keeper: KeepWebhook, clock: Clock, saved_at: datetime, crashed: Callable[[BaseException], None]
    ) -> None:
        """saved_at: of the settings: what was looked at before that counts no more."""
        self._keeper = keeper
        self._clock = clock
        self._saved_at = saved_at
        self._crashed = crashed
        self._trouble: str | None = None
        self._failures = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._looked = asyncio.Event()
        """Set at the end of the check that is under way, or of the next one."""

    @property
    def kept(self) -> WebhookRegistration:
        """What the log has, or is about to have: a view of it may lag behind."""
        return self._keeper.kept

    def open(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"upkeep {self._keeper.kept.connection}")

    async def close(self) -> None:
        """A change that is under way gets its grace to end. The lane that admits its calls is closed meanwhile."""
        self._closing = True
        if self._task is None:
            return
        if self._keeper.busy:
            await asyncio.wait({self._task}, timeout=CLOSE_GRACE_S)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    @property
    def reason(self) -> str | None:
        """Why webhooks may not come, None when nothing is known to be wrong."""
        return self._trouble or self._keeper.reason

    def heard(self, registration: WebhookRegistration) -> None:
        """The log has this now."""
        if self._keeper.heard(registration):
            logger.warning("webhook.foreign_registration", connection=registration.connection)
            self._wake.set()

    async def rotate(self, before: datetime) -> None:
        """Replace the key, unless it was made at or after `before`; returns once the former webhook is deleted.

        May be asked again. Raises Retriable with the reason when it cannot be done now.
        """
        self._keeper.rotate(before)
        self._wake.set()
        while not self._keeper.has_rotated(before):
            await self._looked.wait()
            trouble = self._trouble or (NO_ADDRESS if self._keeper.reason == NO_ADDRESS else None)
            if trouble is not None:
                raise Retriable(trouble)

    async def end(self) -> None:
        """Delete the webhooks that are ours; returns once none is left. May be asked again.

        Raises Retriable with the reason when it cannot be done now.
        """
        self._keeper.end()
        self._wake.set()
        while not self._keeper.has_ended:
            await self._looked.wait()
            if self._trouble is not None and not self._keeper.has_ended:
                raise Retriable(self._trouble)

    async def seal_anew(self) -> None:
        """Return once everything is sealed with the newest vault key."""
        while self._keeper.needs_old_keys:
            self._wake.set()
            await self._looked.wait()

    async def _run(self) -> None:
        try:
            wait = self._first_wait()
            while not self._closing:
                try:
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                self._wake.clear()
                wait = await self._check()
                looked, self._looked = self._looked, asyncio.Event()
                looked.set()
        except LaneClosed:
            pass
        except Exception as error:  # the log away or a bug must end the worker, not one task
            self._crashed(error)

    def _first_wait(self) -> float:
        checked = self._keeper.looked_at
        if checked is None or checked < self._saved_at or not timedelta(0) <= self._clock.now() - checked < RECENT:
            return 0.0
        return CHECK_EVERY_S

    async def _check(self) -> float:
        """Seconds until the next check."""
        try:
            wait = await self._keeper.check()
        except LogUnavailable:
            raise
        except Retriable as error:
            self._failures += 1
            wait = max(min(FIRST_WAIT_S * 2.0 ** min(self._failures - 1, 16), LONGEST_WAIT_S), error.retry_after or 0.0)
            self._say(error.message, wait, **error.context)
        except (ConnectionTrouble, RecordRefused) as error:
            wait = LONGEST_WAIT_S
            self._say(error.message, wait, **error.context)
        else:
            self._trouble, self._failures = None, 0
        return wait

    def _say(self, reason: str, wait: float, **context: str | int | float | None) -> None:
        """Once for each kind of trouble."""
        if reason != self._trouble:
            connection = self._keeper.kept.connection
            logger.warning("webhook.check_failed", connection=connection, reason=reason, retry_in_s=wait, **context)
        self._trouble = reason
