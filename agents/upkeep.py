"""The upkeep of a connection's webhook, for as long as its lanes are open: looked at at the start and every hour, and
again when somebody asks or something failed. What the webhook suffers from stops no lane.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from agents.rounds import Rounds
from stream.bamboohr.keep_webhook import CHECK_EVERY_S, NO_ADDRESS, KeepWebhook
from stream.clock import Clock
from stream.errors import Retriable
from stream.records import WebhookRegistration
from stream.telemetry import log

logger = log("webhook")

RECENT = timedelta(minutes=5)
"""A connection that changes owners often is not looked at each time."""


class Upkeep:
    """Of one connection. crashed: told of an error that is no answer to anything: a bug, or the log being away."""

    def __init__(
        self, keeper: KeepWebhook, clock: Clock, saved_at: datetime, crashed: Callable[[BaseException], None]
    ) -> None:
        """saved_at: of the settings: what was looked at before that counts no more."""
        self._keeper = keeper
        self._clock = clock
        self._saved_at = saved_at
        self._rounds = Rounds(f"upkeep {keeper.kept.connection}", keeper.check, self._say, crashed)

    @property
    def kept(self) -> WebhookRegistration:
        """What the log has, or is about to have: a view of it may lag behind."""
        return self._keeper.kept

    def open(self) -> None:
        self._rounds.open(self._first_wait())

    async def close(self) -> None:
        """A change that is under way gets its grace to end. The lane that admits its calls is closed meanwhile."""
        await self._rounds.close(busy=self._keeper.busy)

    @property
    def reason(self) -> str | None:
        """Why webhooks may not come, None when nothing is known to be wrong."""
        return self._rounds.trouble or self._keeper.reason

    def heard(self, registration: WebhookRegistration) -> None:
        """The log has this now."""
        if self._keeper.heard(registration):
            logger.warning("webhook.foreign_registration", connection=registration.connection)
            self._rounds.wake()

    async def rotate(self, before: datetime) -> None:
        """Replace the key, unless it was made at or after `before`; returns once the former webhook is deleted.

        May be asked again. Raises Retriable with the reason when it cannot be done now.
        """
        self._keeper.rotate(before)
        self._rounds.wake()
        while not self._keeper.has_rotated(before):
            await self._rounds.ended()
            trouble = self._rounds.trouble or (NO_ADDRESS if self._keeper.reason == NO_ADDRESS else None)
            if trouble is not None:
                raise Retriable(trouble)

    async def end(self) -> None:
        """Delete the webhooks that are ours; returns once none is left. May be asked again.

        Raises Retriable with the reason when it cannot be done now.
        """
        self._keeper.end()
        self._rounds.wake()
        while not self._keeper.has_ended:
            await self._rounds.ended()
            if self._rounds.trouble is not None and not self._keeper.has_ended:
                raise Retriable(self._rounds.trouble)

    async def seal_anew(self) -> None:
        """Return once everything is sealed with the newest vault key."""
        while self._keeper.needs_old_keys:
            self._rounds.wake()
            await self._rounds.ended()

    def _first_wait(self) -> float:
        checked = self._keeper.looked_at
        if checked is None or checked < self._saved_at or not timedelta(0) <= self._clock.now() - checked < RECENT:
            return 0.0
        return CHECK_EVERY_S

    def _say(self, **context: str | float) -> None:
        logger.warning("webhook.check_failed", connection=self._keeper.kept.connection, **context)
