"""`rosterbook connection remove`: ends a connection; what it did stays on the log."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from agents.cli.console import agreed, print_error, print_json, say
from stream.errors import UsageError


async def remove(
    connection: str,
    /,
    *,
    yes: Annotated[bool, Parameter(negative=())] = False,
    force: Annotated[bool, Parameter(negative=())] = False,
    json: bool = False,
) -> int:
    """Remove a connection: its webhook and consent are given up, its secrets taken out; its audit and contacts stay.

    Parameters
    ----------
    connection
        Its id.
    yes
        Do not ask. Needed where nobody can be asked, as in a script.
    force
        Remove it even where a vendor cannot be asked to forget it.
    json
        Print JSON.
    """
    from agents.cli.asked import carried_out
    from agents.cli.connection import known_connection, known_connections
    from agents.cli.modes import change_mode
    from agents.cli.surroundings import bootstrap_servers, command_settings
    from stream.clock import SystemClock
    from stream.kafka.event_log import EventLog
    from stream.records import RemovedConnection

    if not yes and not sys.stdin.isatty():
        raise UsageError("This ends the connection: say --yes where nobody can be asked.")
    if not yes and not agreed(f"Connection {connection} ends; its contacts stay as they are in Zoho Books."):
        print_error("Nothing was done.")
        return 1
    # Paused first: nothing may renew a token that is being given up.
    found = await change_mode(await known_connection(connection), "paused")
    answer = await carried_out(connection, "remove", {"force": "yes"} if force else {})
    if answer.state == "failed":
        print_error(answer.says)
        return 1
    log = EventLog(bootstrap_servers(command_settings()))
    await log.start()
    try:
        await log.append(
            RemovedConnection(
                connection=found.connection,
                subdomain=found.bamboohr.subdomain,
                region=found.zoho.region,
                organization_id=found.zoho.organization_id,
                removed_at=SystemClock().now(),
            )
        )
    finally:
        await log.stop()
    left = connection in await known_connections()
    if json:
        print_json({"connection": connection, "removed": not left, "says": answer.says})
    else:
        say(f"Connection {connection} is removed. {answer.says}")
    return int(left)
