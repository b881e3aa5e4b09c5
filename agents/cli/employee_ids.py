"""Employee ids as a person gives them to a command."""

from __future__ import annotations

import re

from stream.errors import UsageError

NUMBER = re.compile(r"[1-9]\d{0,18}", re.ASCII)


def check_ids(employees: tuple[str, ...]) -> None:
    """Raises UsageError for the first that is none."""
    for one in employees:
        if NUMBER.fullmatch(one) is None:
            raise UsageError(f"{one!r} is no employee id: take the number in the address of the person's page.")
