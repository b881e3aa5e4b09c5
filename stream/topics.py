"""Every topic, in one table: what creates them, what checks them and what the docs are written from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from zlib import crc32

from stream.records import (
    AnyRecord,
    CallsCounted,
    Command,
    CommandOutcome,
    Connection,
    ConnectionId,
    ContactUpsert,
    DeadLetter,
    DriftOutcome,
    EmployeeSnapshot,
    GuardOutcome,
    HrEvent,
    LaneOutcome,
    MappingVersion,
    PollOutcome,
    Record,
    Reference,
    RemovedConnection,
    RepairOutcome,
    SyncOutcome,
    Tokens,
    WebhookOutcome,
    WebhookRegistration,
)

PREFIX = "rosterbook."
DAY_MS = 24 * 60 * 60 * 1000
MIB = 1024 * 1024
MAX_RECORD_BYTES = 4 * MIB
"""Limit of hr-events and dead-letters, and of all producers and consumers: a delivery for many people is one record."""


@dataclass(frozen=True)
class Topic:
    """keep: milliseconds, None = for ever. compacted: the newest record of a key stays. key: what it is made of."""

    name: str
    records: tuple[type[Record], ...]
    key: Literal["connection", "connection + part", "connection + api"]
    keep: int | None
    compacted: bool = False
    max_record_bytes: int = MIB

    def config(self, min_insync: int) -> dict[str, str]:
        """The topic's configuration, as Kafka names it."""
        return {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "retention.ms": str(-1 if self.keep is None else self.keep),
            "retention.bytes": "-1",
            "max.message.bytes": str(self.max_record_bytes),
            "min.insync.replicas": str(min_insync),
            "message.timestamp.type": "CreateTime",
            "unclean.leader.election.enable": "false",
        }

    def key_of(self, record: AnyRecord) -> bytes:
        match record:
            case Connection() | RemovedConnection():
                return f"{record.connection}|settings".encode()
            case MappingVersion():
                return f"{record.connection}|mapping|{record.version}".encode()
            case WebhookRegistration():
                return f"{record.connection}|webhook".encode()
            case Tokens():
                return f"{record.connection}|{record.api}".encode()
            case CallsCounted():
                return f"{record.connection}|{record.api}|calls".encode()
            case _:
                return record.connection.encode()


HR_EVENTS = Topic(f"{PREFIX}hr-events", (HrEvent,), "connection", 400 * DAY_MS, max_record_bytes=MAX_RECORD_BYTES)
EMPLOYEES = Topic(f"{PREFIX}employees", (EmployeeSnapshot,), "connection", None)
CONTACT_UPSERTS = Topic(f"{PREFIX}contact-upserts", (ContactUpsert,), "connection", None)
OUTCOMES = Topic(
    f"{PREFIX}outcomes",
    (SyncOutcome, LaneOutcome, GuardOutcome, CommandOutcome, WebhookOutcome, PollOutcome, DriftOutcome, RepairOutcome),
    "connection",
    None,
)
DEAD_LETTERS = Topic(
    f"{PREFIX}dead-letters", (DeadLetter,), "connection", 400 * DAY_MS, max_record_bytes=MAX_RECORD_BYTES
)
COMMANDS = Topic(f"{PREFIX}commands", (Command,), "connection", None)
CONNECTIONS = Topic(
    f"{PREFIX}connections",
    (Connection, RemovedConnection, MappingVersion, WebhookRegistration),
    "connection + part",
    None,
    compacted=True,
)
TOKENS = Topic(f"{PREFIX}tokens", (Tokens, CallsCounted), "connection + api", None, compacted=True)
REFERENCE = Topic(f"{PREFIX}reference", (Reference,), "connection", None)

TOPICS = (
    HR_EVENTS,
    EMPLOYEES,
    CONTACT_UPSERTS,
    OUTCOMES,
    DEAD_LETTERS,
    COMMANDS,
    CONNECTIONS,
    TOKENS,
    REFERENCE,
)
INPUTS = (HR_EVENTS, EMPLOYEES, CONTACT_UPSERTS, OUTCOMES, COMMANDS)
"""What the agents fold into the tables."""
TABLES = ("people", "roster", "contacts", "companies")
"""The Faust tables; each has a compacted changelog topic with the same partitions as the topics above."""

APP = "rosterbook"
"""Faust application id: consumer group and prefix of the changelogs."""

TOPIC_OF: dict[type[Record], Topic] = {record: topic for topic in TOPICS for record in topic.records}


def changelog_of(table: str) -> str:
    """The changelog topic of a table, as Faust names it."""
    return f"{APP}-{table}-changelog"


CHANGELOGS = tuple(changelog_of(table) for table in TABLES)
"""Of all tables."""


def partition_of(connection: ConnectionId, partitions: int) -> int:
    """The partition of everything that concerns a connection, on every topic: from its id alone."""
    return crc32(connection.encode()) % partitions
