"""What becomes of somebody who had been missed: read again, found to differ or not, and their contact put right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

from stream.core.debt import NOTHING
from stream.core.rows import ContactState, Person
from stream.records import ContactKey, DesiredContact

Standing = Literal["to read", "to repair", "unreadable", "same", "repaired", "held"]
"""to read: not read yet. to repair: read, and the contact that they should have is another one now; it is not so yet.
held: the contact waits for a person, or for the end of a preview.
"""
OPEN = ("to read", "to repair")


@dataclass(frozen=True)
class Repair:
    """wanted: the hr-events offset up to which they must be read. shown: what their contact was to show before."""

    wanted: int
    shown: DesiredContact | None


Finding = Literal["missing", "stale", "left", "changed in Zoho Books"]
"""What a reading of everybody finds of one: no contact yet, another one than they should have, an active one of who has
left, one that somebody changed by hand and that is put back.
"""


Why = Literal["never read", "another mapping", "a date", "not told", "by hand"]
"""Why they had been missed. not told: neither a webhook nor BambooHR's change feed told of it. a date: the day alone
decides, such as that of a start. by hand: in Zoho Books.
"""


class Missed(NamedTuple):
    """What a reading of everybody finds of one."""

    what: Finding
    why: Why = "not told"


class Known(NamedTuple):
    """Of somebody before a reading. shown: what their contact was to show. insists: it is to be looked at even if the
    reading brings nothing new. changed: since somebody changed it by hand. why: the reading will differ, if it does.
    """

    shown: DesiredContact | None
    insists: bool = False
    changed: bool = False
    why: Why = "not told"


def why_missed(before: Person, mapping: str, today: date) -> Why:
    """Of somebody whose reading will differ from the row. mapping: the version of the reading."""
    if before.snapshot == NOTHING:
        return "never read"
    if before.mapping != mapping:
        return "another mapping"
    return "a date" if before.decides_on is not None and before.decides_on <= today else "not told"


def finding(before: Known, after: Person) -> Missed | None:
    """after: the row with the reading."""
    if before.shown is None:
        return Missed("missing", before.why) if after.shown is not None and after.shown.active else None
    if before.shown != after.shown:
        left = before.shown.active and after.shown is not None and after.shown.active is False
        return Missed("left" if left else "stale", before.why)
    return Missed("changed in Zoho Books", "by hand") if before.changed else None


def standing(
    repair: Repair, person: Person | None, contact_of: Callable[[ContactKey], ContactState | None]
) -> Standing:
    """How it stands by the rows as they are now."""
    if person is None or person.debt.settled < repair.wanted:
        return "unreadable" if person is not None and person.debt.parked >= repair.wanted else "to read"
    if person.shown == repair.shown:
        return "same"
    if person.contact_key is None:
        return "repaired"  # their contact has passed on to somebody else, in the same fold
    contact = contact_of(person.contact_key)
    if contact is None or contact.debt.wanted < person.upsert or contact.debt.unseen:
        return "to repair"
    return "repaired" if contact.debt.settled >= contact.debt.wanted else "held"
