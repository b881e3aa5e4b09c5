"""One employee's record as it is stored: what is effective today, and what is planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True)
class Planned:
    """Values that take effect at the start of a later day."""

    effective: date
    values: Mapping[str, str]


@dataclass
class Employee:
    """values: by field key, nothing for an empty one; list fields hold the id of their option."""

    id: str
    values: dict[str, str]
    changed_at: datetime
    planned: list[Planned] = field(default_factory=list)

    def latest(self) -> Mapping[str, str]:
        """The values once everything planned has taken effect."""
        latest = dict(self.values)
        for planned in self.planned:
            latest |= planned.values
        return latest
