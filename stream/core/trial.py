"""What would follow from readings that are on no log: the folds that decide when live, over a copy of the rows.

The rows are read as they are when they are needed, each once, and nothing is written. A reading of a trial lies behind
everything that was ever appended, so it counts as the newest, and contacts that it needs get keys of no meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from stream.core import folds, roster, scope
from stream.core.debt import LATER
from stream.core.rows import Address, ContactState, Person
from stream.records import (
    ConnectionId,
    ContactKey,
    ContactUpsert,
    Email,
    EmployeeId,
    EmployeeSnapshot,
    LogPosition,
    Mapping,
)
from stream.topics import CONTACT_UPSERTS, EMPLOYEES, HR_EVENTS

LIFE = "trial"


@dataclass(frozen=True)
class Reading:
    """One employee as BambooHR shows it now. fields: of the mapping alone. reason: why it could not be read."""

    employee: EmployeeId
    state: Literal["read", "gone", "unreadable"]
    fields: dict[str, str]
    reason: str | None = None


class Trial:
    """Of one connection, under one mapping."""

    def __init__(
        self,
        connection: ConnectionId,
        mapping: Mapping,
        version: str,
        *,
        person_of: Callable[[EmployeeId], Person | None],
        address_of: Callable[[Email], Address | None],
        state_of: Callable[[ContactKey], ContactState | None],
    ) -> None:
        """version: of the mapping."""
        self._connection = connection
        self.mapping = mapping
        self._version = version
        self._person_of = person_of
        self._address_of = address_of
        self._state_of = state_of
        self._people: dict[EmployeeId, Person] = {}
        self._addresses: dict[Email, Address] = {}
        self._states: dict[ContactKey, ContactState | None] = {}
        self._upserts = 0
        self.readings: dict[EmployeeId, Reading] = {}
        self.unclear: dict[EmployeeId, str] = {}
        """What a reading could not decide."""
        self.outside: dict[EmployeeId, str] = {}
        """Who is out of scope, by which expression."""
        self.touched: dict[ContactKey, EmployeeId] = {}
        """Contacts that readings wish to be another, and whose they are."""

    def person(self, employee: EmployeeId) -> Person:
        if employee not in self._people:
            self._people[employee] = self._person_of(employee) or Person()
        return self._people[employee]

    def address(self, email: Email) -> Address:
        if email not in self._addresses:
            self._addresses[email] = self._address_of(email) or Address()
        return self._addresses[email]

    def state(self, key: ContactKey) -> ContactState | None:
        if key not in self._states:
            self._states[key] = self._state_of(key)
        return self._states[key]

    def read(self, reading: Reading, at: datetime, on: date | None = None, *, insists: bool = False) -> None:
        """Fold the reading, and what follows from it. Each employee once.

        on: the day, where it is not that in UTC. insists: the contact is to be looked at even if nothing seems to have
        changed.
        """
        employee, number = reading.employee, LATER + len(self.readings)
        self.readings[employee] = reading
        person = self.person(employee)
        if reading.state == "read":
            match scope.standing(self.mapping.scope, reading.fields):
                case scope.Outside(expression):
                    self.outside[employee] = expression
        snapshot = EmployeeSnapshot(
            connection=self._connection,
            employee=employee,
            through=LATER,
            insists=insists,
            decision=person.undone,
            backfill=True,
            cause=_at(HR_EVENTS.name, LATER),
            mapping_version=self._version,
            read_at=at,
            read_on=on,
            state=reading.state,
            fields=reading.fields,
            reason=reading.reason,
        )
        fold = roster.fold(snapshot, _at(EMPLOYEES.name, number), self.mapping, self.person, self.address)
        self._people |= fold.people
        self._addresses |= fold.addresses
        if fold.unclear is not None:
            self.unclear[employee] = fold.unclear
        for upsert in fold.upserts:
            self._wish(upsert)

    def _wish(self, upsert: ContactUpsert) -> None:
        position = _at(CONTACT_UPSERTS.name, LATER + self._upserts)
        self._upserts += 1
        self._states[upsert.contact_key] = folds.wish(self.state(upsert.contact_key), upsert, position)
        self.touched[upsert.contact_key] = upsert.employee


def _at(topic: str, offset: int) -> LogPosition:
    return LogPosition(topic=topic, topic_id=LIFE, partition=0, offset=offset)
