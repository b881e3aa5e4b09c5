"""`rosterbook reconcile`: whoever changed in BambooHR without a notice is read again, by the worker that owns the
connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import cyclopts
from cyclopts import Parameter

from agents.cli.console import print_error, print_json, print_table, say

if TYPE_CHECKING:
    from pydantic import JsonValue

COLUMNS = ("employee", "action", "changed at", "why it was read again")


def register(app: cyclopts.App) -> None:
    """Add the command."""
    app.command(reconcile)


async def reconcile(
    connection: str | None = None,
    /,
    *,
    wait: Annotated[bool, Parameter(negative="--no-wait", show_default=False)] = True,
    json: bool = False,
) -> int:
    """Ask BambooHR who has changed, and read those again of whom no notice came; this also happens on a schedule.

    A run that is under way is joined. Ctrl-C ends the waiting alone: the worker goes on.

    Parameters
    ----------
    connection
        Its id; may be left out when there is only one.
    wait
        Return once they are read and their contacts are right, or at once.
    json
        Print JSON.
    """
    from agents.cli.asked import carried_out, only_asked
    from agents.cli.connection import only_connection

    connection = connection or await only_connection()
    if not wait:
        await only_asked(connection, "reconcile", {})
        if json:
            print_json({"connection": connection, "state": "asked"})
        else:
            say(f"The worker is asked to reconcile connection {connection}.")
        return 0
    try:
        answer = await carried_out(connection, "reconcile", {})
    except asyncio.CancelledError:
        print_error(f"The worker goes on; `rosterbook reconcile {connection}` waits for it again.")
        raise
    failed = answer.state == "failed"
    if json:
        print_json({"connection": connection, "state": answer.state, "says": answer.says, **answer.result})
    elif failed:
        print_error(answer.says)
    else:
        if missed := _rows(answer.result.get("missed")):
            print_table(
                COLUMNS, [[one[name] or "" for name in ("employee", "action", "changed_at", "why")] for one in missed]
            )
        say(answer.says)
    return int(failed)


def _rows(found: JsonValue) -> list[Mapping[str, JsonValue]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
