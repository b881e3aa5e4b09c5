"""What must be true after every step, whatever is going wrong: told of each row, each call and each write in Zoho."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

import orjson

from stream.records import AnyRecord, ContactKey, SyncOutcome
from tests.simulation.broker import Entry
from tests.simulation.loop import SimulatedTime
from tests.simulation.offices import Violation, version_of, who_is
from tests.simulation.vendors import Answer, Exchange, Office

MINUTE_S = 60.0


class Watch:
    """Notes violations; stops nobody."""

    def __init__(self, loop: SimulatedTime) -> None:
        self._loop = loop
        self.found: list[Violation] = []
        self._floors: dict[tuple[str, bytes], tuple[int, int, int]] = {}
        self._calls: dict[str, deque[float]] = defaultdict(deque)
        self._attempts: dict[Any, ContactKey] = {}
        self._bound: dict[tuple[str, str], ContactKey] = {}
        self._created: dict[tuple[str, ContactKey], list[str]] = defaultdict(list)
        self._versions: dict[tuple[str, str, int], int] = {}

    def violated(self, what: str) -> None:
        self.found.append(Violation("invariant_violations", what))

    # -- rows ---------------------------------------------------------------------------------------------------------

    def rows_written(self, table: str, entries: Sequence[Entry]) -> None:
        """An owner sees these rows from now on: wanted, settled and parked never fall."""
        for key, row in entries:
            if row is None or table not in ("people", "contacts") or key.startswith(b"\x00"):
                continue
            debt = orjson.loads(row)["debt"]
            now = (debt["wanted"], debt["settled"], debt["parked"])
            before = self._floors.get((table, key))
            if before is not None and any(a < b for a, b in zip(now, before, strict=True)):
                self.violated(f"{table} {key.decode()}: wanted, settled, parked fell from {before} to {now}")
            self._floors[table, key] = now if before is None else max(now, before)

    def recovered(self, table: str, rows: dict[bytes, bytes], prefixes: Sequence[bytes]) -> None:
        """A new owner has these rows: nothing that an owner saw before is forgotten."""
        for (name, key), floor in self._floors.items():
            if name != table or not key.startswith(tuple(prefixes)):
                continue
            if (row := rows.get(key)) is None:
                self.violated(f"{table} {key.decode()}: forgotten by a new owner")
                continue
            debt = orjson.loads(row)["debt"]
            now = (debt["wanted"], debt["settled"], debt["parked"])
            if any(a < b for a, b in zip(now, floor, strict=True)):
                self.violated(f"{table} {key.decode()}: recovered as {now}, was {floor}")

    # -- calls --------------------------------------------------------------------------------------------------------

    def said(self, record: AnyRecord) -> None:
        """A lane appends this: whose contact it is about to write, or has written."""
        if isinstance(record, SyncOutcome):
            self._attempts[asyncio.current_task()] = record.contact_key
            if record.contact_id is not None:
                self._bound[record.connection, record.contact_id] = record.contact_key

    def sent(self, office: Office, _: Exchange) -> None:
        now, calls = self._loop.time(), self._calls[office.connection]
        calls.append(now)
        while calls[0] <= now - MINUTE_S:
            calls.popleft()
        if len(calls) > office.quota:
            self.violated(f"{len(calls)} calls of {office.connection} within 60 s, allowed are {office.quota}")

    def handled(self, office: Office, exchange: Exchange, answer: Answer) -> None:
        if not exchange.writes or answer.status >= 300:
            return
        contacts = office.zoho.organization.contacts
        if exchange.url.path.endswith("/contacts"):
            contact_id = orjson.loads(answer.body)["contact"]["contact_id"]
            key = self._attempts[exchange.task]
            made = self._created[office.connection, key]
            # One whose creation was never confirmed may have been adopted for whoever has its address by now.
            made[:] = [one for one in made if self._bound.get((office.connection, one), key) == key]
            made.append(contact_id)
            if len(made) > 1:
                self.violated(f"{len(made)} contacts were created for one key of {office.connection}")
        else:
            contact_id = exchange.url.parts[4]
        contact = contacts[contact_id]
        if (who := who_is(contact)) is not None:
            version, place = version_of(contact), (office.connection, contact_id, who)
            if version < self._versions.get(place, 0):
                what = f"P{who} of {office.connection} went back from V{self._versions[place]} to V{version}"
                self.found.append(Violation("order_violations", what))
            self._versions[place] = max(version, self._versions.get(place, 0))
