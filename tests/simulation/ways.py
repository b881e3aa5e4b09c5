"""How a company's vendors behave where their documents leave it open: drawn for each, since either answer must do."""

from __future__ import annotations

import random
from typing import Any, Literal, get_args, get_origin, get_type_hints

from stream.records import ConnectionId
from stream.sandbox.bamboohr.quirks import BambooHrQuirks
from stream.sandbox.zoho.quirks import ZohoQuirks


def bamboohr_of(seed: int, connection: ConnectionId) -> BambooHrQuirks:
    return BambooHrQuirks(**_drawn(BambooHrQuirks, f"{seed} {connection}") | {"duplicate_email": "accepted"})


def zoho_of(seed: int, connection: ConnectionId) -> ZohoQuirks:
    return ZohoQuirks(**_drawn(ZohoQuirks, f"{seed} {connection}"))


def _drawn(quirks: type, seed: str) -> dict[str, Any]:
    """By a chance of their own: a new switch moves no other draw."""
    return {
        name: random.Random(f"{seed} {name}").choice(get_args(kind))
        for name, kind in get_type_hints(quirks).items()
        if get_origin(kind) is Literal
    }
