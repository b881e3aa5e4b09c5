"""The work of the BambooHR lane: read one employee in full and append what was seen as a snapshot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from stream.clock import Clock
from stream.codec import fingerprint
from stream.core.mapping import fields_to_read
from stream.core.rows import Person
from stream.core.window import day_told
from stream.due import BACKFILL, JOINER
from stream.errors import NeverAnswered, NotFound, RecordRefused, Unavailable
from stream.flood import FloodGuard
from stream.lane import Owed, Paid, Said
from stream.records import ConnectionId, EmployeeId, EmployeeSnapshot, LogPosition, Mapping


class Employees(Protocol):
    """What this lane asks of the client."""

    async def employee(self, employee: EmployeeId, fields: Sequence[str]) -> dict[str, str]: ...


class ReadPeople:
    """Keys are employee ids; the debt is in hr-events offsets.

    `through` is copied before the request is sent, so that a change that comes while it is under way stays owed.
    """

    def __init__(
        self,
        connection: ConnectionId,
        client: Employees,
        *,
        mapping: Mapping,
        person_of: Callable[[EmployeeId], Person | None],
        event_at: Callable[[int], LogPosition],
        append: Callable[[EmployeeSnapshot], Awaitable[LogPosition]],
        guard: FloodGuard,
        clock: Clock,
        time_zone: str = "UTC",
    ) -> None:
        """event_at: the position of this connection's hr-events record at an offset. time_zone: the company's."""
        self._connection = connection
        self._client = client
        self._mapping_version = fingerprint(mapping)
        self._fields = fields_to_read(mapping)
        self._time_zone = time_zone
        self._person_of = person_of
        self._event_at = event_at
        self._append = append
        self._guard = guard
        self._clock = clock

    def look(self, key: str) -> Owed | None:
        person = self._person_of(EmployeeId(key))
        if person is None:
            return None
        # Who has joined, left or changed is not known before the reading.
        return Owed(person.debt.owed, JOINER if person.debt.owes(person.live) else BACKFILL, person.folded)

    async def pay(self, key: str, *, last: bool = False) -> Paid | None:
        employee = EmployeeId(key)
        person = self._person_of(employee)
        if person is None or not person.debt.owed:
            return None
        through, now = person.debt.wanted, self._clock.now()
        snapshot = EmployeeSnapshot(
            connection=self._connection,
            employee=employee,
            through=through,
            insists=person.insisted > person.debt.settled,
            decision=person.undone,
            backfill=not person.debt.owes(person.live),
            cause=self._event_at(through),
            mapping_version=self._mapping_version,
            read_at=now,
            read_on=day_told(self._time_zone, now),
            state="read",
        )
        try:
            fields = await self._client.employee(employee, self._fields)
        except NotFound:
            snapshot = snapshot.model_copy(update={"state": "gone"})
        except RecordRefused as error:
            return await self._give_up(snapshot, error)
        except Unavailable as error:
            if not last:
                raise
            sentence = "BambooHR answers about others, never about this employee: look there, then redrive the letter."
            return await self._give_up(snapshot, NeverAnswered(sentence, **error.context), "silent")
        else:
            snapshot = snapshot.model_copy(update={"fields": fields})
        try:
            position = await self._append(snapshot)
        except RecordRefused as error:  # what BambooHR holds of this person is more than a record may be
            return await self._give_up(snapshot, error)
        return Paid(position, "accepted")

    async def _give_up(self, snapshot: EmployeeSnapshot, error: RecordRefused, vendor: Said = "refused") -> Paid:
        """Say why this person cannot be read. Raises Flood when too many were given up lately: then it stays owed."""
        self._guard.refused(error)
        said = {"state": "unreadable", "reason": error.message, "error": type(error).__name__, "fields": {}}
        return Paid(await self._append(snapshot.model_copy(update=said)), vendor)
