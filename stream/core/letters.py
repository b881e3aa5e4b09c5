"""What has become of the dead letters: a pure function of the letters and of what was commanded about them.

A letter is open until a command names it; the last command decides. A fold that was repeated may have set the same
record aside twice: letters of one origin and stage are one letter, known by the first one's place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from stream.records import Command, DeadLetter, LogPosition

REDRIVE, DROP = "redrive dead letter", "drop dead letter"
"""What the commands are called; argument `letter` names the letter's place."""

LetterState = Literal["open", "redriven", "dropped"]
STATES: dict[str, LetterState] = {REDRIVE: "redriven", DROP: "dropped"}


@dataclass(frozen=True)
class Letter:
    """A dead letter and what has become of it. content: its record; the payload may have been left out to save memory.

    by, decided_at: who last commanded something about it, and when; None while it is open.
    """

    position: LogPosition
    content: DeadLetter
    state: LetterState = "open"
    by: str | None = None
    decided_at: datetime | None = None

    @property
    def id(self) -> str:
        """What people call it: partition and offset."""
        return f"{self.position.partition}:{self.position.offset}"


@dataclass(frozen=True)
class Wanted:
    """Which letters somebody speaks of; None stands for any. Times bound when a letter was written, the first included.

    stage: with or without the prefix of a topic. error: class of the error, in any case.
    """

    connection: str | None = None
    stage: str | None = None
    error: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    states: frozenset[LetterState] = frozenset(("open", "redriven", "dropped"))

    def has(self, letter: Letter) -> bool:
        content = letter.content
        return (
            letter.state in self.states
            and self.connection in (None, content.connection)
            and self.stage in (None, content.stage, content.stage.rpartition(".")[2])
            and (self.error is None or self.error.lower() == content.error.lower())
            and (self.since is None or content.at >= self.since)
            and (self.until is None or content.at < self.until)
        )


def place(position: LogPosition) -> str:
    """How a command names a letter: topic id, partition, offset."""
    return f"{position.topic_id}/{position.partition}/{position.offset}"


def letters(found: Iterable[tuple[LogPosition, DeadLetter]], commands: Iterable[Command]) -> list[Letter]:
    """The letters, oldest first. Both inputs in the order of the log within each partition."""
    by_name: dict[tuple[str, ...], Letter] = {}
    named: dict[str, tuple[str, ...]] = {}
    for position, content in found:
        origin = content.origin
        name = (place(position),) if origin is None else (content.stage, place(origin))
        by_name.setdefault(name, Letter(position, content))
        named[place(position)] = name
    for command in commands:
        state, name_of = STATES.get(command.command), named.get(command.arguments.get("letter", ""))
        if state is not None and name_of is not None:
            by_name[name_of] = replace(by_name[name_of], state=state, by=command.asked_by, decided_at=command.at)
    return sorted(
        by_name.values(), key=lambda letter: (letter.content.at, letter.position.partition, letter.position.offset)
    )
