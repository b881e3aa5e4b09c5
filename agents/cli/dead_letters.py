"""`rosterbook dead-letters`: what failed for good, and what is to become of it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import cyclopts
from cyclopts import Parameter

from agents.cli.console import agreed, print_error, print_json, print_table, say
from agents.cli.letter_choice import Filter, named
from agents.cli.letter_forms import COLUMNS, details, report, row, settled_before, summary
from stream.errors import UsageError

if TYPE_CHECKING:
    from stream.core.letters import Letter, LetterState
    from stream.kafka.event_log import EventLog
    from stream.kafka.scan import LogScan
    from stream.letterbox import Letterbox, Result

ALL_STATES: tuple[LetterState, ...] = ("open", "redriven", "dropped")
LONGEST_NAME = 200
Count = Annotated[int, Parameter(validator=cyclopts.validators.Number(gte=1))]


@Parameter(name="*")
@dataclass(frozen=True)
class Manner:
    """How it is done.

    Parameters
    ----------
    all_open
        All open letters.
    limit
        At most so many, the oldest first.
    again
        Letters too that were redriven or dropped before.
    dry_run
        Say what would be done, and do nothing.
    yes
        Do not ask.
    by
        Who does it, for the record; default: your login name and this machine.
    json
        Print JSON.
    """

    all_open: Annotated[bool, Parameter(name="--all", negative=())] = False
    limit: Count | None = None
    again: Annotated[bool, Parameter(negative=())] = False
    dry_run: Annotated[bool, Parameter(negative=())] = False
    yes: Annotated[bool, Parameter(negative=())] = False
    by: str | None = None
    json: bool = False


def register(app: cyclopts.App) -> None:
    """Add the group."""
    group = cyclopts.App(name="dead-letters", help="What failed for good and was set aside.", version_flags=[])
    group.command(list_, name="list")
    group.command(show)
    group.command(redrive)
    group.command(drop)
    app.command(group)


async def list_(
    *,
    which: Filter | None = None,
    state: Literal["open", "redriven", "dropped", "any"] = "open",
    limit: Count = 50,
    json: bool = False,
) -> None:
    """List dead letters, the newest first.

    Parameters
    ----------
    state
        What has become of them.
    limit
        At most so many.
    json
        Print JSON.
    """
    from stream.clock import SystemClock
    from stream.kafka.scan import LogScan

    wanted = (which or Filter()).wanted(ALL_STATES if state == "any" else (state,), SystemClock().now())
    found = [letter for letter in await _read(LogScan(_bootstrap())) if wanted.has(letter)][::-1]
    shown = found[:limit]
    if json:
        print_json([summary(letter) for letter in shown])
    elif not found:
        say("There are no such dead letters.")
    else:
        print_table(COLUMNS, [row(letter) for letter in shown])
        if len(found) > limit:
            say(f"{len(found) - limit} older ones are not shown: say --limit {len(found)} to see all.")


async def show(letter: str, /, *, payload: bool = False, json: bool = False) -> None:
    """Show one dead letter.

    Parameters
    ----------
    letter
        Its id, as `list` names it.
    payload
        What failed, too: it may hold names and addresses of people.
    json
        Print JSON.
    """
    from stream.clock import SystemClock
    from stream.kafka.scan import LogScan
    from stream.letterbox import Letterbox

    scan = LogScan(_bootstrap())
    (found,) = named([letter], await _read(scan))
    content = await Letterbox(scan, None, SystemClock(), "").payload(found)
    shown = details(found, content, with_payload=payload)
    if json:
        print_json(shown)
    else:
        print_table(("field", "value"), [(name, "" if value is None else value) for name, value in shown.items()])


async def redrive(*letters: str, which: Filter | None = None, manner: Manner | None = None) -> int:
    """Try dead letters once more: read the person again, or understand the delivery or the record anew.

    Parameters
    ----------
    letters
        Their ids, as `list` names them; or say which by filters.
    """
    return await _do("redriven", letters, which, manner or Manner(), lambda box, chosen: box.redrive(chosen))


async def drop(*letters: str, which: Filter | None = None, manner: Manner | None = None) -> int:
    """Mark dead letters as settled, without doing anything about what failed.

    Parameters
    ----------
    letters
        Their ids, as `list` names them; or say which by filters.
    """
    return await _do("dropped", letters, which, manner or Manner(), lambda box, chosen: box.drop(chosen))


async def _do(
    done: Literal["redriven", "dropped"],
    ids: Sequence[str],
    which: Filter | None,
    manner: Manner,
    act: Callable[[Letterbox, list[Letter]], AsyncIterator[Result]],
) -> int:
    from agents.cli.surroundings import who
    from stream.clock import SystemClock
    from stream.kafka.scan import LogScan
    from stream.letterbox import Letterbox, Result

    if bool(ids) + (which is not None) + manner.all_open != 1:
        raise UsageError("Say which letters, in one of three ways: their ids, filters, or --all.")
    by = manner.by or who()
    if not by.isprintable() or len(by) > LONGEST_NAME:
        raise UsageError(f"Say who does it in at most {LONGEST_NAME} printable characters.")
    clock = SystemClock()
    wanted = (which or Filter()).wanted(ALL_STATES if manner.again else ("open",), clock.now())
    bootstrap = _bootstrap()
    scan = LogScan(bootstrap)
    found = await _read(scan)
    chosen = (named(ids, found) if ids else [letter for letter in found if wanted.has(letter)])[: manner.limit]
    asks = not manner.dry_run and not manner.yes and len(chosen) > 1 and sys.stdin.isatty()
    if asks and not agreed(f"{len(chosen)} letters are to be {done}."):
        print_error("Nothing was done.")
        return 1
    ready = [letter for letter in chosen if letter.state == "open" or manner.again]
    results = [Result(letter, problem=settled_before(letter)) for letter in chosen if letter not in ready]
    complete = False
    try:
        async with AsyncExitStack() as stack:
            log = None if manner.dry_run or not ready else await _log(stack, bootstrap)
            progress = stack.enter_context(_progress(len(chosen)))
            async for result in act(Letterbox(scan, log, clock, by), ready):
                results.append(result)
                progress(len(results))
        complete = True
    finally:
        if complete or results:  # what was done before the log went away, or somebody interrupted, is done
            report(done, results, dry_run=manner.dry_run, json=manner.json)
    return 1 if any(result.problem is not None for result in results) else 0


async def _log(stack: AsyncExitStack, bootstrap: str) -> EventLog:
    from stream.kafka.event_log import EventLog

    log = EventLog(bootstrap)
    await log.start()
    stack.push_async_callback(log.stop)
    return log


def _bootstrap() -> str:
    from agents.cli.surroundings import bootstrap_servers, command_settings

    return bootstrap_servers(command_settings())


async def _read(scan: LogScan) -> list[Letter]:
    from stream.letterbox import read

    found = await read(scan)
    if found.unreadable:
        print_error(f"{found.unreadable} records of the dead letters' topic cannot be read: they are left out.")
    return found.letters


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, where there is more than one letter."""
    if total < 2 or not sys.stderr.isatty():
        yield lambda done: None
        return
    from agents.cli.progress import Progress

    with Progress() as bars:
        yield lambda done: bars.report("letters", done, total)
