"""A TOML file that a user wrote: read, and its faults told by their places and lines, never with a value."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from stream.errors import ConnectionFileError

MAX_BYTES = 1024 * 1024
SHOWN = 20
"""So many faults are named; a file with more is another kind of file."""
MAX_READ = 16_000_000
"""Characters. Of larger files the lines are not told: finding one takes a reading of all before it for each line."""

Place = tuple[int | str, ...]
Fault = tuple[Place, str]
"""Keys and numbers from the file's top inward, and what is wrong there."""
_ENDS = ("\n", "\n]", "\n]}", "\n]]")
"""What may be missing where a file is cut: nothing, or the end of a list, of one in a table, of one in a list."""
_TWICE = ("overwrite", "twice", "Duplicate")


@dataclass(frozen=True)
class TomlFile:
    """path: as the user named it. text: without a byte order mark."""

    path: Path
    text: str
    content: dict[str, Any]

    def refusal(self, faults: Sequence[Fault]) -> ConnectionFileError:
        """The error that names them all, each with its line where it has one."""
        shown = faults[:SHOWN]
        lines = self.lines_of([place for place, _ in shown])
        named = "; ".join(
            f"{_named(place)}: {says}" + (f" (line {line})" if line else "")
            for (place, says), line in zip(shown, lines, strict=True)
        )
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        return ConnectionFileError(f"{self.path} is not accepted: {named}{more}.")

    def lines_of(self, places: Sequence[Place]) -> list[int | None]:
        """The line where each begins; of what is not in the file, that of what it would be in; None = nowhere.

        Whatever is there once the file is read up to a line, and was not before, begins after the last line up to which
        it could be read.
        """
        wanted = [_present(self.content, place) for place in places]
        lines: dict[Place, int] = {}
        source = self.text.split("\n")
        if len(source) * len(self.text) > MAX_READ:
            return [None] * len(places)
        readable = 0
        missing = {place for place in wanted if place}
        for number in range(1, len(source) + 1):
            if not missing:
                break
            content = _content("\n".join(source[:number]))
            if content is None:
                continue
            found = {place for place in missing if _present(content, place) == place}
            lines |= dict.fromkeys(found, readable + 1)
            missing -= found
            readable = number
        return [lines.get(place) for place in wanted]


def _content(start: str) -> dict[str, Any] | None:
    """Of the first lines of a file; None where they end amid something that no end of a list completes."""
    for end in _ENDS:
        try:
            return tomllib.loads(start + end)
        except (ValueError, RecursionError):
            continue
    return None


def read_toml(path: Path) -> TomlFile:
    """Raises ConnectionFileError with a sentence that says what to do."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConnectionFileError(f"There is no file {path}: name a connection file.") from None
    except OSError as error:
        raise ConnectionFileError(f"{path} cannot be read ({error.strerror}): make it readable.") from None
    if len(content) > MAX_BYTES:
        raise ConnectionFileError(f"{path} is over 1 MiB: name a connection file.")
    try:
        text = content.decode("utf-8-sig")
        return TomlFile(path, text.replace("\r\n", "\n"), tomllib.loads(text + "\n"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConnectionFileError(f"{path} is not UTF-8 at line {line}: save it as UTF-8.") from None
    except (ValueError, RecursionError) as error:  # beside its own error, tomllib lets those of int() and depth through
        place = re.search(r"\(at (line \d+|end of document)", str(error))
        wrong = "says something twice" if any(word in str(error) for word in _TWICE) else "is not TOML"
        raise ConnectionFileError(f"{path} {wrong}{f' at {place[1]}' if place else ''}: correct it.") from None


def faults_in(error: ValidationError) -> list[Fault]:
    """What a model found, in our words."""
    return [(fault["loc"], _sentence(fault)) for fault in error.errors(include_input=False, include_url=False)]


def _sentence(fault: ErrorDetails) -> str:
    match fault["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is not known here"
        case "string_type":
            return "must be text in quotes"
        case "int_type":
            return "must be a whole number"
        case "greater_than_equal":
            return f"must be at least {fault['ctx']['ge']}"
        case "less_than_equal":
            return f"must be at most {fault['ctx']['le']}"
        case "literal_error":
            return f"must be {fault['ctx']['expected']}"
        case "model_type" | "dict_type" | "model_attributes_type":
            return "must be a table"
        case "tuple_type":
            return "must be a list in brackets"
        case _:
            return fault["msg"]


def _named(place: Place) -> str:
    # Where there are several kinds of table, the key that tells the kind is named twice.
    name = ".".join(str(step) for step, before in zip(place, (None, *place), strict=False) if step != before)[:100]
    return name if name.isprintable() else ascii(name)


def _present(content: object, place: Iterable[int | str]) -> Place:
    """The part of a place that the content has; names that stand for no key of the file are passed over."""
    found: list[int | str] = []
    for step in place:
        match content:
            case dict() if step in content:
                content = content[str(step)]
            case list() if isinstance(step, int) and step < len(content):
                content = content[step]
            case _:
                continue
        found.append(step)
    return tuple(found)
