"""The leaver guard: may this contact be made inactive now, or does a person have to say so first?

A bad export, or a key that no longer sees anybody, looks like everybody leaving at once. So when more people leave than
`LeaverGuard` lets go within its hours, the window closes: those who are not done yet, and all who follow in it, are
held. A window opens with the first leaver while none is open, and ends after those hours. Who should have had an active
contact is counted when it opens; who has left is counted over the last hours up to now, so that the end of a window is
no way to let twice as many go. What a person approved of does not count. Those who wait for a decision go on waiting
whatever window is open, and whatever newer reading says the same of them.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from stream.core.rows import ContactState, Window
from stream.records import LeaverGuard


@dataclass(frozen=True)
class Verdict:
    """go: it may be done now. window: as it is from now on. news: what of that is to be put on record.

    leaving: how many have left within the guard's hours or are about to.
    """

    go: bool
    window: Window | None
    leaving: int = 0
    news: Literal["opened", "closed"] | None = None


@dataclass
class Headcount:
    """Contact keys by where they stand, kept up to date row by row.

    active: should be active. leaving: their contact is, or may be, and is to be made inactive. waiting: held, and
    nobody has decided. left: when they were made inactive without anybody's approval. let_go: when the guard last said
    so; the rows may not know it yet.
    """

    active: set[str] = field(default_factory=set)
    leaving: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    left: dict[str, datetime] = field(default_factory=dict)
    let_go: dict[str, datetime] = field(default_factory=dict)

    def note(self, key: str, state: ContactState) -> None:
        """The row is so now."""
        for members, belongs in (
            (self.active, state.desired.active is True),
            (self.leaving, is_leaving(state)),
            (self.waiting, is_waiting(state)),
        ):
            members.add(key) if belongs else members.discard(key)
        if state.left is not None and state.left.offset > state.debt.approved:
            self.left[key] = state.left.at
        else:
            self.left.pop(key, None)

    def gone(self, since: datetime) -> Set[str]:
        """Who left after `since`, or is about to."""
        return self.leaving.union(*({key for key, at in one.items() if at > since} for one in (self.left, self.let_go)))


def is_leaving(state: ContactState) -> bool:
    """Whether a contact that may be active is to be made inactive, without anybody having been asked about it."""
    debt = state.debt
    unasked = debt.owed and debt.wanted > debt.approved and not debt.undecided
    return unasked and state.desired.active is False and state.contact_id is not None and state.active is not False


def is_waiting(state: ContactState) -> bool:
    """Whether the leaver guard holds the contact and a person is to decide. Who is back is not held any more."""
    return state.debt.undecided and state.desired.active is False


def decide(key: str, count: Headcount, policy: LeaverGuard, window: Window | None, now: datetime) -> Verdict:
    """Whether the contact of `key` may be made inactive. window: the last one, None while there was none.

    The caller puts the news on record, hands the window in the next time, and notes in the headcount whom it let go.
    """
    if key in count.waiting:
        return Verdict(False, window)
    span = timedelta(hours=policy.hours)
    is_open = window is not None and now < window.opened_at + span
    if window is not None and is_open and window.closed:
        return Verdict(False, window)  # without counting, however many follow
    gone = count.gone(now - span) | {key}
    news: Literal["opened", "closed"] | None = None
    if window is None or not is_open:
        window, news = Window(opened_at=now, people=len(count.active | count.leaving | {key})), "opened"
    if not window.closed and is_too_many(len(gone), window.people, policy):
        window, news = window.model_copy(update={"closed": True}), "closed"
    return Verdict(not window.closed, window, len(gone), news)


def is_too_many(leaving: int, people: int, policy: LeaverGuard) -> bool:
    """leaving: of so many people."""
    return leaving > policy.people and leaving * 100 > policy.percent * people
