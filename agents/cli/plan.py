"""`rosterbook plan`: what would be done about people's contacts, without doing it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cyclopts

from agents.cli.console import note, print_json, print_table, say
from agents.cli.employee_ids import NUMBER, check_ids
from stream.errors import UsageError

if TYPE_CHECKING:
    from stream.core.plan import Plan

SHOWN = 40
"""Lines of the table on a screen."""
MOST = 500
"""Employees that may be named."""


def register(app: cyclopts.App) -> None:
    """Add the command."""
    app.command(plan)


async def plan(
    *names: str,
    where: str | None = None,
    out: Path | None = None,
    json: bool = False,
) -> int:
    """Show what would be done about each person's contact: everybody's, some people's, or those of a filter.

    People and contacts are read as they are now; nothing is written and nothing is noted. Exits with 1 when that fails.

    Parameters
    ----------
    names
        The connection's id, which may be left out when there is only one, and employee ids as in the address of a
        person's page; none means everybody.
    where
        Only people for whom this expression holds, such as 'department == "Sales"'; written as `scope` of a mapping.
    out
        Also write the plan to this file. It holds personal data, so only you may read it.
    json
        Print JSON, with all lines.
    """
    from agents.cli.plan_desk import asked_plan, written

    connection, employees = await _named(names)
    _check(employees, where)
    if out is not None and out.is_dir():
        raise UsageError(f"{out} is a folder: name a file.")
    try:
        found, forecast = await asked_plan(connection, employees, where)
    except asyncio.CancelledError:
        note("Nothing was changed.")
        raise
    if out is not None:
        await asyncio.to_thread(written, found, out)
    if json:
        print_json({**found.model_dump(mode="json"), "digest": found.digest, "forecast": forecast})
    else:
        _show(found, forecast)
        if out is not None:
            say(f"{out} holds the plan and personal data: `rosterbook apply {out}` carries it out.")
    return 0


async def _named(names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The connection that comes first, or the only one; and the employees. A number may be the id of a connection."""
    from agents.cli.connection import known_connections, only_connection

    if names and (NUMBER.fullmatch(names[0]) is None or names[0] in await known_connections()):
        return names[0], names[1:]
    return await only_connection(), names


def _check(employees: tuple[str, ...], where: str | None) -> None:
    check_ids(employees)
    if len(employees) > MOST:
        raise UsageError(f"At most {MOST} employees can be named: use --where, or name none for everybody.")
    if where is None:
        return
    if employees:
        raise UsageError("Name employees or use --where, not both.")
    from stream.core import scope

    try:
        scope.check(where)
    except scope.WrongExpression as error:
        raise UsageError(f"The filter {error}.") from None


def _show(found: Plan, forecast: dict[str, Any]) -> None:
    """Counts first, changes below, by what is done."""
    from agents import doubled
    from stream.core.plan_line import ACTIONS

    print_table(("what", "people"), [(action, count) for action, count in found.counts.items() if count])
    rows = [row for line in sorted(found.lines, key=lambda line: ACTIONS.index(line.action)) for row in _rows(line)]
    if rows:
        print_table(("employee", "what", "field", "before", "after"), rows[:SHOWN])
    if len(rows) > SHOWN:
        say(f"… and {len(rows) - SHOWN} more (--json shows all)")
    if found.doubled:
        say(doubled.said(found.doubled))
    left = forecast.get("left_today")
    day = "" if left is None else f"; {left} calls are left today"
    say(f"{found.calls} calls to Zoho Books, about {forecast.get('minutes', 0):g} minutes{day}.")


def _rows(line: Any) -> list[tuple[str, str, str, str, str]]:
    """One for each field; one alone where no field changes."""
    reason = [(line.employee, line.action, "", "", line.why or "")] if line.action in ("held", "out of scope") else []
    fields = line.changes.items()
    return reason + [(line.employee, line.action, name, before or "", after or "") for name, (before, after) in fields]
