"""The one place that prints for commands: tables and sentences for people, JSON for programs, errors as one line.

Answers go to standard output and nothing else does; errors and progress go to standard error. What is printed is never
read as markup. Colours and the terminal's width apply only on a terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import IO

WIDE = 500
"""Columns where there is no terminal: nothing is cut in a file or a pipe."""


def print_json(value: object) -> None:
    """Indented JSON. Times become ISO 8601 text, paths and whatever else has no JSON form their text."""
    import orjson

    sys.stdout.write(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2).decode() + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, to: IO[str] | None = None) -> None:
    """A table; columns that do not fit a terminal are folded, not cut. to: standard output, unless it is no answer."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    file = sys.stdout if to is None else to
    console = Console(file=file, width=None if file.isatty() else WIDE, highlight=False)
    console.print(table)


def say(sentence: str) -> None:
    """A sentence as an answer."""
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


def emit(event: Mapping[str, object], text: str, *, json: bool) -> None:
    """One event of a command that runs on: a line of JSON or a sentence, at once even into a pipe."""
    import orjson

    sys.stdout.write((orjson.dumps(event, default=str).decode() if json else text) + "\n")
    sys.stdout.flush()


def agreed(what: str) -> bool:
    """Ask on the terminal whether to go on with `what`, a sentence."""
    sys.stderr.write(f"{what} Go on? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def note(sentence: str) -> None:
    """A hint or how far it has come, as one line on standard error."""
    sys.stderr.write(" ".join(sentence.split()) + "\n")
    sys.stderr.flush()


def print_error(sentence: str) -> None:
    """An error as one line on standard error, red on a terminal."""
    line = " ".join(sentence.split())
    sys.stderr.write(f"\033[31m{line}\033[0m\n" if sys.stderr.isatty() else f"{line}\n")
    sys.stderr.flush()
