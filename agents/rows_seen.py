"""The rows of one connection as their changelogs hold them now: for commands, which have no tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import ValidationError

from agents.recovery import Entry, Headers, Recovery
from stream.core.rows import Address, ContactState, Person, Row, Seen
from stream.errors import ActionNeeded
from stream.kafka.scan import LogScan
from stream.records import ConnectionId, ContactKey, Email, EmployeeId
from stream.topics import changelog_of

R = TypeVar("R", bound=Row)
K = TypeVar("K", bound=str)

AT_ONCE = 500
"""Records that are sifted together."""


@dataclass
class _Table:
    """What an owner would take from a changelog, and nothing else of it."""

    rows: dict[bytes, bytes | None] = field(default_factory=dict)
    _waiting: list[tuple[int, Entry, Headers]] = field(default_factory=list)
    _recovery: Recovery = field(init=False)

    def __post_init__(self) -> None:
        self._recovery = Recovery(self.rows.get)

    def heard(self, offset: int, entry: Entry, headers: Headers) -> None:
        self._waiting.append((offset, entry, headers))
        if len(self._waiting) == AT_ONCE:
            self.sift()

    def sift(self) -> None:
        self.rows |= self._recovery.sift(self._waiting)[0]
        self._waiting.clear()


async def people_seen(scan: LogScan, connection: ConnectionId) -> Seen:
    """Rows of different tables may be of different moments. Raises LogUnavailable, and what `parsed` raises."""
    contacts, people, addresses = await rows_seen(scan, connection, "contacts", "people", "roster")
    return Seen(
        parsed(contacts, ContactState, ContactKey),
        parsed(people, Person, EmployeeId),
        parsed(addresses, Address, Email),
    )


async def rows_seen(scan: LogScan, connection: ConnectionId, *tables: str) -> list[dict[str, bytes]]:
    """For each table: key within the connection -> row. Raises LogUnavailable."""
    found = {changelog_of(table): _Table() for table in tables}
    async for entry in scan.beside(connection, found):
        found[entry.position.topic].heard(entry.position.offset, (entry.key or b"", entry.value), entry.headers)
    prefix = f"{connection}/".encode()
    for table in found.values():
        table.sift()
    return [
        {key.removeprefix(prefix).decode(): row for key, row in table.rows.items() if row and key.startswith(prefix)}
        for table in found.values()
    ]


def parsed(rows: Mapping[str, bytes], model: type[R], key_of: Callable[[str], K]) -> dict[K, R]:
    """Raises ActionNeeded where a newer version of the product wrote them. key_of: the type of the keys."""
    try:
        return {key_of(key): model.model_validate_json(row) for key, row in rows.items()}
    except ValidationError:
        raise ActionNeeded("The tables were written by another version of Rosterbook: update this one.") from None
