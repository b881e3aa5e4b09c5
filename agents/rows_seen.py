"""The rows of one connection as their changelogs hold them now: for commands, which have no tables."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from agents.recovery import Recovery
from stream.core.rows import Row
from stream.errors import ActionNeeded
from stream.kafka.scan import LogScan
from stream.records import ConnectionId
from stream.topics import changelog_of

R = TypeVar("R", bound=Row)

AT_ONCE = 500
"""Records that are sifted together."""


async def rows_seen(scan: LogScan, connection: ConnectionId, table: str, model: type[R]) -> dict[str, R]:
    """Key within the connection -> row. What an owner would take from the changelog counts, and nothing else of it.

    Raises LogUnavailable, and ActionNeeded where a newer version of the product wrote the rows.
    """
    rows: dict[bytes, bytes | None] = {}
    recovery = Recovery(rows.get)
    found = []
    async for entry in scan.beside(connection, changelog_of(table)):
        found.append((entry.position.offset, (entry.key or b"", entry.value), entry.headers))
        if len(found) == AT_ONCE:
            rows |= recovery.sift(found)[0]
            found.clear()
    rows |= recovery.sift(found)[0]
    prefix = f"{connection}/".encode()
    ours = {key.removeprefix(prefix).decode(): row for key, row in rows.items() if row and key.startswith(prefix)}
    try:
        return {key: model.model_validate_json(row) for key, row in ours.items()}
    except ValidationError:
        raise ActionNeeded(f"Table {table} was written by another version of Rosterbook: update this one.") from None
