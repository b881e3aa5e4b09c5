"""`rosterbook sync`: one person is read again, and the contact put right, step by step if wanted."""

from __future__ import annotations

import asyncio
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from agents.cli.console import print_json, print_table, say
from agents.cli.employee_ids import check_ids

SENTENCES = {
    "kept": "The contact of employee {employee} is as it should be.",
    "nothing to keep": "Employee {employee} needs no contact.",
    "previewed": "The connection is in preview: what would be done for employee {employee} is on record.",
    "held": "Employee {employee} waits for a person.",
    "failed": "Employee {employee} could not be synced.",
}
"""How it ended -> what is said."""
BAD = ("held", "failed")


def register(app: cyclopts.App) -> None:
    """Add the command."""
    app.command(sync)


async def sync(
    connection: str,
    employee: str | None = None,
    /,
    *,
    explain: Annotated[bool, Parameter(negative=())] = False,
    wait: Annotated[bool, Parameter(negative="--no-wait", show_default=False)] = True,
    json: bool = False,
) -> int:
    """Read one employee again and put the contact right, even if nothing seems to have changed.

    Parameters
    ----------
    connection
        Its id; may be left out when there is only one.
    employee
        BambooHR's internal id of the employee, which is not the employee number.
    explain
        Show each step: what was read, who holds the address, what was decided, fields and calls.
    wait
        Return when it is done, or at once.
    json
        Print JSON.
    """
    from agents.cli.connection import known_connection, only_connection
    from agents.cli.modes import refuse_paused
    from agents.cli.standing import tell_why
    from agents.cli.surroundings import bootstrap_servers, command_settings, worker_url
    from stream.clock import SystemClock
    from stream.kafka.event_log import EventLog
    from stream.kafka.scan import LogScan
    from stream.records import EmployeeId, HrEvent
    from stream.watching import sync as followed

    if employee is None:
        connection, employee = await only_connection(), connection
    check_ids((employee,))
    found = await known_connection(connection)
    if wait:
        refuse_paused(found)
    event = HrEvent(
        connection=found.connection,
        employees=(EmployeeId(employee),),
        kind="operator",
        insists=True,
        received_at=SystemClock().now(),
    )
    settings = command_settings()
    bootstrap = bootstrap_servers(settings)
    log = EventLog(bootstrap)
    await log.start()
    try:
        if not wait:
            await log.append(event)
            _tell_asked(connection, employee, json=json)
            return 0
        why = asyncio.create_task(tell_why(lambda: worker_url(settings), connection, found.mode))
        try:
            trace = await followed(log, LogScan(bootstrap), event, found.mapping)
        finally:
            why.cancel()
    finally:
        await log.stop()
    assert trace.end is not None
    steps = trace.steps()
    if json:
        shown = [{"step": step.step, "says": step.says} for step in steps]
        print_json({"connection": connection, "employee": employee, "state": trace.end, "steps": shown})
    else:
        if explain or trace.end in BAD:
            print_table(["step", "what"], [(step.step, step.says) for step in steps])
        say(SENTENCES[trace.end].format(employee=employee))
    return int(trace.end in BAD)


def _tell_asked(connection: str, employee: str, *, json: bool) -> None:
    if json:
        print_json({"connection": connection, "employee": employee, "state": "asked"})
    else:
        say(f"Employee {employee} of connection {connection} is read again.")
