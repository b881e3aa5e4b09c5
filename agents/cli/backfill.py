"""`rosterbook backfill`: everybody of a company at once, read and kept by the worker that owns the connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import cyclopts
from cyclopts import Parameter

from agents.cli.console import print_error, print_json, say

if TYPE_CHECKING:
    from agents.cli.progress import Progress
    from stream.records import CommandOutcome


def register(app: cyclopts.App) -> None:
    """Add the command."""
    app.command(backfill)


async def backfill(
    connection: str | None = None,
    /,
    *,
    wait: Annotated[bool, Parameter(negative="--no-wait", show_default=False)] = True,
    json: bool = False,
) -> int:
    """Read everybody from BambooHR and keep their contacts in Zoho Books; what changes meanwhile goes first.

    One that is under way is joined. Ctrl-C ends the waiting alone: the worker goes on, after a crash too.

    Parameters
    ----------
    connection
        Its id; may be left out when there is only one.
    wait
        Return once everybody is read and no contact is owed, or at once.
    json
        Print JSON.
    """
    from agents.cli.asked import carried_out, only_asked
    from agents.cli.connection import only_connection
    from agents.cli.progress import bars

    connection = connection or await only_connection()
    if not wait:
        await only_asked(connection, "backfill", {})
        if json:
            print_json({"connection": connection, "state": "asked"})
        else:
            say(f"The worker is asked to load connection {connection}; `rosterbook backfill {connection}` watches it.")
        return 0
    with bars() as progress:
        try:
            answer = await carried_out(
                connection, "backfill", {}, lambda said: _show(said, progress) if progress else None
            )
        except asyncio.CancelledError:
            print_error(f"The worker goes on; `rosterbook backfill {connection}` watches it again.")
            raise
    failed = answer.state == "failed"
    if json:
        print_json({"connection": connection, "state": answer.state, "says": answer.says, **answer.result})
    elif failed:
        print_error(answer.says)
    else:
        say(answer.says)
    return int(failed)


def _show(said: CommandOutcome, progress: Progress) -> None:
    people, total, owed = (_number(said.result.get(name)) for name in ("people", "total", "owed"))
    progress.report("people read", people, max(total, people), f"about {said.result.get('minutes')} minutes in all")
    progress.report("contacts kept", max(0, people - owed), max(total, people), f"{owed} owed")


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
