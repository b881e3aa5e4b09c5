"""A plan as a document: what would be done about everybody, or about some, and what it takes.

The same lines give the same bytes. It holds no time of its making; the digest is over all of it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import orjson

from stream.core.order import in_order
from stream.core.plan_line import ACTIONS, WRITING, Action, Basis, Line
from stream.records import EmployeeId, Model

FORMAT: Literal[2] = 2


class Company(Model):
    """To whom a plan belongs; a connection id says little outside its own installation."""

    subdomain: str
    region: str
    organization_id: str


class Plan(Model):
    """lines: all but those of whom nothing is to be said, in the order of the employees. calls: of Zoho Books.

    doubled: whose address several contacts show; of nobody where the contacts were not all listed.
    """

    format: Literal[2] = FORMAT
    note: str = "Holds personal data: keep it as you keep the people's records."
    connection: str
    company: Company
    mapping: str
    employees: tuple[EmployeeId, ...] = ()
    where: str | None = None
    people: int
    counts: dict[Action, int]
    calls: int
    doubled: tuple[EmployeeId, ...] = ()
    lines: tuple[Line, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical form, hex."""
        return hashlib.sha256(self.canonical).hexdigest()

    @property
    def canonical(self) -> bytes:
        return orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)


def summed(lines: Iterable[Line]) -> tuple[dict[Action, int], int, tuple[Line, ...]]:
    """Counts, calls, and the lines that say something, sorted."""
    ordered = sorted(lines, key=lambda line: in_order(line.employee))
    count = Counter(line.action for line in ordered)
    said = tuple(line for line in ordered if line.action != "unchanged")
    return {action: count[action] for action in ACTIONS}, sum(line.calls for line in said), said


def moved(planned: Basis, now: Line) -> str | None:
    """What has moved since a writing line was planned on this basis, in words; None where it can be carried out."""
    if planned == now.basis and now.action in WRITING:
        return None
    parts: Sequence[tuple[str, str, str]] = (
        ("the record in BambooHR", planned.reading, now.basis.reading),
        ("the contact in Zoho Books", planned.contact, now.basis.contact),
        ("what would be done", planned.decision, now.basis.decision),
    )
    named = [name for name, before, after in parts if before != after]
    why = f": {now.why}" if now.action == "held" and now.why else ""
    what = f"{' and '.join(named)} changed; " if named else ""
    return f"{what}it would be {WOULD_BE[now.action]} now{why}"


WOULD_BE: Mapping[Action, str] = {
    "create": "created",
    "change": "changed",
    "reactivate": "reactivated",
    "deactivate": "deactivated",
    "held": "held",
    "out of scope": "out of scope",
    "unchanged": "left as it is",
}


def parsed(raw: Mapping[str, Any]) -> Plan:
    """A plan of its JSON, its digest aside. Raises ValueError (pydantic's)."""
    return Plan.model_validate_json(orjson.dumps({name: value for name, value in raw.items() if name != "digest"}))
