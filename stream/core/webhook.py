"""What is to be done about a connection's webhooks at BambooHR, one step at a time.

Exactly one is to be there that is ours, calls our address, tells of what matters, and signs with a key that we have.
BambooHR tells a key once, in the answer to the creation: a webhook whose answer was lost is of no use, and is deleted.
Ours are those that bear the registration's mark in their name, and those that we remember by id; nobody else's is ever
touched. After each step one looks again, so that a worker which ended in between is followed by one that goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from stream.core.registration import living
from stream.records import RegisteredWebhook, WebhookConfiguration, WebhookRegistration

EVENTS = ("employee.created", "employee.deleted", "employee.updated")
FORMAT = "json"
SILENT = timedelta(days=3)
"""A webhook that has not been delivered once in this time is spoken of."""


@dataclass(frozen=True)
class Wanted:
    """url: where BambooHR is to call. fields: aliases of what it is to tell of. withheld: those it does not offer."""

    url: str
    fields: tuple[str, ...]
    withheld: tuple[str, ...] = ()

    def configuration(self, name: str) -> WebhookConfiguration:
        return WebhookConfiguration(
            name=name, url=self.url, format=FORMAT, events=EVENTS, fields=tuple(sorted(self.fields))
        )


@dataclass(frozen=True)
class Listed:
    """A webhook as BambooHR lists it to its creator. last_sent: None while it was never delivered."""

    id: str
    name: str
    url: str
    created: str
    last_sent: str | None


@dataclass(frozen=True)
class Seen:
    """What is there. shown: the newest of ours in full, None where it is not listed.

    others: it is there all the same, but belongs to another user of BambooHR than the one who asks.
    """

    listed: Sequence[Listed]
    shown: WebhookConfiguration | None = None
    others: bool = False


@dataclass(frozen=True)
class Wait:
    """A creation without an answer may still take effect: look again later."""


@dataclass(frozen=True)
class Resolve:
    """The creation without an answer is over: nothing came of it, or that has been deleted."""


@dataclass(frozen=True)
class Create:
    reason: str


@dataclass(frozen=True)
class Change:
    id: str
    asked: WebhookConfiguration
    changes: dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Delete:
    id: str
    reason: str


@dataclass(frozen=True)
class Miss:
    """Ours is gone without us, or out of our reach."""

    id: str
    reason: str


@dataclass(frozen=True)
class Accept:
    """BambooHR has just been asked, and shows it in another form: this is what it is to show."""

    shown: WebhookConfiguration


@dataclass(frozen=True)
class Done:
    """All is as it should be. findings: what only a person can mend."""

    findings: tuple[str, ...] = ()


Step = Wait | Resolve | Create | Change | Delete | Miss | Accept | Done


def decide(
    registration: WebhookRegistration,
    wanted: Wanted | None,
    seen: Seen,
    *,
    settled: bool,
    changed: bool,
    made_since: datetime | None,
    now: datetime,
) -> Step:
    """The next step. wanted: None where a person keeps the webhook, and none of ours is to be there.

    settled: a creation whose answer was lost has had its time to take effect. changed: the step before was a change.
    made_since: an older one is replaced.
    """
    if registration.pending and not settled:
        return Wait()
    ours, mark = living(registration), registration.mark
    for webhook in seen.listed:
        if mark in webhook.name and not any(_is(webhook, one, mark) for one in ours):
            return Delete(webhook.id, "Its key is not known: the answer to its creation was lost.")
    if registration.pending:
        return Resolve()
    for one in ours:
        if not any(_is(webhook, one, mark) for webhook in seen.listed):
            return _missed(one, others=seen.others and one is ours[0])
    if wanted is None:
        return Delete(ours[0].id, "The connection has the key of another webhook.") if ours else Done()
    if not ours:
        return Create("The connection had no webhook.")
    newest, *older = ours
    if older:
        return Delete(older[0].id, f"Webhook {newest.id} has taken its place.")
    if made_since is not None and newest.made_at < made_since:
        return Create(f"The key of webhook {newest.id} is to be replaced.")
    assert seen.shown is not None, "the newest of ours is listed"
    return _compared(registration, newest, wanted.configuration(newest.name), seen.shown, changed) or Done(
        tuple(_findings(registration, wanted, seen, newest, now))
    )


def _is(webhook: Listed, one: RegisteredWebhook, mark: str) -> bool:
    """Whether it is the very one: an id may be given again, a name may be changed by hand."""
    renamed = mark not in webhook.name and webhook.created == one.created
    return webhook.id == one.id and (webhook.name == one.name or renamed)


def _missed(one: RegisteredWebhook, *, others: bool) -> Miss:
    if others:
        return Miss(
            one.id,
            f"Webhook {one.id} belongs to another user than the connection's credentials now: delete it in BambooHR "
            "as that user, if it is still there.",
        )
    return Miss(one.id, f"Webhook {one.id} is no longer in BambooHR.")


def _compared(
    registration: WebhookRegistration,
    newest: RegisteredWebhook,
    asked: WebhookConfiguration,
    shown: WebhookConfiguration,
    changed: bool,
) -> Step | None:
    """BambooHR may show a configuration otherwise than it was asked for: what it shows after a change is right then."""
    if registration.asked == asked and registration.shown == shown:
        return None
    if registration.asked == asked and changed:
        return Accept(shown)
    return Change(newest.id, asked, _changes(shown, asked))


def _changes(shown: WebhookConfiguration, asked: WebhookConfiguration) -> dict[str, tuple[str, str]]:
    def text(value: Any) -> str:
        return value if isinstance(value, str) else ", ".join(value)

    pairs = {name: (text(getattr(shown, name)), text(getattr(asked, name))) for name in type(asked).model_fields}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _findings(
    registration: WebhookRegistration, wanted: Wanted, seen: Seen, newest: RegisteredWebhook, now: datetime
) -> Sequence[str]:
    found = [
        f"Webhook {webhook.id} in BambooHR calls this connection's address too and is not Rosterbook's, which may not "
        "know its key: delete it there."
        for webhook in seen.listed
        if webhook.url == wanted.url and not _is(webhook, newest, registration.mark)
    ]
    sent = next(webhook.last_sent for webhook in seen.listed if _is(webhook, newest, registration.mark))
    if sent is None and now - newest.made_at > SILENT:
        found.append(
            f"Webhook {newest.id} has not been delivered once since {newest.made_at:%Y-%m-%d}: see that the "
            "connection's user in BambooHR may see everybody."
        )
    shown = () if seen.shown is None else seen.shown.fields
    if untold := sorted({*wanted.fields, *wanted.withheld}.difference(shown)):
        found.append(
            f"BambooHR does not tell of changes of {', '.join(untold)}: let the connection's user see those fields."
        )
    return found
