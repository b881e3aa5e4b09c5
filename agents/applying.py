"""The command `apply`, carried out by the owner of the connection: some lines of a plan, where reality still matches.

Those people are planned anew. Whose record, contact and decision are as planned is read again by an event, as an
operator has it done, so that the change has its cause on the log; in preview the very wish that follows is let through,
and everything else goes on waiting. The leaver guard and holds are in force. Safe to repeat: whatever is done already
shows as nothing left to do. Of the plan the command carries employee ids and digests alone.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping

import orjson
from pydantic import JsonValue

from agents.connection_rows import ConnectionRows
from agents.operations import Done
from agents.planning import Choice, Planned, Planner
from agents.telling import progress, telling
from stream.clock import Clock
from stream.codec import fingerprint
from stream.core.applying import NEWER, Applied, became, ended, release_of, sorted_out
from stream.core.folds import RELEASE
from stream.core.order import in_order
from stream.core.plan_line import Basis
from stream.core.roster import rivals
from stream.core.rows import Asked
from stream.errors import RecordRefused
from stream.records import (
    Command,
    CommandOutcome,
    Connection,
    ContactKey,
    EmployeeId,
    HeldContact,
    HrEvent,
    LogPosition,
)
from stream.rereading import reread

APPLY = "apply"
LOOK_S = 0.5
TELL_S = 10.0


def arguments_of(mapping: str, lines: Mapping[EmployeeId, Basis], by: str) -> dict[str, str]:
    """What the command carries. mapping: its version. by: who asks."""
    told = {employee: [basis.reading, basis.contact, basis.decision] for employee, basis in lines.items()}
    return {"mapping": mapping, "lines": orjson.dumps(told).decode(), "by": by}


def name_of(arguments: Mapping[str, str]) -> str:
    """By which an answer says to what it is one: 16 hex characters."""
    return hashlib.sha256(arguments.get("lines", "").encode()).hexdigest()[:16]


class ApplyCommand:
    """Of one connection."""

    def __init__(
        self,
        record: Connection,
        planner: Planner,
        rows: ConnectionRows,
        *,
        append: Callable[[HrEvent | Command | CommandOutcome], Awaitable[LogPosition]],
        wishes_folded: Callable[[], Awaitable[None]],
        clock: Clock,
    ) -> None:
        """wishes_folded: waits until the contacts' rows have every wish that follows from what is folded by now."""
        self._record = record
        self._planner = planner
        self._rows = rows
        self._append = append
        self._wishes_folded = wishes_folded
        self._clock = clock
        self._done = self._total = 0

    async def __call__(self, asked: Asked) -> Done:
        """Raises RecordRefused: paused, another mapping, no lines; and what making a plan raises."""
        if asked.arguments.get("mapping") != fingerprint(self._record.mapping):
            raise RecordRefused("The connection has another mapping than the plan: make the plan anew.")
        planned = _lines(asked.arguments.get("lines", ""))
        self._done, self._total = 0, len(planned)
        async with telling(self._tell, TELL_S, name=f"{self._record.connection} apply told"):
            made = await self._planner.make(Choice(tuple(sorted(planned, key=in_order)), planned=True))
            go, applied = sorted_out(planned, made.lines)
            await self._carry_out(go, made, applied, asked.arguments.get("by", "apply"))
        moved: dict[str, JsonValue] = {who: applied.moved[who] for who in sorted(applied.moved, key=in_order)}
        says = f"{len(applied.done)} of {len(planned)} planned changes are done."
        return Done(says, {"done": len(applied.done), "moved": moved, "of": name_of(asked.arguments)})

    async def _carry_out(self, go: list[EmployeeId], made: Planned, applied: Applied, by: str) -> None:
        self._done = len(applied.done) + len(applied.moved)
        await self._read(go, insists=True)
        others = set[EmployeeId]().union(*(self._rivals(employee, made) for employee in go))
        await self._read(sorted(others - {*go}, key=in_order), insists=False)
        await self._wishes_folded()
        preview = self._record.mode == "preview"
        due: dict[EmployeeId, tuple[ContactKey, int]] = {}
        releases: dict[ContactKey, HeldContact] = {}
        for employee in go:
            person, key = self._rows.person(employee), made.trial.person(employee).contact_key
            real = None if person is None else person.contact_key
            state = None if real is None else self._rows.contact(real)
            wanted = None if key is None else made.trial.state(key)
            if real is None or state is None or wanted is None:
                applied.moved[employee] = NEWER
                continue
            found = release_of(real, state, wanted.desired)
            if isinstance(found, str):
                applied.moved[employee] = found
                continue
            due[employee] = real, state.debt.wanted
            if found is not None and preview:
                releases[real] = found
        if preview:
            self._leave_out_who_waits(due, releases, made, applied)
            await self._release(tuple(releases.values()), by)
        await self._paid(due, applied, preview=preview)

    def _rivals(self, employee: EmployeeId, made: Planned) -> set[EmployeeId]:
        """Who keeps the address from the employee by what is known, if the plan knows better: they are read as well."""
        return rivals(employee, made.trial.person(employee).email, self._rows.address)

    async def _read(self, people: list[EmployeeId], *, insists: bool) -> None:
        """Have them read, and return when that is folded: done, or not possible."""
        events: dict[EmployeeId, int] = {}

        async def append(event: HrEvent) -> None:
            events.update(dict.fromkeys(event.employees, (await self._append(event)).offset))

        await reread(self._record.connection, people, "operator", append, self._clock.now(), insists=insists)
        await _until(lambda: all(self._is_read(employee, offset) for employee, offset in events.items()))

    def _is_read(self, employee: EmployeeId, offset: int) -> bool:
        person = self._rows.person(employee)
        return person is not None and person.debt.wanted >= offset and not person.debt.owes(offset)

    def _leave_out_who_waits(
        self,
        due: dict[EmployeeId, tuple[ContactKey, int]],
        releases: dict[ContactKey, HeldContact],
        made: Planned,
        applied: Applied,
    ) -> None:
        """Whose address another contact gives up first, which goes on waiting, would wait for ever."""
        while True:
            stuck = {
                employee: giver
                for employee in due
                for giver in made.lines[employee].after
                if giver not in due and self._owes(giver)
            }
            if not stuck:
                return
            for employee, giver in stuck.items():
                applied.moved[employee] = f"employee {giver}'s contact must give up the address first"
                key, _ = due.pop(employee)
                releases.pop(key, None)

    def _owes(self, employee: EmployeeId) -> bool:
        person = self._rows.person(employee)
        state = None if person is None or person.contact_key is None else self._rows.contact(person.contact_key)
        return state is not None and state.debt.owed

    async def _release(self, contacts: tuple[HeldContact, ...], by: str) -> None:
        if not contacts:
            return
        await self._append(
            Command(
                connection=self._record.connection,
                command=RELEASE,
                asked_by=by,
                holds=contacts,
                at=self._clock.now(),
            )
        )
        await _until(lambda: all(map(self._is_released, contacts)))

    def _is_released(self, held: HeldContact) -> bool:
        state = self._rows.contact(held.contact_key)
        return state is not None and state.debt.released >= held.wish.offset

    async def _paid(self, due: dict[EmployeeId, tuple[ContactKey, int]], applied: Applied, *, preview: bool) -> None:
        """Wait until all have come to an end; what comes meanwhile is not waited for."""
        waiting = dict(due)
        while waiting:
            for employee, (key, offset) in list(waiting.items()):
                state = self._rows.contact(key)
                assert state is not None, "rows stay"
                if ended(state, offset, preview=preview):
                    del waiting[employee]
                    if (why := became(state, offset)) is None:
                        applied.done.add(employee)
                    else:
                        applied.moved[employee] = why
                    self._done += 1
            if waiting:
                await asyncio.sleep(LOOK_S)

    async def _tell(self) -> None:
        says = f"{self._done} of {self._total} planned changes are done or have moved."
        result: dict[str, JsonValue] = {"through": self._done, "total": self._total}
        at, company, waits = self._clock.now(), self._rows.company(), self._planner.waits_for
        await self._append(progress(self._record.connection, APPLY, company, says, at, waits=waits, result=result))


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(LOOK_S)


def _lines(told: str) -> dict[EmployeeId, Basis]:
    try:
        return {
            EmployeeId(employee): Basis(reading=reading, contact=contact, decision=decision)
            for employee, (reading, contact, decision) in orjson.loads(told).items()
        }
    except (ValueError, AttributeError, TypeError):
        raise RecordRefused("The command holds no lines of a plan: update whoever asks.") from None
