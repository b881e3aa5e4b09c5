"""What must be true after every step, whatever is going wrong: told of each row, each call and each write in Zoho."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from stream.core.debt import NOTHING
from stream.records import AnyRecord, ContactKey, SyncOutcome
from stream.topics import COMMANDS, CONTACT_UPSERTS, EMPLOYEES, HR_EVENTS, OUTCOMES
from tests.simulation.broker import Entry
from tests.simulation.loop import SimulatedTime
from tests.simulation.offices import Violation, version_of, who_is
from tests.simulation.vendors import Answer, Exchange, Office

MINUTE_S = 60.0

Debt = tuple[int, ...]
"""Wanted, settled, parked, held, approved, rejected."""


class Watch:
    """Notes violations; stops nobody."""

    def __init__(self, loop: SimulatedTime) -> None:
        self._loop = loop
        self.found: list[Violation] = []
        self._floors: dict[tuple[str, bytes], Debt] = {}
        """What an owner has seen of each row."""
        self._known: dict[tuple[str, bytes], Debt] = {}
        """What is durable of each row, whoever wrote it."""
        self._calls: dict[str, deque[float]] = defaultdict(deque)
        self._attempts: dict[Any, ContactKey] = {}
        self._bound: dict[tuple[str, str], ContactKey] = {}
        self._created: dict[tuple[str, ContactKey], list[str]] = defaultdict(list)
        self._versions: dict[tuple[str, str, int, ContactKey], int] = {}

    def violated(self, what: str) -> None:
        self.found.append(Violation("invariant_violations", what))

    # -- rows ---------------------------------------------------------------------------------------------------------

    def rows_written(self, table: str, entries: Sequence[Entry], *, by_owner: bool) -> None:
        """These rows are durable. What an owner sees from now on never falls."""
        if table not in ("people", "contacts"):
            return
        for key, row in entries:
            if key.startswith(b"\x00"):  # it is about the table, and nobody's
                continue
            place, floor = (table, key), self._floors.get((table, key))
            if row is None:
                if floor is not None and by_owner:
                    self.violated(f"{table} {key.decode()}: taken away")
                continue
            now = _debt_of(row)
            known = self._known.get(place)
            self._known[place] = now if known is None else _greatest(now, known)
            if by_owner:
                if floor is not None and _is_less(now, floor):
                    self.violated(f"{table} {key.decode()}: a debt fell from {floor} to {now}")
                self._floors[place] = now if floor is None else _greatest(now, floor)

    def recovered(self, table: str, rows: dict[bytes, bytes], prefixes: Sequence[bytes]) -> None:
        """A new owner has these rows: nothing that an owner saw before is forgotten."""
        for (name, key), floor in self._floors.items():
            if name != table or not key.startswith(tuple(prefixes)):
                continue
            if (row := rows.get(key)) is None:
                self.violated(f"{table} {key.decode()}: forgotten by a new owner")
            elif _is_less(now := _debt_of(row), floor):
                self.violated(f"{table} {key.decode()}: recovered as {now}, was {floor}")

    def committed(self, topic: str, first: int, entries: Sequence[Entry]) -> None:
        """Nobody reads these records again: each debt that they speak of is in a row. first: offset of the first."""
        for offset, (_, value) in enumerate(entries, first):
            try:
                record = orjson.loads(value or b"")
            except orjson.JSONDecodeError:
                continue
            for table, key, wanted, ended, decided in _debts_of(topic, offset, record):
                known = self._known.get((table, f"{record['connection']}/{key}".encode()))
                if known is None or known[0] < wanted or max(known[1:4]) < ended or max(known[4:]) < decided:
                    self.violated(f"{table} {key}: {topic} is committed beyond {offset}, which is in no row")

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
            if exchange.method == "POST" or "X-Upsert" in exchange.headers:
                self._made(office, contact_id, self._attempts[exchange.task])
        elif exchange.url.name in ("active", "inactive"):
            return  # it says nothing of the person's version
        else:
            contact_id = exchange.url.parts[4]
        contact = contacts[contact_id]
        # Before an attempt is said, a contact is looked for. A rehire has two records, each with a key of its own, of
        # which the former says something older.
        key = self._attempts.get(exchange.task)
        if key is not None and (who := who_is(contact)) is not None:
            version, place = version_of(contact), (office.connection, contact_id, who, key)
            if version < self._versions.get(place, 0):
                what = f"P{who} of {office.connection} went back from V{self._versions[place]} to V{version}"
                self.found.append(Violation("order_violations", what))
            self._versions[place] = max(version, self._versions.get(place, 0))

    def _made(self, office: Office, contact_id: str, key: ContactKey) -> None:
        made = self._created[office.connection, key]
        # One whose creation was never confirmed may have been adopted for whoever has its address by now.
        made[:] = [one for one in made if self._bound.get((office.connection, one), key) == key and one != contact_id]
        made.append(contact_id)
        if len(made) > 1:
            self.violated(f"{len(made)} contacts were created for one key of {office.connection}")


def _debt_of(row: bytes) -> Debt:
    debt = orjson.loads(row)["debt"]
    return tuple(debt[part] for part in ("wanted", "settled", "parked", "held", "approved", "rejected"))


def _greatest(one: Debt, other: Debt) -> Debt:
    return tuple(map(max, one, other))


def _is_less(now: Debt, before: Debt) -> bool:
    return any(new < old for new, old in zip(now, before, strict=True))


def _debts_of(topic: str, offset: int, record: dict[str, Any]) -> Iterator[tuple[str, str, int, int, int]]:
    """Table, key, and what its row must have come to: wanted; settled, parked or held; approved or rejected."""
    if topic == HR_EVENTS.name:
        for employee in record["employees"]:
            yield "people", employee, offset, NOTHING, NOTHING
    elif topic == EMPLOYEES.name:
        yield "people", record["employee"], NOTHING, record["through"], NOTHING
    elif topic == CONTACT_UPSERTS.name:
        yield "contacts", record["contact_key"], record["cause"]["offset"], NOTHING, NOTHING
    elif topic == OUTCOMES.name and record["kind"] == "sync":
        ended = max((end for end in (record["settles"], record["parks"]) if end is not None), default=NOTHING)
        yield "contacts", record["contact_key"], NOTHING, ended, NOTHING
    elif topic == COMMANDS.name:
        for held in record.get("holds", ()):
            yield "contacts", held["contact_key"], NOTHING, NOTHING, held["wish"]["offset"]
