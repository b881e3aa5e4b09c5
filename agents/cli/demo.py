"""`rosterbook demo`: everything on one machine with sandboxes, and a story to watch."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import cyclopts

from agents.cli.console import print_error, say

KEPT = ("ROSTERBOOK_CACHE", "ROSTERBOOK_LOG_FORMAT", "ROSTERBOOK_LOG_LEVEL")
"""Settings that a demo takes over. It stands alone: nothing of it may reach a real installation's Kafka or keys."""


def register(app: cyclopts.App) -> None:
    """Add the command."""
    app.command(demo)


async def demo(*, employees: int = 120, exit_when_synced: bool = False, json: bool = False) -> int:
    """Watch a company's people arrive in Zoho Books: sandboxes, Kafka, gateway and worker, on free ports.

    Parameters
    ----------
    employees
        How many people arrive at first.
    exit_when_synced
        End when the story is over; exit code 0 only if Zoho shows what BambooHR says.
    json
        Print one JSON object at the end and nothing else on standard output.
    """
    import orjson

    from agents.demo.run import perform
    from stream.errors import UsageError

    for name in [name for name in os.environ if name.startswith("ROSTERBOOK_") and name not in KEPT]:
        del os.environ[name]
    if employees < 1:
        raise UsageError("A company needs at least one person: --employees 1 or more.")
    live = sys.stdout.isatty() and not json
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)

    def tell(line: str) -> None:
        if json:
            sys.stderr.write(line + "\n")
        else:
            say(line)

    play = asyncio.create_task(perform(employees, exit_when_synced=exit_when_synced, live=live, say=tell))
    end = asyncio.create_task(told.wait())
    await asyncio.wait({play, end}, return_when=asyncio.FIRST_COMPLETED)
    end.cancel()
    if not play.done():
        play.cancel()
        await asyncio.gather(play, return_exceptions=True)
        if exit_when_synced:
            print_error("ended before the story was over")
            return 1
        return 0
    performed = await play
    report = performed.report()
    equal = performed.compare().equal
    if json:
        sys.stdout.write(orjson.dumps(report).decode() + "\n")
    else:
        say(f"{report['employees']} people, {report['contacts']} contacts, {report['zoho_calls']} Zoho calls.")
        say("Zoho Books shows what BambooHR says." if equal else "Zoho Books differs from BambooHR.")
    return 0 if equal else 1
