"""`rosterbook mapping`: is a mapping right, and whose contact would it change?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cyclopts

from agents.cli.console import print_json, print_table, say
from stream.core.order import some

if TYPE_CHECKING:
    from stream.core.mapping_diff import Comparison
    from stream.core.targets import Fault
    from stream.kafka.scan import LogScan
    from stream.records import ConnectionId, EmployeeId, EmployeeSnapshot, Mapping
    from stream.toml_file import TomlFile


def register(app: cyclopts.App) -> None:
    """Add the group."""
    group = cyclopts.App(name="mapping", help="Which fields go where, and who is in scope.", version_flags=[])
    group.command(check)
    group.command(diff)
    app.command(group)


async def check(target: str, /, *, offline: bool = False, json: bool = False) -> int:
    """Check a mapping, also against the fields that BambooHR and Zoho Books have; nothing is changed.

    Parameters
    ----------
    target
        A connection file, or the id of a connection whose mapping is to be checked as it is.
    offline
        Look at the mapping alone, and ask neither vendor.
    json
        Print JSON.
    """
    from agents.cli.connection import known_connection, known_connections
    from stream.connection_file import load_mapping
    from stream.errors import UsageError

    connection: ConnectionId
    mapping: Mapping
    file: TomlFile | None = None
    if target.endswith(".toml") or Path(target).is_file():
        section, file = load_mapping(Path(target))
        connection, mapping = section.id, section.mapping
        if not offline and connection not in await known_connections():
            raise UsageError(
                f"Connection {connection!r} is not there yet: `rosterbook connection add {target}` checks its mapping "
                "before it saves it, and --offline looks at the mapping alone."
            )
    else:
        record = await known_connection(target)
        connection, mapping = record.connection, record.mapping
    says, faults = ("The mapping is in order.", []) if offline else await _compared(connection, mapping)
    places = [("mapping", *fault.place) for fault in faults]
    if json:
        lines = file.lines_of(places) if file is not None else [None] * len(places)
        told = [
            {"place": ".".join(map(str, place)), "line": line, "says": fault.says}
            for place, line, fault in zip(places, lines, faults, strict=True)
        ]
        print_json({"connection": connection, "passed": not faults, "says": says, "faults": told})
        return 2 if faults else 0
    if faults:
        raise _refusal(connection, [(place, fault.says) for place, fault in zip(places, faults, strict=True)], file)
    say(says)
    return 0


async def _compared(connection: ConnectionId, mapping: Mapping) -> tuple[str, list[Fault]]:
    """What the worker that owns the connection finds at both vendors."""
    from agents.cli.mapping_fit import by_its_worker

    return await by_its_worker(connection, mapping)


def _refusal(
    connection: ConnectionId, faults: list[tuple[tuple[str | int, ...], str]], file: TomlFile | None
) -> Exception:
    from stream.errors import UsageError

    if file is not None:
        return file.refusal(faults)
    named = "; ".join(f"{'.'.join(map(str, place))}: {says}" for place, says in faults)
    return UsageError(f"The mapping of {connection} does not go with what is there now: {named}.")


async def diff(file: Path, /, *, json: bool = False) -> None:
    """Show whose contact would change under the mapping of a connection file, field by field; nothing is changed.

    Everybody whom Rosterbook has read is looked at as they were read last. Shared addresses are left out of it.

    Parameters
    ----------
    file
        The connection file, with the id of a connection that is there.
    json
        Print JSON.
    """
    from agents.cli.connection import known_connection
    from agents.cli.surroundings import bootstrap_servers, command_settings
    from agents.rows_seen import people_seen
    from stream.clock import SystemClock
    from stream.connection_file import load_mapping
    from stream.core.mapping_diff import compare
    from stream.core.window import day_in
    from stream.kafka.scan import LogScan

    section, _ = load_mapping(file)
    record = await known_connection(section.id)
    scan = LogScan(bootstrap_servers(command_settings()))
    known = await people_seen(scan, section.id)
    today = day_in(record.reconcile.time_zone, SystemClock().now())
    found = compare(await _readings(scan, section.id), record.mapping, section.mapping, known, today)
    if json:
        print_json({"connection": section.id, **_shown(found)})
        return
    rows = [
        [one.employee, name, "" if before is None else before, after]
        for one in found.differences
        for name, (before, after) in one.changes.items()
    ]
    if rows:
        print_table(["employee", "field", "now", "then"], rows)
    for sentence in _sentences(found):
        say(sentence)
    if record.mapping.contact_type != section.mapping.contact_type:
        say("The contact type counts for new contacts only.")


async def _readings(scan: LogScan, connection: ConnectionId) -> dict[EmployeeId, EmployeeSnapshot]:
    """The newest of each person."""
    from stream.codec import decode
    from stream.core.mapping_diff import counts
    from stream.errors import RecordRefused
    from stream.records import EmployeeSnapshot
    from stream.topics import EMPLOYEES

    newest: dict[EmployeeId, EmployeeSnapshot] = {}
    async for entry in scan.beside(connection, [EMPLOYEES.name]):
        if entry.key != connection.encode():
            continue
        try:
            record = decode(EMPLOYEES, entry.value)
        except RecordRefused:
            continue
        assert isinstance(record, EmployeeSnapshot)
        if counts(record, newest.get(record.employee)):
            newest[record.employee] = record
    return newest


def _shown(found: Comparison) -> dict[str, Any]:
    return {
        "people": found.people,
        "changed": len(found.differences),
        "differences": [{"employee": one.employee, "changes": one.changes} for one in found.differences],
        "out_of_scope": found.outside,
        "undecided": found.undecided,
        "not_read_yet": found.unread,
    }


def _sentences(found: Comparison) -> list[str]:
    said = [f"{len(found.differences)} of {found.people} people would change."]
    if found.outside:
        said.append(f"{len(found.outside)} people are out of scope: {_some(found.outside)}.")
    if found.undecided:
        said.append(f"{len(found.undecided)} people stay as they are: {_some(found.undecided)}.")
    if found.unread:
        names = ", ".join(f"{name} ({count} people)" for name, count in found.unread.items())
        said.append(f"Not read yet, or withheld: {names}; what comes of them shows after their next reading.")
    return said


def _some(reasons: dict[EmployeeId, str]) -> str:
    """For each reason, some of the people, by their ids."""
    by_reason: dict[str, list[EmployeeId]] = {}
    for employee, reason in reasons.items():
        by_reason.setdefault(reason, []).append(employee)
    return "; ".join(f"{reason} (employees {some(who, 5)})" for reason, who in by_reason.items())
