"""What a BambooHR employee answer says. A field that was withheld stays absent and one that is empty becomes an empty
text: the two must never be mixed up, since BambooHR drops forbidden fields without a word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from stream.records import EmployeeId

NO_DATE = "0000-00-00"
"""How BambooHR writes a date that is not set, where it does not write null."""


def reading(body: Mapping[str, Any], employee: EmployeeId, fields: Sequence[str]) -> dict[str, str] | None:
    """Those of `fields` that the answer held, as text; None when it is not about this employee or cannot be kept.

    Fields that the answer itself names as restricted count as withheld although they are there, as null (BambooHR API,
    employees: `_restrictedFields`).
    """
    found = body.get("id")
    if isinstance(found, bool) or not isinstance(found, str | int) or str(found) != employee:
        return None
    restricted = body.get("_restrictedFields")
    withheld = {name for name in restricted if isinstance(name, str)} if isinstance(restricted, list) else set()
    try:
        return {name: _text(body[name]) for name in fields if name in body and name not in withheld}
    except orjson.JSONEncodeError:  # nested deeper than can be written again
        return None


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return "" if value.strip() == NO_DATE else value
    return orjson.dumps(value).decode()
