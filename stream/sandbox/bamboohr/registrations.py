"""Webhooks as registered: what a body must hold, who owns which, and how they are shown.

BambooHR: the private key is told once, in the answer to the creation; a change replaces everything but the key; without
`events` a webhook is of the older, field-based family.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from stream.clock import Clock
from stream.sandbox.bamboohr.accounts import Caller, User
from stream.sandbox.bamboohr.fields import Field, find
from stream.sandbox.bamboohr.quirks import BambooHrQuirks
from stream.sandbox.bamboohr.refusals import Refused, refused_webhook

EVENT_BASED = ("employee.created", "employee.updated", "employee.deleted")
FIELD_BASED = ("employee_with_fields.updated", "employee_with_fields.deleted", "employee_with_fields.created")
COMPANY = ("company.updated", "company.deleted", "company-integrations.updated")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Configuration:
    """monitored: names or ids as given; posted: field -> outgoing name."""

    name: str
    url: str
    format: str
    events: tuple[str, ...]
    monitored: tuple[str, ...] | None
    posted: dict[str, str]
    with_domain: bool

    def monitored_keys(self) -> frozenset[str]:
        return frozenset(field.key for name in self.monitored or () if (field := find(name)) is not None)


@dataclass
class Webhook:
    id: str
    owner: Caller
    configuration: Configuration
    created: datetime
    private_key: str
    last_sent: datetime | None = None

    @property
    def creator(self) -> User:
        return self.owner.user

    def summary(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.configuration.name,
            "created": _stamp(self.created),
            "lastSent": _stamp(self.last_sent) if self.last_sent else None,
            "url": self.configuration.url,
        }

    def to_json(self) -> dict[str, Any]:
        shown = self.configuration
        return self.summary() | {
            "format": shown.format,
            "events": list(shown.events),
            "monitorFields": None if shown.monitored is None else list(shown.monitored),
            "postFields": shown.posted,
            "includeCompanyDomain": shown.with_domain,
        }


class Registrations:
    """All webhooks of the company."""

    def __init__(self, *, clock: Clock, quirks: BambooHrQuirks) -> None:
        self._clock = clock
        self._quirks = quirks
        self._webhooks: dict[str, Webhook] = {}

    def all(self) -> tuple[Webhook, ...]:
        return tuple(self._webhooks.values())

    def current(self, webhook_id: str) -> Webhook | None:
        return self._webhooks.get(webhook_id)

    def of(self, caller: Caller) -> list[Webhook]:
        return [webhook for webhook in self._webhooks.values() if self._owns(caller, webhook)]

    def create(self, caller: Caller, body: Any) -> Webhook:
        """Raises Refused 400 or 403, in the words of the webhook endpoints."""
        configuration = self._accepted(caller, body)
        number = max((int(webhook_id) for webhook_id in self._webhooks), default=0) + 1
        webhook = Webhook(str(number), caller, configuration, self._clock.now(), secrets.token_hex(16))
        self._webhooks[webhook.id] = webhook
        return webhook

    def get(self, caller: Caller, webhook_id: str) -> Webhook:
        """Raises Refused 404 for an unknown one, 403 for somebody else's."""
        webhook = self._webhooks.get(webhook_id)
        if webhook is None:
            raise refused_webhook(404, f"No webhook was found with ID: {webhook_id}.")
        if not self._owns(caller, webhook):
            raise refused_webhook(403, f"You do not have access to webhook ID: {webhook_id}")
        return webhook

    def replace(self, caller: Caller, webhook_id: str, body: Any) -> Webhook:
        webhook = self.get(caller, webhook_id)
        webhook.configuration = self._accepted(caller, body)
        return webhook

    def delete(self, caller: Caller, webhook_id: str) -> None:
        del self._webhooks[self.get(caller, webhook_id).id]

    def _owns(self, caller: Caller, webhook: Webhook) -> bool:
        same_credential = self._quirks.webhook_owner == "user" or caller.credential == webhook.owner.credential
        return caller.user is webhook.creator and same_credential

    def _accepted(self, caller: Caller, body: Any) -> Configuration:
        configuration = _parsed(body, allow_http=self._quirks.allow_http_webhooks)
        unknown = [name for name in configuration.monitored or () if not _monitorable(find(name))]
        unknown += [name for name in configuration.posted if find(name) is None]
        monitored = _forbidden(caller, configuration.monitored or ())
        posted = _forbidden(caller, configuration.posted)
        if unknown or monitored or posted:
            raise refused_webhook(
                403,
                "Permission denied to the following fields",
                monitorFields=monitored,
                postFields=posted,
                unknownFields=[{"id": None, "name": name} for name in unknown],
            )
        return configuration


def _monitorable(field: Field | None) -> bool:
    return field is not None and field.monitored


def _forbidden(caller: Caller, names: Any) -> list[dict[str, Any]]:
    fields = [field for name in names if (field := find(name)) is not None and not caller.reads(field)]
    return [{"id": int(f.id) if f.id.isdecimal() else f.id, "name": f.name} for f in fields]


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _parsed(body: Any, *, allow_http: bool) -> Configuration:
    """Raises Refused 400 with everything that is wrong."""
    if not isinstance(body, dict):
        raise _malformed(["The body must be a JSON object"])
    name, url, form = body.get("name"), body.get("url"), body.get("format")
    events, monitored = body.get("events") or list(FIELD_BASED), body.get("monitorFields")
    posted, with_domain = body.get("postFields") or {}, body.get("includeCompanyDomain", False)
    issues: list[str] = []
    if not isinstance(name, str) or not name:
        issues.append("name is required")
    if not isinstance(url, str) or not _reachable(url, allow_http=allow_http):
        issues.append("url is required and must begin with https://")
    if form not in ("json", "form-encoded"):
        issues.append("format is required and must be json or form-encoded")
    if not _texts(events) or not set(events) <= {*EVENT_BASED, *FIELD_BASED, *COMPANY}:
        issues.append("events holds an unknown event")
        events = []
    if not set(events).isdisjoint(EVENT_BASED) and not set(events).isdisjoint(FIELD_BASED):
        issues.append("events cannot mix employee_with_fields events with employee events")
    if monitored is not None and not _texts(monitored):
        issues.append("monitorFields must be an array of strings")
    elif not monitored and not {"employee.updated", "employee_with_fields.updated"}.isdisjoint(events):
        issues.append("monitorFields must name at least one field for these events")
    if not isinstance(posted, dict) or not _texts(list(posted.values())):
        issues.append("postFields must be an object of strings")
    if not isinstance(with_domain, bool):
        issues.append("includeCompanyDomain must be a boolean")
    if issues:
        raise _malformed(issues)
    return Configuration(
        str(name), str(url), str(form), tuple(events), tuple(monitored) if monitored else None, posted, with_domain
    )


def _malformed(issues: list[str]) -> Refused:
    return refused_webhook(400, "Invalid request body", issues=issues)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _reachable(url: str, *, allow_http: bool) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (
        url.startswith("https://") or (allow_http and url.startswith("http://") and host in _LOOPBACK)
    )
