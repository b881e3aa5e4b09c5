"""How much of the calls a minute is ours, when other programs take of the same limit.

Two things tell. Where answers carry the day's count, what it grows by beyond our own calls is what others take: that is
left to them, with nothing refused. Where they do not, a refusal tells: from then on a little less is used than got
through in the minute before it, and more again, slowly first and then faster, while nothing is refused. What got
through is no measure where we asked for little. So a refusal takes at most nine tenths of what was allowed the first
time, as the limit may not be known yet, then half; and the refusals of one minute count once.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

WINDOW_S = 60.6
"""A little longer than a minute, since a call may arrive later than it was sent."""
MARGIN = 2
"""Calls a minute that others may take more than they just did."""
FIRST_BACK, BACK = 0.65, 0.9
"""Share of what got through in the minute before a refusal that is used after it: the first time others may just have
begun, so that most of what they will take is still to come.
"""
FIRST_LEAST, LEAST = 0.1, 0.5
"""Share of what was allowed that is left after a refusal, however little got through in the minute before."""
FLOOR = 10
"""Calls a minute below which a refusal never brings us: others may have been there for a moment only."""
GROWTH_MIN = 500.0
"""Quiet minutes, squared, in which what is used after a refusal doubles."""
EXPLAINED = 0.95
PAUSE_S, LONGEST_PAUSE_S = 60.0, 600.0
"""Without being told, and however often it was refused: the limit may have been free again since a minute after it was
hit. A block for an hour has a refusal of its own, which says so.
"""


@dataclass(frozen=True)
class _Seen:
    """At some moment: how many calls others had made, at least and at most."""

    at: float
    least: int
    most: int

    @property
    def about(self) -> float:
        return (self.least + self.most) / 2


class Share:
    """Of one organization. Times are seconds of a monotonic clock."""

    def __init__(self, per_minute: int) -> None:
        self._limit = per_minute
        self._seen: deque[_Seen] = deque()
        self._ceiling: float | None = None
        self._lessened_at = -math.inf
        self._resumed_at = -math.inf
        self._pause = 0.0

    def allowed(self, now: float) -> int:
        """Calls in a window that may be ours now, at least 1."""
        others = self.others
        allowed = self._limit - (math.ceil(others) + MARGIN if others > 0 else 0)
        if self._ceiling is not None:
            quiet = max(0.0, now - self._resumed_at) / 60.0
            ceiling = int(self._ceiling * (1.0 + quiet * quiet / GROWTH_MIN))
            if ceiling >= self._limit:
                self._ceiling = None
            allowed = min(allowed, ceiling)
        return max(1, allowed)

    @property
    def others(self) -> float:
        """Calls that others took in the last window of which we know; 0 unless some are certain."""
        if not self._seen:
            return 0.0
        then, last = self._seen[0], self._seen[-1]
        if last.least <= then.most:
            return 0.0
        return (last.about - then.about) * WINDOW_S / max(last.at - then.at, WINDOW_S)

    def told(self, now: float, made: int, *, begun: int, answered: int) -> None:
        """An answer says that `made` calls were made today, by anybody; ours, so far, by any beginning of counting."""
        seen = _Seen(now, made - begun, made - answered)
        if self._seen and seen.most < self._seen[-1].least:
            self._seen.clear()  # another day began
        self._seen.append(seen)
        while len(self._seen) > 1 and self._seen[1].at <= now - WINDOW_S:
            self._seen.popleft()

    def refused(self, now: float, ours: int, told: float | None) -> float:
        """The minute's limit was hit. ours: calls that got through in the window before. told: seconds to wait.

        Returns for how many seconds no call is made: as told, or a minute, and twice as long as before, up to ten
        minutes, when this refusal comes right after the one before.
        """
        others = self.others
        within = others <= 0 or ours + others < EXPLAINED * self._limit
        if within and now - self._lessened_at >= WINDOW_S:
            back, least = (FIRST_BACK, FIRST_LEAST) if self._ceiling is None else (BACK, LEAST)
            self._ceiling = max(FLOOR, least * self.allowed(now), back * ours)
            self._lessened_at = now
        pause = PAUSE_S if told is None else told
        if now - self._resumed_at < WINDOW_S:
            pause = max(pause, min(2 * self._pause, LONGEST_PAUSE_S))
        self._pause = pause
        self._resumed_at = now + pause
        return pause
