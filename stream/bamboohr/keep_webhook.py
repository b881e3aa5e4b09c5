"""Keeps a connection's webhook at BambooHR: looks, takes the step that the core decides, and looks again, until all is
as it should be. What it knows is on the log before and after each change, beside an outcome for the audit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from stream.bamboohr.webhooks import OthersWebhook
from stream.clock import Clock
from stream.core import registration as after
from stream.core.webhook import (
    Accept,
    Change,
    Create,
    Delete,
    Done,
    Listed,
    Miss,
    Resolve,
    Seen,
    Step,
    Wait,
    Wanted,
    decide,
)
from stream.errors import AnswerLost, NotFound, RosterbookError, Unavailable
from stream.lane import LaneClosed
from stream.records import ConnectionId, Sealed, WebhookConfiguration, WebhookOutcome, WebhookRegistration
from stream.telemetry import Masked, log

logger = log("webhook")

CHECK_EVERY_S = 3600.0
MOST_STEPS = 20
"""More in one check than any state of one connection takes."""
NO_ADDRESS = (
    "Set ROSTERBOOK_PUBLIC_URL to the https address under which BambooHR reaches the gateway, so that a webhook can be "
    "registered there."
)


class Webhooks(Protocol):
    """What is asked of `stream/bamboohr/webhooks.py`."""

    async def monitored(self) -> Mapping[str, str]: ...

    async def listed(self) -> Sequence[Listed]: ...

    async def shown(self, webhook: str, names: Mapping[str, str]) -> WebhookConfiguration: ...

    async def create(self, asked: WebhookConfiguration) -> tuple[str, str, Masked]: ...

    async def change(self, webhook: str, asked: WebhookConfiguration) -> None: ...

    async def delete(self, webhook: str) -> None: ...


class KeepWebhook:
    """Of one connection, for as long as this worker owns it.

    kept: what the log has. reason: what only a person can mend, None when there is nothing.
    """

    def __init__(
        self,
        connection: ConnectionId,
        api: Webhooks,
        *,
        by_us: bool,
        url: str | None,
        fields: Sequence[str],
        kept: WebhookRegistration | None,
        mark: str,
        append: Callable[[WebhookRegistration | WebhookOutcome], Awaitable[object]],
        seal: Callable[[Masked], Sealed],
        clock: Clock,
        settle_time: float,
        key_age: timedelta | None = None,
        sealed_anew: Callable[[WebhookRegistration], WebhookRegistration] = lambda registration: registration,
    ) -> None:
        """by_us: False where a person keeps the webhook. url: the connection's address at the gateway, where known.
        fields: of whose changes BambooHR is to tell.

        mark: for a connection that has no registration yet. key_age: after which a key is replaced by a new one.
        sealed_anew: the same with the newest vault key, itself where that has sealed all of it.
        """
        self._api = api
        self._by_us = by_us
        self._url = url
        self._fields = fields
        self.kept = kept or WebhookRegistration(connection=connection, mark=mark)
        self._append = append
        self._seal = seal
        self._clock = clock
        self._settle_time = settle_time
        self._key_age = key_age
        self._sealed_anew = sealed_anew
        self._rotate_before: datetime | None = None
        self._ending = False
        self._changed = False
        self._pending_since = clock.monotonic()
        self._unheard: deque[WebhookRegistration] = deque()
        self._overwritten = False
        self.reason: str | None = None
        self.busy = False
        """A change is under way, or what it came to is not on the log yet."""

    @property
    def looked_at(self) -> datetime | None:
        """When all was found to be as it is wanted now; None when that has not been so yet."""
        asked = self.kept.asked
        return self.kept.checked_at if asked is not None and asked.url == self._url and not self.kept.pending else None

    def heard(self, registration: WebhookRegistration) -> bool:
        """The log has this now. Returns whether somebody else wrote it: a former owner that was frozen, no doubt.

        Ours is then written again by the next check.
        """
        if registration in self._unheard:
            while self._unheard.popleft() != registration:
                pass
            return False
        self._overwritten = self._overwritten or registration != self.kept
        return self._overwritten

    def rotate(self, before: datetime) -> None:
        """Have the next check replace the key, unless it was made at or after `before`. May be asked again."""
        self._rotate_before = max(before, self._rotate_before or before)

    def has_rotated(self, before: datetime) -> bool:
        """Whether the only webhook of ours that is there was made at or after `before`."""
        return not self.kept.pending and [one.made_at >= before for one in after.living(self.kept)] == [True]

    def end(self) -> None:
        """Have the next check delete what is ours, for good."""
        self._ending = True

    @property
    def has_ended(self) -> bool:
        """Whether no webhook of ours is there any more."""
        return self._ending and not (self.kept.pending or after.living(self.kept))

    @property
    def needs_old_keys(self) -> bool:
        """Whether what the log has is not all sealed with the newest vault key; the next check mends that."""
        return self._sealed_anew(self.kept) is not self.kept

    async def check(self) -> float:
        """Bring the webhook to what is wanted. Returns the seconds after which it is to be looked at again.

        Raises what the API raises, LogUnavailable, and LaneClosed when the connection is given away.
        """
        if self.needs_old_keys:
            await self._save(self._sealed_anew(self.kept))
        if self._by_us and self._url is None and not self._ending:
            self.reason = NO_ADDRESS
            return CHECK_EVERY_S
        if (self._ending or not self._by_us) and not (self.kept.pending or after.living(self.kept)):
            return CHECK_EVERY_S
        self._changed = False
        names = await self._api.monitored()
        if self._overwritten:  # now that a call was admitted: whoever has lost the connection writes nothing any more
            self._overwritten = False
            await self._save(self.kept)
        for _ in range(MOST_STEPS):
            wait = await self._step(names)
            if wait is not None:
                return wait
        raise Unavailable("The webhooks in BambooHR change while they are looked at; they are looked at again.")

    async def _step(self, names: Mapping[str, str]) -> float | None:
        """Look once and do one thing; the seconds until the next check, once nothing is left to do."""
        seen, now = await self._look(names), self._clock.now()
        left = self._settle_time - (self._clock.monotonic() - self._pending_since)
        wanted = self._wanted(names)
        changed, self._changed = self._changed, False
        step = decide(
            self.kept,
            wanted,
            seen,
            settled=left <= 0,
            changed=changed,
            made_since=self._made_since(now),
            now=now,
        )
        match step:
            case Wait():
                return left
            case Done(findings):
                await self._finish(findings)
                return CHECK_EVERY_S
        self.busy = True
        try:
            await self._take(step, wanted, now)
        finally:
            self.busy = False
        return None

    async def _take(self, step: Step, wanted: Wanted | None, now: datetime) -> None:
        match step:
            case Resolve():
                await self._save(after.resolved(self.kept))
            case Accept(shown):
                await self._save(after.accepted(self.kept, shown))
            case Miss(webhook, reason):
                await self._save(after.ended(self.kept, webhook, now))
                await self._say("missing", webhook, reason)
            case Create(reason):
                assert wanted is not None
                await self._create(wanted, reason)
            case Change(webhook, asked, changes):
                await self._change(webhook, asked, changes)
            case Delete(webhook, reason):
                await self._delete(webhook, "The connection is removed." if self._ending else reason)

    async def _look(self, names: Mapping[str, str]) -> Seen:
        listed = list(await self._api.listed())
        newest = next(iter(after.living(self.kept)), None)
        if newest is None:
            return Seen(listed)
        try:
            shown = await self._api.shown(newest.id, names)
        except (NotFound, OthersWebhook) as error:
            there = [webhook for webhook in listed if webhook.id != newest.id]
            return Seen(there, others=isinstance(error, OthersWebhook))
        if all(webhook.id != newest.id for webhook in listed):  # a list that lags behind: it is there all the same
            listed.append(Listed(newest.id, shown.name, shown.url, newest.created, None))
        return Seen(listed, shown)

    def _wanted(self, names: Mapping[str, str]) -> Wanted | None:
        if self._ending or not self._by_us or self._url is None:
            return None
        offered = tuple(dict.fromkeys(names[field] for field in self._fields if field in names))
        withheld = tuple(field for field in self._fields if field not in names)
        return Wanted(self._url, offered or tuple(self._fields), withheld)

    def _made_since(self, now: datetime) -> datetime | None:
        """When a key must have been made to be kept; None when any will do."""
        if self._key_age is None:
            return self._rotate_before
        return max(now - self._key_age, self._rotate_before or now - self._key_age)

    async def _create(self, wanted: Wanted, reason: str) -> None:
        await self._save(after.begun(self.kept))
        asked = wanted.configuration(after.name_of(self.kept))
        try:
            webhook, created, key = await self._api.create(asked)
        except AnswerLost:
            self._pending_since = self._clock.monotonic()
            await self._say("uncertain", None, "BambooHR did not say whether the webhook was created.")
            raise
        except (RosterbookError, LaneClosed):  # nothing was sent, or it was refused
            await self._save(after.resolved(self.kept))
            raise
        now, sealed = self._clock.now(), self._seal(key)
        await self._save(after.created(self.kept, asked, id=webhook, created=created, key=sealed, now=now))
        await self._say("registered", webhook, reason)

    async def _change(self, webhook: str, asked: WebhookConfiguration, changes: dict[str, tuple[str, str]]) -> None:
        try:
            await self._api.change(webhook, asked)
        except AnswerLost:
            await self._say("uncertain", webhook, "BambooHR did not say whether the webhook was changed.", changes)
            raise
        except (NotFound, OthersWebhook):
            return  # the next look says what has become of it
        self._changed = True
        await self._save(after.asked_again(self.kept, asked))
        await self._say("repaired", webhook, "It was not as it is to be.", changes)

    async def _delete(self, webhook: str, reason: str) -> None:
        try:
            await self._api.delete(webhook)
        except AnswerLost:
            await self._say("uncertain", webhook, "BambooHR did not say whether the webhook was deleted.")
            raise
        except NotFound:
            pass
        except OthersWebhook:
            return
        await self._save(after.ended(self.kept, webhook, self._clock.now()))
        await self._say("removed", webhook, reason)

    async def _finish(self, findings: Sequence[str]) -> None:
        newest = next(iter(after.living(self.kept)), None)
        for finding in findings:
            if finding not in self.kept.told:
                await self._say("reported", newest.id if newest else None, finding)
        self.reason = " ".join(findings) or None
        await self._save(after.checked(self.kept, findings, self._clock.now()))

    async def _save(self, registration: WebhookRegistration) -> None:
        self.kept = registration
        self._unheard.append(registration)
        await self._append(registration)

    async def _say(
        self, action: Any, webhook: str | None, reason: str, changes: dict[str, tuple[str, str]] | None = None
    ) -> None:
        connection = self.kept.connection
        logger.info(f"webhook.{action}", connection=connection, webhook=webhook, reason=reason)
        await self._append(
            WebhookOutcome(
                connection=connection,
                action=action,
                webhook=webhook,
                reason=reason,
                changes=changes or {},
                at=self._clock.now(),
            )
        )
