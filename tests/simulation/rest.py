"""What the rows must say once everything has come to rest: nothing is owed, and no contact is two keys'."""

from __future__ import annotations

from typing import Any

import orjson

from stream.core.debt import Debt
from stream.topics import changelog_of
from tests.simulation.broker import Broker
from tests.simulation.offices import Violation


def violations_at_rest(broker: Broker) -> list[Violation]:
    found: list[Violation] = []
    for partition in range(broker.partitions):
        for table in ("people", "contacts"):
            rows = _rows(broker, table, partition)
            for key, row in rows.items():
                if Debt.model_validate(row["debt"]).owed:
                    found.append(Violation("lost", f"{table} {key} is owed, and nobody is at it"))
            if table == "contacts":
                found += _shared(rows)
    return found


def _rows(broker: Broker, table: str, partition: int) -> dict[str, dict[str, Any]]:
    rows = dict(broker.logs[changelog_of(table), partition])
    ours = {key: row for key, row in rows.items() if row is not None and not key.startswith(b"\x00")}
    return {key.decode(): orjson.loads(row) for key, row in ours.items()}


def _shared(rows: dict[str, dict[str, Any]]) -> list[Violation]:
    keys: dict[tuple[str, str], str] = {}
    found: list[Violation] = []
    for key, row in rows.items():
        if row["contact_id"] is None:
            continue
        connection, _, _ = key.partition("/")
        other = keys.setdefault((connection, row["contact_id"]), key)
        if other != key:
            found.append(Violation("invariant_violations", f"one contact is bound to {other} and to {key}"))
    return found
