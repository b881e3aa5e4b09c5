"""What a webhook's log shows of its deliveries (BambooHR API, `/webhooks/{id}/log`): a line for each, with its last
attempt, of the last 14 days and at most 200. In place of a time a line may have words.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from stream.sandbox.bamboohr.payloads import Parcel
from stream.sandbox.bamboohr.registrations import Configuration

LINES = 200
KEPT = timedelta(days=14)
UNREACHED = "Webhook Not Found"
"""Where a time would stand: nobody answered, or no attempt succeeded."""


@dataclass
class Line:
    """One delivery. attempted, succeeded: when that happened last. status: of the last answer, None without one."""

    parcel: Parcel
    url: str
    format: str
    attempted: datetime
    status: int | None = None
    succeeded: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "webhookId": self.parcel.webhook_id,
            "url": self.url,
            "lastAttempted": _stamp(self.attempted) if self.status is not None else UNREACHED,
            "lastSuccess": _stamp(self.succeeded) if self.succeeded is not None else UNREACHED,
            "statusCode": str(self.status or 0),
            "format": self.format,
            "employeeIds": list(self.parcel.employee_ids),
        }


class Logbook:
    """The lines of all webhooks."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[Line]] = {}

    def begun(self, parcel: Parcel, configuration: Configuration, at: datetime) -> Line:
        """A delivery's first attempt; the line is kept up by whoever makes the attempts."""
        line = Line(parcel, configuration.url, configuration.format, at)
        self._lines.setdefault(parcel.webhook_id, deque(maxlen=LINES)).append(line)
        return line

    def shown(self, webhook_id: str, now: datetime) -> list[dict[str, Any]]:
        """Newest first."""
        lines = self._lines.get(webhook_id, ())
        return [line.to_json() for line in reversed(lines) if now - line.attempted <= KEPT]


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
