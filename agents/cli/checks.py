"""`rosterbook connection test`: what the connection may do at both vendors, tried by the worker that owns it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING

from agents.cli.console import print_json, print_table, say

if TYPE_CHECKING:
    from stream.checklist import Check

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
    from stream.checklist import Check

    answer = await carried_out(connection, "test", {})
    told = answer.result.get("checks")
    checks = [Check.model_validate(one) for one in told] if isinstance(told, list) else []
    failed = answer.state == "failed" or any(one.state == "failed" for one in checks)
    if json:
        found = [one.model_dump() for one in checks]
        print_json({"connection": connection, "passed": not failed, "says": answer.says, "checks": found})
        return int(failed)
    if checks:
        show(checks, sys.stdout)
    say(answer.says)
    return int(failed)


def show(checks: Iterable[Check], to: IO[str]) -> None:
    """A line for each."""
    rows = [[WORD[one.state], one.subject, one.found, one.remedy or ""] for one in checks]
    print_table(["", "what", "found", "what to do"], rows, to=to)
