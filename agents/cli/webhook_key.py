"""`rosterbook connection rotate-webhook`: another key for the webhook that Rosterbook registered in BambooHR."""

from __future__ import annotations

from agents.cli.console import print_json, say


async def rotate_webhook(connection: str, /, *, json: bool = False) -> int:
    """Replace the webhook in BambooHR by one with a new key; both are accepted until the old one is deleted.

    Parameters
    ----------
    connection
        Its id.
    json
        Print JSON.
    """
    from agents.cli.asked import carried_out
    from stream.clock import SystemClock

    answer = await carried_out(connection, "rotate webhook", {"before": SystemClock().now().isoformat()})
    failed = answer.state == "failed"
    if json:
        print_json({"connection": connection, "rotated": not failed, "says": answer.says})
    else:
        say(answer.says)
    return int(failed)
