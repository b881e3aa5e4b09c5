"""`rosterbook holds`: what waits for a person, and what that person decides."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import cyclopts
from cyclopts import Parameter

from agents.cli.console import agreed, print_error, print_json, print_table, say
from agents.cli.hold_forms import COLUMNS, row, shown
from stream.errors import UsageError

if TYPE_CHECKING:
    from agents.cli.hold_desk import Decided, Desk
    from stream.core.holds import Hold
    from stream.records import Connection

Flag = Annotated[bool, Parameter(negative=())]
_HOLD = re.compile(r"(leaver|taken)-.+@[0-9]+|address(-[0-9]+){2,}")


@Parameter(name="*")
@dataclass(frozen=True)
class Manner:
    """How it is done.

    Parameters
    ----------
    seen
        Only if the list's digest is still this one.
    yes
        Do not ask.
    no_wait
        Return at once.
    json
        Print JSON.
    """

    seen: str | None = None
    yes: Flag = False
    no_wait: Flag = False
    json: Flag = False


def register(app: cyclopts.App) -> None:
    """Add the group."""
    group = cyclopts.App(name="holds", help="What waits for a person to decide.", version_flags=[])
    group.default(list_)
    group.command(approve)
    group.command(reject)
    app.command(group)


async def list_(connection: str | None = None, /, *, json: bool = False) -> None:
    """List what waits for a person to decide.

    Parameters
    ----------
    connection
        Its id; may be left out where there is only one.
    json
        Print JSON.
    """
    found, _ = await _named(() if connection is None else (connection,))
    desk = _desk(found)
    held = await desk.holds()
    if json:
        print_json(_report(found, held))
    elif held:
        print_table(COLUMNS, map(row, held))
        say(f"Decide with `rosterbook holds approve` or `reject`. Digest: {_report(found, held)['digest']}")
    else:
        say("Nothing waits for a decision.")


async def approve(*names: str, holder: str | None = None, manner: Manner | None = None) -> int:
    """Let held leavers' contacts become inactive, give an address to one person, or try a contact once more.

    Returns when that is done. A later hold, or a newer wish of the same person, is not approved by it.

    Parameters
    ----------
    names
        The connection's id, which may be left out where there is only one, and the holds as the list names them;
        without a hold all leavers that wait.
    holder
        To whom the address is given: an employee id of the hold.
    """
    manner = manner or Manner()
    found, wanted = await _named(names)
    desk = _desk(found)
    chosen = await _chosen(desk, wanted, manner.seen)
    _check_holder(chosen, holder)
    if not _agreed(chosen, "be approved", yes=manner.yes or bool(wanted)):
        return 1
    decide = desk.give(chosen[0], holder) if holder is not None else desk.approve(chosen)
    return await _finish(desk, await decide, found, manner)


async def reject(*names: str, manner: Manner | None = None) -> int:
    """Keep held leavers' contacts as they are: active, until something newer is wanted of them.

    Something newer is a change that BambooHR tells of that person, or somebody who has the contact put right; then the
    leaver guard decides anew. A rejected hold may still be approved by its name.

    Parameters
    ----------
    names
        As for `approve`.
    """
    manner = manner or Manner()
    found, wanted = await _named(names)
    desk = _desk(found)
    chosen = await _chosen(desk, wanted, manner.seen)
    if others := [hold.id for hold in chosen if hold.kind != "leaver"]:
        raise UsageError(f"Only leavers can be rejected, and {others[0]} is none: approve it, or leave it as it is.")
    if not _agreed(chosen, "stay active", yes=manner.yes or bool(wanted)):
        return 1
    return await _finish(desk, await desk.reject(chosen), found, manner)


def _desk(found: Connection) -> Desk:
    from agents.cli.hold_desk import Desk
    from agents.cli.surroundings import bootstrap_servers, command_settings

    return Desk(bootstrap_servers(command_settings()), found.connection)


async def _named(names: Sequence[str]) -> tuple[Connection, Sequence[str]]:
    """The connection that comes first, or the only one; and the holds."""
    from agents.cli.connection import known_connection, only_connection

    if names and not _HOLD.fullmatch(names[0]):
        return await known_connection(names[0]), names[1:]
    return await known_connection(await only_connection()), names


async def _chosen(desk: Desk, wanted: Sequence[str], seen: str | None) -> list[Hold]:
    from stream.core.holds import digest

    held = await desk.holds()
    if seen is not None and digest(held) != seen:
        raise UsageError(f"What waits is not what it was at digest {seen!r}: list it again and decide about that.")
    if not wanted:
        chosen = [hold for hold in held if hold.kind == "leaver" and not hold.rejected]
        if not chosen:
            raise UsageError("No leaver waits for a decision: `rosterbook holds` lists what does.")
        return chosen
    known = {hold.id: hold for hold in held}
    for one in wanted:
        if one not in known:
            raise UsageError(f"There is no hold {one!r} (any more): `rosterbook holds` names those there are.")
    return [known[one] for one in dict.fromkeys(wanted)]


def _check_holder(chosen: Sequence[Hold], holder: str | None) -> None:
    addresses = [hold for hold in chosen if hold.kind == "address"]
    if holder is None:
        if addresses:
            people = " or ".join(f"--holder {employee}" for employee in addresses[0].employees)
            raise UsageError(f"Say who is to have the address of {addresses[0].id}: {people}.")
    elif not addresses or len(chosen) > 1:
        raise UsageError("--holder goes with one hold of an address, such as address-17-23.")
    elif holder not in addresses[0].employees:
        people = ", ".join(addresses[0].employees)
        raise UsageError(f"Employee {holder!r} does not state that address: name one of {people}.")


def _agreed(chosen: Sequence[Hold], what: str, *, yes: bool) -> bool:
    if yes or not sys.stdin.isatty():
        return True
    print_table(COLUMNS, map(row, chosen), to=sys.stderr)
    if agreed(f"{len(chosen)} holds are to {what}."):
        return True
    print_error("Nothing was done.")
    return False


async def _finish(desk: Desk, decided: Sequence[Decided], found: Connection, manner: Manner) -> int:
    """Wait for the end and tell it."""
    waits = not manner.no_wait and found.mode == "live"
    results = await desk.wait(decided, _tell) if waits else {}
    if manner.json:
        ends = {one.hold.id: results.get(one.hold.id) for one in decided}
        told = [{"hold": hold, "became": end and end.says, "well": end and end.well} for hold, end in ends.items()]
        print_json({"connection": found.connection, "decided": told})
    elif waits:
        print_table(("hold", "what became of it"), [(hold, end.says) for hold, end in results.items()])
    else:
        later = "" if manner.no_wait else f" It takes effect once the connection is live; it is {found.mode} now."
        say(f"Decided about {len(decided)}.{later}")
    return int(not all(end.well for end in results.values()))


def _tell(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print_error(f"{done} of {total} done")


def _report(found: Connection, held: Sequence[Hold]) -> dict[str, object]:
    from stream.core.holds import digest

    return {"connection": found.connection, "digest": digest(held), "holds": [shown(hold) for hold in held]}
