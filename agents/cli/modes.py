"""`rosterbook connection pause` and `resume`: between the modes, without the connection file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from agents.cli.console import print_json, say
from stream.errors import UsageError

if TYPE_CHECKING:
    from stream.records import Connection, Mode

MEANS: dict[Mode, str] = {
    "live": "contacts in Zoho Books are kept from now on",
    "preview": "what would be done is recorded, and nothing is written to Zoho Books",
    "paused": "webhooks are kept, and all else waits until `rosterbook connection resume`",
}


async def pause(connection: str, /, *, json: bool = False) -> None:
    """Let a connection wait: its webhooks are kept, and nothing is read or written until it is resumed.

    Parameters
    ----------
    connection
        Its id.
    json
        Print JSON.
    """
    await _change(connection, "paused", json=json)


async def resume(connection: str, /, *, mode: Literal["live", "preview"] | None = None, json: bool = False) -> None:
    """Let a connection go on; with --mode live, one in preview begins to write.

    Parameters
    ----------
    connection
        Its id.
    mode
        How it goes on. Default: as it was before it was paused, and in preview where that is not known.
    json
        Print JSON.
    """
    await _change(connection, mode, json=json)


async def _change(connection: str, wanted: Mode | None, *, json: bool) -> None:
    from agents.cli.connection import known_connection

    found = await known_connection(connection)
    changed = await change_mode(found, wanted)
    if json:
        print_json({"connection": connection, "mode": changed.mode, "before": found.mode})
        return
    same = " already" if changed.mode == found.mode else ""
    say(f"Connection {connection} is{same} {_adjective(changed.mode)}: {MEANS[changed.mode]}.")


def refuse_paused(record: Connection) -> None:
    """Raises UsageError where whoever asks now would wait in vain."""
    if record.mode == "paused":
        raise UsageError(
            f"Connection {record.connection} is paused: `rosterbook connection resume {record.connection}`."
        )


async def change_mode(found: Connection, wanted: Mode | None) -> Connection:
    """The connection as it is served from now on. wanted: None = on from a pause."""
    from agents.cli.acceptance import wait_until_served
    from agents.cli.surroundings import bootstrap_servers, command_settings, who, worker_url
    from stream.clock import SystemClock
    from stream.kafka.event_log import EventLog
    from stream.records import Command

    settings, clock = command_settings(), SystemClock()
    changed = _in_mode(found, wanted)
    if changed.mode == found.mode:
        return found
    now = clock.now()
    changed = changed.model_copy(update={"saved_at": now})
    name = "pause" if changed.mode == "paused" else "resume"
    log = EventLog(bootstrap_servers(settings))
    await log.start()
    try:
        arguments: dict[str, str] = {"from": found.mode, "to": changed.mode}
        command = Command(connection=found.connection, command=name, asked_by=who(), arguments=arguments, at=now)
        await log.append(command)
        await log.append(changed)
    finally:
        await log.stop()
    await wait_until_served(changed, lambda: worker_url(settings), clock)
    return changed


def _in_mode(found: Connection, wanted: Mode | None) -> Connection:
    if wanted is None:
        wanted = found.mode if found.mode != "paused" else found.paused_from or "preview"
    if wanted == found.mode:
        return found
    left = found.mode if wanted == "paused" else None
    return found.model_copy(update={"mode": wanted, "paused_from": left})


def _adjective(mode: Mode) -> str:
    return "in preview" if mode == "preview" else mode
