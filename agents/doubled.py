"""What is said of contacts that others doubled in Zoho Books: one of them is kept, and none is made more."""

from __future__ import annotations

from collections.abc import Collection

from stream.core.order import some


def said(employees: Collection[str]) -> str:
    """A sentence about those whose address several contacts show; which are to be merged is for a person to say."""
    return f"Zoho Books has more than one contact with the address of employees {some(employees)}: merge them there."
