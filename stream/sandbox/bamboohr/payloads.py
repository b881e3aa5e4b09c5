"""What a webhook sends: the bodies of both payload families, byte for byte, and the signature over them."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from stream.sandbox.bamboohr.company import Company
from stream.sandbox.bamboohr.fields import BY_KEY, find
from stream.sandbox.bamboohr.notices import Notice
from stream.sandbox.bamboohr.quirks import BambooHrQuirks
from stream.sandbox.bamboohr.reading import Reading
from stream.sandbox.bamboohr.registrations import Webhook


@dataclass(frozen=True)
class Parcel:
    """One request to be made. event: what it tells, for the log."""

    webhook_id: str
    event: str
    employee_ids: tuple[str, ...]
    body: bytes
    content_type: str


def sign(body: bytes, timestamp: str, private_key: str) -> str:
    """Lower-case hex of HMAC-SHA256 over the body's bytes followed by the timestamp's text; the key is text too."""
    return hmac.new(private_key.encode("ascii"), body + timestamp.encode("ascii"), hashlib.sha256).hexdigest()


def parcels(company: Company, webhook: Webhook, notices: Sequence[Notice]) -> list[Parcel]:
    """What this webhook has to tell of one operation, in order: one request an event, or one batch of entries."""
    quirks, events = company.quirks, webhook.configuration.events
    told = [(notice, changed) for notice in notices if (changed := _told(webhook, notice)) is not None]
    event_based = [
        _parcel(webhook, f"employee.{notice.action}", (notice.employee_id,), _event(company, notice, changed), quirks)
        for notice, changed in told
        if f"employee.{notice.action}" in events
    ]
    batch = [(n, changed) for n, changed in told if f"employee_with_fields.{n.action}" in events]
    if not batch:
        return event_based
    entries = {"employees": [_entry(company, webhook, notice, changed) for notice, changed in batch]}
    ids = tuple(notice.employee_id for notice, _ in batch)
    return [*event_based, _parcel(webhook, "employee_with_fields", ids, entries, quirks)]


def _told(webhook: Webhook, notice: Notice) -> tuple[str, ...] | None:
    """The changed fields to name; None when there is nothing to tell.

    BambooHR, permissioned webhooks: an update is told unless its creator may see none of the monitored fields that
    changed; permissions do not matter for created and deleted.
    """
    if not webhook.creator.active:
        return None
    if notice.action != "updated":
        return ()
    monitored = webhook.configuration.monitored_keys()
    visible = tuple(
        key for key in notice.changed if key in monitored and webhook.owner.reads(BY_KEY[key], notice.employee_id)
    )
    return visible if visible and webhook.owner.sees(notice.employee_id) else None


def _event(company: Company, notice: Notice, changed: Sequence[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"companyId": company.number, "employeeId": notice.employee_id}
    if notice.action == "updated":
        told["changedFields"] = list(changed)
    return {"type": f"employee.{notice.action}", "timestamp": _stamp(notice.at, company.quirks), "data": told}


def _entry(company: Company, webhook: Webhook, notice: Notice, changed: Sequence[str]) -> dict[str, Any]:
    posted = {field.key: name for word, name in webhook.configuration.posted.items() if (field := find(word))}
    values: dict[str, Any] = {}
    if notice.action == "updated":
        reading = Reading(company, company.people[notice.employee_id])
        for key, name in posted.items():
            if webhook.owner.reads(BY_KEY[key], notice.employee_id):
                text = str(reading.text(BY_KEY[key]) or "")
                values[name] = text if company.quirks.field_values == "text" else {"value": text}
    return {
        "id": notice.employee_id,
        "action": notice.action.capitalize(),
        "timestamp": _stamp(notice.at, company.quirks),
        "changedFields": [posted.get(key, BY_KEY[key].name) for key in changed],
        "fields": values,
    }


def _stamp(at: datetime, quirks: BambooHrQuirks) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S") + quirks.event_timestamp


def _parcel(
    webhook: Webhook, event: str, employee_ids: tuple[str, ...], content: dict[str, Any], quirks: BambooHrQuirks
) -> Parcel:
    if webhook.configuration.format == "form-encoded":
        body = urlencode(list(_flat(content))).encode("ascii")
        return Parcel(webhook.id, event, employee_ids, body, "application/x-www-form-urlencoded")
    escaped = quirks.body_escapes == "escaped"
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=escaped)
    if escaped:
        text = text.replace("/", "\\/").replace("+", "\\u002b")
    return Parcel(webhook.id, event, employee_ids, text.encode("utf-8"), "application/json")


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested content in the names of form fields: `data[changedFields][0]`."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from _flat(inner, f"{name}[{key}]" if name else key)
        case list():
            for index, inner in enumerate(value):
                yield from _flat(inner, f"{name}[{index}]")
        case _:
            yield name, str(value)
