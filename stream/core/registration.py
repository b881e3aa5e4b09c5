"""A connection's registration as it is after each step of `stream/core/webhook.py`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from stream.records import RegisteredWebhook, Sealed, WebhookConfiguration, WebhookRegistration

KEPT = timedelta(days=1)
"""How long the key of a webhook that is gone is accepted: BambooHR repeats deliveries for 155 minutes."""


def living(registration: WebhookRegistration) -> list[RegisteredWebhook]:
    """Those that are not known to be gone, newest first."""
    return [one for one in registration.webhooks if one.ended_at is None]


def name_of(registration: WebhookRegistration) -> str:
    """The name of the webhook that was tried last."""
    return f"Rosterbook {registration.connection} {registration.mark}-{registration.made}"


def begun(registration: WebhookRegistration) -> WebhookRegistration:
    """One is about to be created: from here on it may be there."""
    return registration.model_copy(update={"made": registration.made + 1, "pending": True})


def resolved(registration: WebhookRegistration) -> WebhookRegistration:
    return registration.model_copy(update={"pending": False})


def created(
    registration: WebhookRegistration, asked: WebhookConfiguration, *, id: str, created: str, key: Sealed, now: datetime
) -> WebhookRegistration:
    """It is there, and its key is ours."""
    one = RegisteredWebhook(id=id, name=asked.name, created=created, key=key, made_at=now)
    return registration.model_copy(
        update={"pending": False, "webhooks": (one, *registration.webhooks), "asked": asked, "shown": asked}
    )


def ended(registration: WebhookRegistration, id: str, now: datetime) -> WebhookRegistration:
    """It is gone: its key is kept for deliveries that are repeated."""
    webhooks = (
        one.model_copy(update={"ended_at": now}) if one.id == id and one.ended_at is None else one
        for one in registration.webhooks
    )
    return registration.model_copy(update={"webhooks": tuple(webhooks)})


def asked_again(registration: WebhookRegistration, asked: WebhookConfiguration) -> WebhookRegistration:
    return registration.model_copy(update={"asked": asked, "shown": asked})


def accepted(registration: WebhookRegistration, shown: WebhookConfiguration) -> WebhookRegistration:
    return registration.model_copy(update={"shown": shown})


def checked(registration: WebhookRegistration, findings: Sequence[str], now: datetime) -> WebhookRegistration:
    """All was looked at. Keys of webhooks that have been gone for long are forgotten."""
    kept = tuple(one for one in registration.webhooks if one.ended_at is None or now - one.ended_at < KEPT)
    return registration.model_copy(update={"webhooks": kept, "told": tuple(findings), "checked_at": now})
