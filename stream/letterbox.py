"""Dead letters as a person handles them: read from the log, redriven or dropped, each with a record of who did it.

What was appended first and what is recorded second may be repeated after a crash in between: everybody who reads what
a redrive appends is built for repeats. One letter's failure is its own result; only the log being away ends the work.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from stream.clock import Clock
from stream.codec import decode
from stream.core.letters import DROP, REDRIVE, Letter, letters, place
from stream.errors import RecordRefused
from stream.kafka.scan import LogScan
from stream.records import AnyRecord, Command, DeadLetter, LogPosition
from stream.redrive import payload_of, redriven
from stream.topics import COMMANDS, DEAD_LETTERS

GONE = "The log no longer holds this letter: its time is over."


class Appends(Protocol):
    """The log, as far as it is written to here."""

    async def append(self, record: AnyRecord) -> LogPosition: ...


class Found(NamedTuple):
    """letters: oldest first, without their payloads. unreadable: records of the topic that are no letters."""

    letters: list[Letter]
    unreadable: int


@dataclass(frozen=True)
class Result:
    """What became of one letter. record: what was appended for it, or would be. problem: why nothing was."""

    letter: Letter
    record: AnyRecord | None = None
    position: LogPosition | None = None
    problem: str | None = None


class Letterbox:
    """One visit to the dead letters. by: who makes it. log: None = a dry run, which appends nothing."""

    def __init__(self, scan: LogScan, log: Appends | None, clock: Clock, by: str) -> None:
        self._scan = scan
        self._log = log
        self._clock = clock
        self._by = by

    async def redrive(self, chosen: Iterable[Letter]) -> AsyncIterator[Result]:
        """Try these letters once more, one after the other, in the order of the log."""
        waiting = {letter.position: letter for letter in chosen}
        async for entry in self._scan.these(list(waiting)):
            letter = waiting.pop(entry.position)
            try:
                yield await self._redrive(letter, entry.value)
            except RecordRefused as error:
                yield Result(letter, problem=error.message)
        for letter in waiting.values():
            yield Result(letter, problem=GONE)

    async def _redrive(self, letter: Letter, value: bytes | None) -> Result:
        whole, payload = await self._opened(value)
        record = redriven(whole, payload, self._clock.now())
        if self._log is None:
            return Result(letter, record)
        position = await self._log.append(record)
        await self._log.append(self._command(REDRIVE, letter, {"appended": place(position), "topic": position.topic}))
        return Result(letter, record, position)

    async def drop(self, chosen: Iterable[Letter]) -> AsyncIterator[Result]:
        """Mark these letters as settled. They stay on the log until their time is over."""
        for letter in chosen:
            if self._log is not None:
                await self._log.append(self._command(DROP, letter, {}))
            yield Result(letter)

    async def payload(self, letter: Letter) -> bytes | None:
        """What failed, None where the log no longer holds it. Raises RecordRefused when it is damaged."""
        async for entry in self._scan.these([letter.position]):
            return (await self._opened(entry.value))[1]
        return None

    async def _opened(self, value: bytes | None) -> tuple[DeadLetter, bytes | None]:
        """The letter, and what failed, which may lie at its origin alone; None where the log no longer holds it."""
        whole = decode(DEAD_LETTERS, value)
        assert isinstance(whole, DeadLetter)
        payload = payload_of(whole)
        if payload is None and whole.origin is not None:
            found = [entry.value async for entry in self._scan.these([whole.origin])]
            payload = found[0] if found else None
        return whole, payload

    def _command(self, command: str, letter: Letter, more: dict[str, str]) -> Command:
        return Command(
            connection=letter.content.connection,
            command=command,
            asked_by=self._by,
            arguments={"letter": place(letter.position), **more},
            at=self._clock.now(),
        )


async def read(scan: LogScan) -> Found:
    """All letters that the log holds, with what has become of them."""
    found: list[tuple[LogPosition, DeadLetter]] = []
    commands: list[Command] = []
    unreadable = 0
    async for entry in scan.all([DEAD_LETTERS, COMMANDS]):
        topic = DEAD_LETTERS if entry.position.topic == DEAD_LETTERS.name else COMMANDS
        try:
            record = decode(topic, entry.value)
        except RecordRefused:
            unreadable += topic is DEAD_LETTERS
            continue
        match record:
            case DeadLetter():
                found.append((entry.position, record.model_copy(update={"payload": ""})))
            case Command():
                commands.append(record)
    return Found(letters(found, commands), unreadable)
