"""The order in which employees are told of, and how many of them a sentence names."""

from __future__ import annotations

from collections.abc import Collection

NAMED = 10


def in_order(employee: str) -> tuple[int, str]:
    """The key to sort by: their ids as numbers."""
    return len(employee), employee


def some(employees: Collection[str], most: int = NAMED) -> str:
    """The first of them by name."""
    named = ", ".join(sorted(employees, key=in_order)[:most])
    return f"{named} and more" if len(employees) > most else named
