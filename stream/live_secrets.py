"""The secrets that the log's newest records hold: what a vault must open, and what keeps an old key in use.

Only compacted topics hold secrets, and of these only the newest record of each key counts. It is read from the log
itself rather than from a process that follows it, and a record that cannot be understood is told of, since it may hold
secrets that nobody sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from stream.codec import decode
from stream.errors import RecordRefused, VaultLocked
from stream.kafka.scan import LogScan
from stream.records import AnyRecord, ConnectionId, Sealed
from stream.topics import TOPICS
from stream.vault.places import keys_of, secrets_of
from stream.vault.vault import Purpose, Vault

HOLDERS = tuple(topic for topic in TOPICS if topic.compacted)


@dataclass(frozen=True)
class Secret:
    """One sealed secret. problem: why it does not open, None when it does."""

    connection: ConnectionId
    purpose: Purpose
    key: str
    problem: str | None


@dataclass(frozen=True)
class LiveRecords:
    """(topic, key) -> its newest record. unreadable: a sentence for each record that cannot be understood."""

    records: dict[tuple[str, bytes | None], AnyRecord] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    @property
    def keys(self) -> frozenset[str]:
        """The vault keys that are in use."""
        return frozenset[str]().union(*(keys_of(record) for record in self.records.values()))

    def secrets(self, vault: Vault) -> Iterator[Secret]:
        """Every secret, in the order of their connections, tried with this vault."""
        for record in sorted(self.records.values(), key=lambda record: record.connection):
            for purpose, sealed in secrets_of(record):
                yield Secret(
                    record.connection, purpose, sealed.key, _problem(vault, record.connection, purpose, sealed)
                )


async def live_records(scan: LogScan) -> LiveRecords:
    """What may hold secrets, as of now. Raises LogUnavailable."""
    newest: dict[tuple[str, bytes | None], tuple[str, bytes]] = {}
    async for entry in scan.all(HOLDERS):
        place = entry.position.topic, entry.key
        if entry.value is None:
            newest.pop(place, None)
        else:
            newest[place] = f"{entry.position.topic} {entry.position.partition}/{entry.position.offset}", entry.value
    live = LiveRecords()
    topics = {topic.name: topic for topic in HOLDERS}
    for (topic, key), (where, value) in newest.items():
        try:
            live.records[topic, key] = decode(topics[topic], value)
        except RecordRefused as error:
            live.unreadable.append(f"The record at {where} cannot be read: {error.message}")
    return live


def _problem(vault: Vault, connection: ConnectionId, purpose: Purpose, sealed: Sealed) -> str | None:
    try:
        vault.open(sealed, connection=connection, purpose=purpose)
    except VaultLocked as error:
        return error.message
    return None
