"""Which dead letters a command line means: by their ids, or by what is said of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cyclopts import Parameter

from stream.errors import UsageError

if TYPE_CHECKING:
    from stream.core.letters import Letter, LetterState, Wanted

_AGE = re.compile(r"([0-9]{1,6})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_ID = re.compile(r"[0-9]{1,6}:[0-9]{1,19}")


@Parameter(name="*")
@dataclass(frozen=True)
class Filter:
    """Which letters.

    Parameters
    ----------
    connection
        Of this connection.
    stage
        That failed here: gateway, bamboohr, zoho, or a topic such as employees.
    error
        With this class of error, as the list names it.
    since
        Written at or after this: 2026-03-04, 2026-03-04T09:15 (UTC), or an age such as 90m, 12h or 7d.
    until
        Written before this.
    """

    connection: str | None = None
    stage: str | None = None
    error: str | None = None
    since: str | None = None
    until: str | None = None

    def wanted(self, states: Iterable[LetterState], now: datetime) -> Wanted:
        """Raises UsageError when a time cannot be read."""
        from stream.core.letters import Wanted

        return Wanted(
            connection=self.connection,
            stage=self.stage,
            error=self.error,
            since=None if self.since is None else moment(self.since, now),
            until=None if self.until is None else moment(self.until, now),
            states=frozenset(states),
        )


def moment(text: str, now: datetime) -> datetime:
    """A day (its beginning, in UTC), a time (in UTC unless it says otherwise), or an age. Raises UsageError."""
    try:
        if age := _AGE.fullmatch(text.strip()):
            return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
        found = datetime.fromisoformat(text.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError("A time is 2026-03-04, 2026-03-04T09:15 or an age such as 90m, 12h or 7d.") from None


def named(ids: Sequence[str], letters: Sequence[Letter]) -> list[Letter]:
    """The letters with these ids, each once. Raises UsageError where there is none."""
    known = {letter.id: letter for letter in letters}
    for one in ids:
        if _ID.fullmatch(one) is None:
            raise UsageError("A letter's id is its partition and offset, such as 3:17: `rosterbook dead-letters list`.")
        if one not in known:
            raise UsageError(f"There is no dead letter {one}: `rosterbook dead-letters list` names those there are.")
    return list({one: known[one] for one in ids}.values())
