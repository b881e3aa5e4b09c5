"""How dead letters, and what became of them, are shown. Their payloads may hold names and addresses of people, so they
are only shown where that was asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agents.cli.console import print_error, print_json, print_table, say

if TYPE_CHECKING:
    from stream.core.letters import Letter
    from stream.letterbox import Result

COLUMNS = ("id", "at", "connection", "stage", "error", "state", "message")


def summary(letter: Letter) -> dict[str, object]:
    """A letter in a list."""
    content = letter.content
    return {
        "id": letter.id,
        "at": content.at.isoformat(timespec="seconds"),
        "connection": content.connection,
        "stage": content.stage,
        "error": content.error,
        "state": letter.state,
        "message": content.message,
        "by": letter.by,
        "decided_at": letter.decided_at.isoformat(timespec="seconds") if letter.decided_at else None,
    }


def row(letter: Letter) -> list[object]:
    shown = summary(letter)
    return [shown[column] for column in COLUMNS]


def details(letter: Letter, payload: bytes | None, *, with_payload: bool) -> dict[str, object]:
    """All about one letter. payload: None where the log no longer holds it."""
    origin = letter.content.origin
    shown = {
        **summary(letter),
        "topic_id": letter.position.topic_id,
        "origin": None if origin is None else f"{origin.topic} {origin.partition}:{origin.offset}",
        "origin_topic_id": None if origin is None else origin.topic_id,
        "payload_bytes": None if payload is None else len(payload),
        "payload_sha256": None if payload is None else hashlib.sha256(payload).hexdigest(),
    }
    if with_payload:
        shown["headers"] = letter.content.headers
        shown["payload"] = None if payload is None else payload.decode("utf-8", "backslashreplace")
    return shown


def settled_before(letter: Letter) -> str:
    when = letter.decided_at.isoformat(timespec="seconds") if letter.decided_at else "?"
    return f"It was {letter.state} already, by {letter.by} at {when}: say --again to do it once more."


def report(done: str, results: Sequence[Result], *, dry_run: bool, json: bool) -> None:
    """What became of each letter, and how many went well."""
    failed = [result for result in results if result.problem is not None]
    well = len(results) - len(failed)
    if json:
        print_json(
            {
                "dry_run": dry_run,
                done: 0 if dry_run else well,
                "would_be": well if dry_run else 0,
                "failed": len(failed),
                "letters": [_result(result, done, dry_run=dry_run) for result in results],
            }
        )
        return
    if dry_run and well:
        rows = [(r.letter.id, r.letter.content.connection, _what(r)) for r in results if r.problem is None]
        print_table(("id", "connection", f"would be {done}, by appending"), rows)
    for result in failed:
        print_error(f"Letter {result.letter.id} is not {done}: {result.problem}")
    would = "would be " if dry_run else ""
    say(f"{well} {would}{done}" + (f", {len(failed)} not." if failed else "."))


def _result(result: Result, done: str, *, dry_run: bool) -> dict[str, object]:
    position = result.position
    return {
        "id": result.letter.id,
        "connection": result.letter.content.connection,
        "result": "failed" if result.problem is not None else f"would be {done}" if dry_run else done,
        "problem": result.problem,
        "appends": None if result.problem is not None else _what(result),
        "appended": None if position is None else f"{position.topic} {position.partition}:{position.offset}",
    }


def _what(result: Result) -> str:
    """The record that is appended, in a few words; a drop appends nothing but its command."""
    from stream.records import HrEvent

    record = result.record
    if isinstance(record, HrEvent):
        people = len(record.employees)
        return f"HrEvent for {f'employee {record.employees[0]}' if people == 1 else f'{people} employees'}"
    return "nothing" if record is None else type(record).__name__
