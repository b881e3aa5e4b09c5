"""`rosterbook reconcile`: whoever changed in BambooHR without a notice is read again, and then everybody, by the worker
that owns the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import cyclopts
from cyclopts import Parameter

from agents.cli.console import print_error, print_json, print_table, say
from stream.errors import UsageError

if TYPE_CHECKING:
    from pydantic import JsonValue

    from stream.records import CommandOutcome

MISSED = {"employee": "employee", "action": "action", "changed_at": "changed at", "why": "why it was read again"}
MISSING = {
    "employee": "employee",
    "action": "action",
    "changed_at": "changed at",
    "delivery": "its webhook",
    "fetched_at": "read again at",
}
DRIFT = {"employee": "employee", "fields": "changed in Zoho Books and left so"}
"""Field -> title of its column."""


def register(app: cyclopts.App) -> None:
    """Add the command."""
    app.command(reconcile)


async def reconcile(
    connection: str | None = None,
    /,
    *,
    report: Annotated[bool, Parameter(negative=())] = False,
    hours: Annotated[int, Parameter(validator=cyclopts.validators.Number(gte=1, lte=336))] = 24,
    wait: Annotated[bool, Parameter(negative="--no-wait", show_default=False)] = True,
    json: bool = False,
) -> int:
    """Ask BambooHR who has changed, read those again of whom no notice came, and then everybody; this also happens on a
    schedule.

    A run that is under way is joined. Ctrl-C ends the waiting alone: the worker goes on.

    Parameters
    ----------
    connection
        Its id; may be left out when there is only one.
    report
        Look further back, and tell which changes were told by webhooks in time, late, twice, or not at all; and which
        contacts somebody has changed in Zoho Books, where the connection has that reported.
    hours
        How far a report looks back, up to 14 days.
    wait
        Return once they are read and their contacts are right, or at once.
    json
        Print JSON.
    """
    from agents.cli.asked import carried_out, only_asked
    from agents.cli.connection import only_connection

    if report and not wait:
        raise UsageError("A report is waited for: leave out --no-wait.")
    connection = connection or await only_connection()
    if not wait:
        await only_asked(connection, "reconcile", {})
        if json:
            print_json({"connection": connection, "state": "asked"})
        else:
            say(f"The worker is asked to reconcile connection {connection}.")
        return 0
    command, arguments = ("reconcile report", {"hours": str(hours)}) if report else ("reconcile", {})
    try:
        answer = await carried_out(connection, command, arguments)
    except asyncio.CancelledError:
        print_error(f"The worker goes on; `rosterbook reconcile {connection}` waits for it again.")
        raise
    if json:
        print_json({"connection": connection, "state": answer.state, "says": answer.says, **answer.result})
    else:
        _show(answer, report=report)
    return int(answer.state == "failed")


def _show(answer: CommandOutcome, *, report: bool) -> None:
    if answer.state == "failed":
        print_error(answer.says)
        return
    tables = ((MISSING, "missing_changes"), (DRIFT, "drift")) if report else ((MISSED, "missed"),)
    for columns, rows in tables:
        if found := _rows(answer.result.get(rows)):
            print_table(list(columns.values()), [[_cell(one.get(name)) for name in columns] for one in found])
    say(answer.says)


def _cell(value: JsonValue) -> JsonValue:
    return ", ".join(map(str, value)) if isinstance(value, list) else value or ""


def _rows(found: JsonValue) -> Sequence[Mapping[str, JsonValue]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
