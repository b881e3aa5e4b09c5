"""What `connection show` tells of a connection's webhook: who keeps it, how it stands, and whether deliveries come."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from stream.errors import RecordRefused

if TYPE_CHECKING:
    from stream.kafka.scan import LogScan
    from stream.records import Connection, WebhookRegistration

HEARD_DAYS = 7
"""So far back a delivery is looked for: further back it says nothing of today, and the log may be long."""


def webhook_shown(
    record: Connection, registration: WebhookRegistration | None, last_delivery: datetime | None
) -> dict[str, Any]:
    """state: "by hand", "registered", "being registered" or "not registered". findings: what only a person can mend.

    last_delivery: the newest that the gateway accepted within HEARD_DAYS.
    """
    from stream.core.registration import living

    newest = next(iter(living(registration)), None) if registration is not None else None
    if record.webhook_key is not None:
        state = "by hand"
    elif newest is not None:
        state = "registered"
    else:
        state = "being registered" if registration is not None and registration.pending else "not registered"
    return {
        "state": state,
        "id": None if newest is None else newest.id,
        "key_made_at": None if newest is None else _time(newest.made_at),
        "checked_at": None if registration is None else _time(registration.checked_at),
        "findings": [] if registration is None else list(registration.told),
        "last_delivery": _time(last_delivery),
    }


async def last_delivery(scan: LogScan, record: Connection, now: datetime) -> datetime | None:
    """When the gateway accepted the newest webhook of the connection, None where none came within HEARD_DAYS."""
    from stream.codec import decode
    from stream.records import HrEvent
    from stream.topics import HR_EVENTS

    newest, key = None, record.connection.encode()
    async for entry in scan.since(HR_EVENTS, record.connection, now - timedelta(days=HEARD_DAYS)):
        if entry.key == key:
            with suppress(RecordRefused):  # set aside by the agents, and told of there
                event = decode(HR_EVENTS, entry.value)
                if isinstance(event, HrEvent) and event.kind == "webhook":
                    newest = event.received_at
    return newest


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
