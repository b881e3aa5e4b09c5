"""The command `plan`, carried out by the owner of the connection.

The plan goes back over the log, as every answer does, so that no worker need be reached from where the command is
given; but as records on the log are kept for ever and a plan is a copy of people's records, it is compressed and sealed
with a key that the command brought (`stream/vault/once.py`), in parts that fit into records and that no row keeps. Once
the command has ended nobody can open them any more.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping

import orjson
from pydantic import JsonValue

from agents.operations import Done
from agents.planning import Choice, Planner
from agents.telling import progress, telling
from stream.clock import Clock
from stream.core import scope
from stream.core.folds import SEALED
from stream.core.forecast import forecast
from stream.core.order import in_order
from stream.core.rows import Asked, Company
from stream.errors import RecordRefused
from stream.lane import Lane
from stream.records import CommandOutcome, ConnectionId, EmployeeId
from stream.vault.once import name_of, sealed_for

PLAN = "plan"
PART_BYTES = 256 * 1024
"""Of the compressed plan in one record."""
TELL_S = 10.0


def choice_of(arguments: Mapping[str, str]) -> Choice:
    """Raises RecordRefused for a filter that is wrong."""
    where = arguments.get("where") or None
    try:
        if where is not None:
            scope.check(where)
    except scope.WrongExpression as error:
        raise RecordRefused(f"The filter {error}.") from None
    employees = filter(None, arguments.get("employees", "").split(","))
    return Choice(tuple(sorted(map(EmployeeId, employees), key=in_order)), where)


def place_of(connection: str, part: int, parts: int) -> str:
    """To what a part is bound by its seal."""
    return f"{connection} plan {part}/{parts}"


class PlanCommand:
    """Of one connection."""

    def __init__(
        self,
        connection: ConnectionId,
        planner: Planner,
        contacts: Lane,
        *,
        company: Callable[[], Company | None],
        append: Callable[[CommandOutcome], Awaitable[object]],
        clock: Clock,
    ) -> None:
        """contacts: the lane whose limits the forecast is about."""
        self._connection = connection
        self._planner = planner
        self._contacts = contacts
        self._company = company
        self._append = append
        self._clock = clock

    async def __call__(self, asked: Asked) -> Done:
        """Changes nothing, so it is safe to repeat. Raises what making a plan raises."""
        async with telling(self._tell_progress, TELL_S, name=f"{self._connection} plan told"):
            planned = await self._planner.make(choice_of(asked.arguments))
        plan = planned.plan
        expected = forecast(0, plan.calls, self._contacts.ledger.limits, calls_of_backfill=1)
        told = {"calls": plan.calls, "minutes": expected.minutes, "left_today": expected.left_today}
        packed = await asyncio.to_thread(
            lambda: zlib.compress(orjson.dumps({"plan": plan.model_dump(mode="json"), "forecast": told}))
        )
        public = asked.arguments.get("key", "")
        parts = [packed[first : first + PART_BYTES] for first in range(0, len(packed), PART_BYTES)]
        for number, part in enumerate(parts, 1):
            sealed = sealed_for(public, part, place_of(self._connection, number, len(parts)))
            await self._tell("The plan comes.", {SEALED: sealed, "part": number, "to": name_of(public)})
        return Done(f"{plan.people} people were looked at.", {"parts": len(parts), "to": name_of(public)})

    async def _tell_progress(self) -> None:
        at = self._planner.progress
        of = "" if at.total is None else f" of {at.total}"
        says = f"{at.people}{of} people read, {at.looked} of {at.contacts} contacts looked at."
        if not at.people and not at.contacts:
            says = "People and contacts are being read."
        result: dict[str, JsonValue] = {
            "people": at.people,
            "total": at.total,
            "looked": at.looked,
            "contacts": at.contacts,
        }
        await self._tell(says, result, self._planner.waits_for)

    async def _tell(self, says: str, result: dict[str, JsonValue], waits: str | None = None) -> None:
        at, company = self._clock.now(), self._company()
        await self._append(progress(self._connection, PLAN, company, says, at, waits=waits, result=result))
