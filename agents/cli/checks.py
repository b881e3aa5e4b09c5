"""`rosterbook connection test`: what the connection may do at both vendors, tried by the worker that owns it."""

from __future__ import annotations

import sys

from agents.cli.console import print_json, print_table, say

WORD = {"ok": "ok", "warning": "look", "failed": "FAILED"}


async def check(connection: str, /, *, json: bool = False) -> int:
    """Try what the connection may do at BambooHR and at Zoho Books; nothing is changed there.

    Parameters
    ----------
    connection
        Its id.
    json
        Print JSON.
    """
    from agents.cli.asked import carried_out

    answer = await carried_out(connection, "test", {})
    checks = answer.result.get("checks")
    rows = [row for row in checks if isinstance(row, dict)] if isinstance(checks, list) else []
    failed = answer.state == "failed" or any(row["state"] == "failed" for row in rows)
    if json:
        print_json({"connection": connection, "passed": not failed, "says": answer.says, "checks": rows})
        return int(failed)
    if rows:
        print_table(
            ["", "what", "found", "what to do"],
            [[WORD[str(row["state"])], row["subject"], row["found"], row["remedy"] or ""] for row in rows],
        )
    say(answer.says)
    sys.stdout.flush()
    return int(failed)
