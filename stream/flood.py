"""The flood guard: when too many records of one lane fail for good, the fault lies with none of them. The lane then
keeps what it owes instead of emptying it into dead letters, tries one record at a time, and goes on with the first
that succeeds. `refused` is asked before a record is given up, `accepted` is told of each one that went well.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from stream.errors import ConnectionTrouble, RecordRefused


@dataclass(frozen=True)
class FloodPolicy:
    """At most `run` records in a row may fail for good, and of the last `window` at most `share` (0 to 1)."""

    run: int = 10
    share: float = 0.5
    window: int = 20


class Flood(ConnectionTrouble):
    """One record more would be too many: it stays owed, like all after it."""


class FloodGuard:
    """What became of the last records of one lane. stopped: why nothing is given up any more, None while it may be."""

    def __init__(self, policy: FloodPolicy, stopped: str | None = None) -> None:
        """stopped: as a former owner of the lane left it."""
        self._policy = policy
        self._run = 0
        self._failed: deque[bool] = deque(maxlen=policy.window)
        self.stopped = stopped

    def refused(self, error: RecordRefused) -> None:
        """A record is about to be given up. Raises Flood when it must not be; nothing has changed then.

        The policy holds over what is given up, before and after a stop: the successes that end a stop make no room for
        more failures than they are themselves.
        """
        if self.stopped is None:
            self.stopped = self._reason(error)
        if self.stopped is not None:
            raise Flood(self.stopped)
        self._run += 1
        self._failed.append(True)

    def accepted(self) -> None:
        """A record went well at the vendor: the next ones may fail for reasons of their own again."""
        self._run = 0
        self._failed.append(False)
        self.stopped = None

    def _reason(self, error: RecordRefused) -> str | None:
        """Why this failure would be one too many."""
        policy, window = self._policy, self._policy.window
        latest = list(self._failed)[-(window - 1) :] if window > 1 else []
        if self._run >= policy.run:
            what = f"{self._run} records in a row failed for good"
        elif len(latest) == window - 1 and sum(latest) + 1 > policy.share * window:
            what = f"{sum(latest) + 1} of the last {window} records failed for good"
        else:
            return None
        return (
            f"{what}, so the rest is kept and tried one at a time until one succeeds: mend what they have in common. "
            f"The last one: {error.message}"
        )
