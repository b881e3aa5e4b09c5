"""Asks the owner of a connection for a plan, and keeps plans in files."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from agents.cli.asked import carried_out
from agents.cli.console import note
from agents.plan_orders import PLAN, place_of
from stream.core.folds import SEALED
from stream.core.plan import FORMAT, Plan, parsed
from stream.errors import Retriable, RosterbookError, UsageError
from stream.records import CommandOutcome
from stream.vault.once import AnswerKey, name_of

LARGEST = 256 * 1024 * 1024
"""Bytes of a plan file; 100,000 people with a dozen changes each stay below."""


async def asked_plan(connection: str, employees: tuple[str, ...], where: str | None) -> tuple[Plan, dict[str, Any]]:
    """The plan, and what it takes as things are now.

    Raises RosterbookError with the owner's sentence, and Retriable where another plan was asked for meanwhile.
    """
    key = AnswerKey()
    public, parts = key.public, _Parts(name_of(key.public))
    arguments = {"key": public, "employees": ",".join(employees), **({} if where is None else {"where": where})}
    answer = await carried_out(connection, PLAN, arguments, parts.heard)
    if answer.state == "failed":
        raise RosterbookError(answer.says)
    found = parts.of(answer)
    packed = b"".join(
        key.opened(sealed, place_of(connection, number, len(found))) for number, sealed in enumerate(found, 1)
    )
    told = orjson.loads(zlib.decompress(packed))
    if told["plan"].get("format") != FORMAT:
        raise UsageError("The worker is another version of Rosterbook: run the same one.")
    return parsed(told["plan"]), told["forecast"]


class _Parts:
    """The parts of the answer that are for us; whoever begins anew replaces them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._parts: dict[int, str] = {}

    def heard(self, outcome: CommandOutcome) -> None:
        sealed, number = outcome.result.get(SEALED), outcome.result.get("part")
        if not isinstance(sealed, str) or not isinstance(number, int):
            note(outcome.says)
        elif outcome.result.get("to") == self._name:
            self._parts[number] = sealed

    def of(self, end: CommandOutcome) -> list[str]:
        count = end.result.get("parts")
        if (
            end.result.get("to") != self._name
            or not isinstance(count, int)
            or not set(range(1, count + 1)) <= set(self._parts)
        ):
            raise Retriable("Somebody else asked for a plan of this connection in the same moment: ask again.")
        return [self._parts[number] for number in range(1, count + 1)]


def written(plan: Plan, file: Path) -> None:
    """Write the plan for its owner's eyes alone. Raises UsageError where that cannot be."""
    text = orjson.dumps(
        {**plan.model_dump(mode="json"), "digest": plan.digest}, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS
    )
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as to:
            to.write(text + b"\n")
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(f"{file} cannot be written: {error.strerror}.") from None


def loaded(file: Path) -> Plan:
    """The plan of a file. Raises UsageError: not there, too large, no plan, of another version, or altered."""
    try:
        if file.stat().st_size > LARGEST:
            raise UsageError(f"{file} is too large for a plan.")
        raw = orjson.loads(file.read_bytes())
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from None
    except orjson.JSONDecodeError:
        raise UsageError(f"{file} is no plan, or not a whole one: make it anew with `rosterbook plan --out`.") from None
    if not isinstance(raw, dict) or "digest" not in raw or "lines" not in raw:
        raise UsageError(f"{file} is no plan: make one with `rosterbook plan --out`.")
    if raw.get("format") != FORMAT:
        raise UsageError(f"{file} was made by another version of Rosterbook: make the plan anew.")
    try:
        plan = parsed(raw)
    except (ValidationError, TypeError):  # orjson refuses what is nested too deep as a TypeError
        raise UsageError(f"{file} is no plan as Rosterbook makes it: make it anew, and leave it as it is.") from None
    if plan.digest != raw["digest"]:
        raise UsageError(f"{file} was altered since it was made: make the plan anew, and leave it as it is.")
    return plan
