"""The order in which employees are told of."""

from __future__ import annotations


def in_order(employee: str) -> tuple[int, str]:
    """The key to sort by: their ids as numbers."""
    return len(employee), employee
