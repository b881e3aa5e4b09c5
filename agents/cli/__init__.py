"""The command line `rosterbook`: finds the command, runs it, and turns how it ended into an exit code.

0 done, 1 failed, 2 wrong usage or settings or whatever stays so until somebody acts, 130 interrupted. A command returns
its exit code or None for 0; an error of `stream/errors.py` is printed as its sentence. Each group of commands is a
module of this package with a `register(app)`, named in `GROUPS`. Such a module imports what is slow (Kafka, Faust,
Tink) inside its commands, so that `--help` and a mistyped option answer at once.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import cyclopts

from agents.cli.console import print_error
from stream.errors import ActionNeeded, ConnectionTrouble, RosterbookError, UsageError

GROUPS = (
    "demo",
    "up",
    "connection",
    "mapping",
    "reconcile",
    "backfill",
    "dead_letters",
    "holds",
    "sync",
    "plan",
    "apply",
    "kafka",
    "gateway",
    "worker",
    "topics",
    "tables",
    "vault",
    "sandbox",
)
DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130


def main() -> None:
    """Entry point of the program. It ends at once: to take the interpreter apart does nothing for us and may last a
    second on a busy machine, of the five within which `up` and its parts promise to be gone.
    """
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # whoever read it has gone
            stream.flush()
    os._exit(code)


def build(groups: Sequence[str] = GROUPS) -> cyclopts.App:
    """The application with the commands of these groups."""
    app = cyclopts.App(
        name="rosterbook",
        help="Keeps the people of a BambooHR company as contacts in a Zoho Books organization.",
        version=lambda: importlib.metadata.version("rosterbook"),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for group in groups:
        importlib.import_module(f"agents.cli.{group}").register(app)
    return app


def run(arguments: Sequence[str], app: cyclopts.App | None = None) -> int:
    """Run one command line; returns the exit code. Never raises, interrupts and failures included."""
    try:
        result = (app or build())(list(arguments), exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except SystemExit as end:  # a command of the app's own, such as its version
        return end.code if isinstance(end.code, int) else MISUSED
    except cyclopts.CycloptsError as error:
        print_error(_misused(error))
        return MISUSED
    except RosterbookError as error:
        print_error(error.message)
        return MISUSED if isinstance(error, UsageError | ActionNeeded | ConnectionTrouble) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        return _failed(error)
    return result if isinstance(result, int) else DONE


def _misused(error: cyclopts.CycloptsError) -> str:
    """What is wrong with the arguments, on one line, and where to read what they may be."""
    command = " ".join(["rosterbook", *(error.command_chain or ())])
    match error:
        case cyclopts.UnusedCliTokensError():
            wrong = f"There is more than `{command}` takes ({' '.join(error.unused_tokens or ())})."
        case cyclopts.MissingArgumentError(argument=cyclopts.Argument() as missing):
            wrong = f"`{command}` needs a value for {missing.name}."
        case _:
            wrong = str(error)
    return f"{wrong} `{command} --help` says what it takes."


def _failed(error: Exception) -> int:
    """A fault of the program. The log gets its kind and places but not its text, which may hold values of people."""
    import structlog

    from stream.telemetry import log

    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    if os.environ.get("ROSTERBOOK_LOG_LEVEL", "").lower() == "debug":
        traceback.print_exception(error)
    if structlog.is_configured():
        log("cli").error("command.failed", error=type(error).__name__, at=places)
    print_error(f"internal error ({type(error).__name__} at {places[-1]}), details in the log")
    return FAILED
