"""`rosterbook apply`: the changes of a plan file, and nothing else, where reality still is as it was planned."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import cyclopts

from agents.cli.console import note, print_json, print_table, say
from stream.errors import Retriable, RosterbookError, UsageError

if TYPE_CHECKING:
    from agents.cli.progress import Progress
    from stream.core.plan import Plan
    from stream.core.plan_line import Basis
    from stream.records import CommandOutcome, Connection, EmployeeId

AT_ONCE = 500
"""Lines that one command names: a record has its limit."""


def register(app: cyclopts.App) -> None:
    """Add the command."""
    app.command(apply)


async def apply(file: Path, /, *, json: bool = False) -> int:
    """Carry out the changes of a plan file whose person, contact and decision still are as planned; tell of the others.

    In preview just these changes are let through. Applied again, it goes on with what is not done yet. Exits with 1
    when something has moved since, and with 2 for a file that was altered or does not belong here.

    Parameters
    ----------
    file
        As `rosterbook plan --out` wrote it.
    json
        Print JSON.
    """
    from agents.cli.connection import known_connection
    from agents.cli.plan_desk import loaded
    from agents.cli.progress import bars
    from stream.core.plan_line import WRITING

    plan = await asyncio.to_thread(loaded, file)
    record = await known_connection(plan.connection)
    _check(plan, record)
    lines = {line.employee: line.basis for line in plan.lines if line.action in WRITING}
    done = 0
    moved: dict[str, str] = {}
    with bars() as progress:
        try:
            for first in range(0, len(lines), AT_ONCE):
                batch = dict(list(lines.items())[first : first + AT_ONCE])
                now_done, now_moved = await _applied(plan, batch, first, len(lines), progress)
                done, moved = done + now_done, moved | now_moved
        except asyncio.CancelledError:
            note(f"The worker ends what it has begun; `rosterbook apply {file}` goes on with the rest.")
            raise
    if json:
        print_json({"connection": plan.connection, "planned": len(lines), "done": done, "moved": moved})
        return int(bool(moved))
    if moved:
        print_table(("employee", "what has moved since the plan was made"), moved.items())
    say(f"{done} of {len(lines)} planned changes are done." if lines else "The plan holds no change: nothing was done.")
    return int(bool(moved))


def _check(plan: Plan, record: Connection) -> None:
    """Raises UsageError where the plan is about something else than what is there now."""
    from agents.cli.modes import refuse_paused
    from stream.codec import fingerprint

    now = record.bamboohr.subdomain, record.zoho.region, record.zoho.organization_id
    if now != (plan.company.subdomain, plan.company.region, plan.company.organization_id):
        raise UsageError(f"The plan is of another company than connection {plan.connection} has here.")
    if plan.mapping != fingerprint(record.mapping):
        raise UsageError(f"Connection {plan.connection} has another mapping than the plan: make the plan anew.")
    refuse_paused(record)


async def _applied(
    plan: Plan, lines: dict[EmployeeId, Basis], before: int, total: int, progress: Progress | None
) -> tuple[int, dict[str, str]]:
    """How many are done, and who has moved. before: lines of earlier commands, of so many in all."""
    from agents.applying import APPLY, arguments_of, name_of
    from agents.cli.asked import carried_out
    from agents.cli.surroundings import who

    arguments = arguments_of(plan.mapping, lines, who())

    def show(said: CommandOutcome) -> None:
        through = said.result.get("through")
        if progress is None:
            note(said.says)
        else:
            progress.report("planned changes", before + (through if isinstance(through, int) else 0), total)

    answer = await carried_out(plan.connection, APPLY, arguments, show)
    if answer.state == "failed":
        raise RosterbookError(answer.says)
    moved, done = answer.result.get("moved"), answer.result.get("done")
    if answer.result.get("of") != name_of(arguments) or not isinstance(moved, dict) or not isinstance(done, int):
        raise Retriable("Somebody else applied a plan of this connection in the same moment: apply this one again.")
    return done, {employee: str(why) for employee, why in moved.items()}
