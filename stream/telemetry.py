"""Logs as events and every metric with its meaning. No secret, name or address of a person gets through here."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import IO, Any

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from stream.settings import Settings

REGISTRY = CollectorRegistry(auto_describe=True)

WEBHOOKS = Counter(
    "rosterbook_webhooks", "Webhook requests by connection and answer", ["connection", "result"], registry=REGISTRY
)
APPENDS = Counter("rosterbook_appends", "Records confirmed by the log, by topic", ["topic"], registry=REGISTRY)
FOLDED = Counter("rosterbook_folded", "Records folded, by agent", ["agent"], registry=REGISTRY)
DEAD_LETTERED = Counter("rosterbook_dead_letters", "Records set aside, by stage", ["stage"], registry=REGISTRY)
API_CALLS = Counter(
    "rosterbook_api_calls",
    "Calls to the vendors, by API, operation and status",
    ["api", "operation", "status"],
    registry=REGISTRY,
)
API_SECONDS = Histogram(
    "rosterbook_api_call_seconds", "How long calls to the vendors took", ["api", "operation"], registry=REGISTRY
)
CHANGES_MISSED = Counter(
    "rosterbook_changes_missed",
    "Changes that made the change feed have somebody read again, by reason",
    ["connection", "why"],
    registry=REGISTRY,
)
OUTCOMES_TOTAL = Counter(
    "rosterbook_outcomes", "Sync outcomes, by connection and action", ["connection", "action"], registry=REGISTRY
)
DEBTS = Gauge(
    "rosterbook_debts", "Rows whose work is owed, by connection and API", ["connection", "api"], registry=REGISTRY
)
SUSPENDED = Gauge(
    "rosterbook_lane_suspended", "1 while a lane waits for somebody to act", ["connection", "api"], registry=REGISTRY
)
CALLS_LEFT = Gauge(
    "rosterbook_zoho_calls_left",
    "Calls to Zoho Books that all programs have left today; NaN while no limit is known",
    ["connection"],
    registry=REGISTRY,
)
HELD_LEAVERS = Gauge(
    "rosterbook_held_leavers",
    "Contacts of leavers that stay active until a person decides",
    ["connection"],
    registry=REGISTRY,
)
UNCLEAR_PEOPLE = Counter(
    "rosterbook_unclear_people",
    "Snapshots that could not decide anything, by reason",
    ["connection", "reason"],
    registry=REGISTRY,
)


class Masked:
    """Something that may be held and passed on but never printed."""

    __slots__ = ("reveal",)

    def __init__(self, value: str) -> None:
        self.reveal = value

    def __repr__(self) -> str:
        return "***"


def configure_logging(settings: Settings, *, file: Path | None = None) -> None:
    """Send structlog and the libraries' logs to standard error or `file`, as JSON lines or coloured text.

    The libraries speak from WARNING on; their lines carry the same shape as ours.
    """
    stream: IO[str] = file.open("a", encoding="utf-8", buffering=1) if file else sys.stderr
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty())
        if settings.log_format == "console"
        else structlog.processors.JSONRenderer(serializer=lambda event, **_: orjson.dumps(event, default=repr).decode())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("rosterbook").setLevel(level)


def log(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; `name` is the part of the product that speaks."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(f"rosterbook.{name}")
    return logger
