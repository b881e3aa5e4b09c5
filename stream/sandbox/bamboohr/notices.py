"""What a change of an employee leaves behind: a notice for webhooks, an entry for the change feed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True)
class Notice:
    """Something that webhooks may tell. changed: keys of fields, all standard or all custom."""

    action: Literal["created", "updated", "deleted"]
    employee_id: str
    at: datetime
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """The latest change of one employee, as the change feed has it."""

    action: Literal["Inserted", "Updated", "Deleted"]
    at: datetime
