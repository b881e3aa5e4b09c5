"""The mapping that a reading was made under, by the version that its snapshot names. The roster fold takes no other: a
replay under today's mapping would build rows that no upsert on the log stands for.
"""

from __future__ import annotations

from collections.abc import Mapping as Records
from typing import Protocol

from stream.codec import fingerprint
from stream.records import AnyRecord, Connection, ConnectionId, Mapping, MappingVersion


class Settings(Protocol):
    """The view of `connections`."""

    @property
    def records(self) -> Records[str, AnyRecord]: ...

    async def read_to_end(self) -> None: ...


class Mappings:
    """Those of all connections. A version is on the log before the settings that have it, hence before any reading."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._missing: set[tuple[ConnectionId, str]] = set()

    async def of(self, connection: ConnectionId, version: str) -> Mapping:
        """Of a version that the log does not have in full, since it was not always kept, today's mapping stands."""
        found = self._known(connection, version)
        if found is None and (connection, version) not in self._missing:
            await self._settings.read_to_end()
            found = self._known(connection, version)
            if found is None:
                self._missing.add((connection, version))
        return found or self._todays(connection)

    def _known(self, connection: ConnectionId, version: str) -> Mapping | None:
        kept = self._settings.records.get(f"{connection}|mapping|{version}")
        if isinstance(kept, MappingVersion):
            return kept.mapping
        mapping = self._todays(connection)
        return mapping if fingerprint(mapping) == version else None

    def _todays(self, connection: ConnectionId) -> Mapping:
        record = self._settings.records.get(f"{connection}|settings")
        return record.mapping if isinstance(record, Connection) else Mapping()
