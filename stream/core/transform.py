"""A source of the mapping and an employee's fields -> the text that a target shows, or None where it is not known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import assert_never

from stream.records import Change, Cut, DateForm, Lookup, Source

PLACES = re.compile(r"\{([^{}]*)\}")
"""A field in a pattern."""
DATE_PARTS = re.compile(r"%(.)?", re.DOTALL)


def fields_of(source: Source) -> Iterator[str]:
    """The BambooHR fields that it needs."""
    if source.field is not None:
        yield source.field
    yield from PLACES.findall(source.text or "")


def text_of(source: Source, fields: Mapping[str, str]) -> str | None:
    """None where a field that it needs was withheld, or a date is none."""
    if source.value is not None:
        text: str | None = source.value
    elif source.field is not None:
        text = fields.get(source.field)
    else:
        text = filled_in(source.text or "", fields)
    for change in source.change:
        if text is None:
            return None
        text = changed(text, change)
    return None if text is None else text.strip()


def filled_in(pattern: str, fields: Mapping[str, str]) -> str | None:
    """The pattern with its fields, without double spaces; None where one of them was withheld."""
    if any(name not in fields for name in PLACES.findall(pattern)):
        return None
    return " ".join(PLACES.sub(lambda place: fields[place[1]], pattern).split())


def changed(text: str, change: Change) -> str | None:
    """The text after one change; None where it is no date."""
    match change:
        case "trim":
            return text.strip()
        case "upper":
            return text.upper()
        case "lower":
            return text.lower()
        case "title":
            return text.title()
        case Cut(cut=length):
            return text[:length]
        case Lookup(table=table, other=other):
            return table.get(text, other if other is not None and text else text)
        case DateForm(date=form):
            return _date(text.strip(), form)
        case _:
            assert_never(change)


def _date(text: str, form: str) -> str | None:
    """BambooHR writes dates as 2026-01-31, some with a time after them."""
    if not text:
        return ""
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return None
    parts = {"Y": f"{day.year:04}", "y": f"{day.year % 100:02}", "m": f"{day.month:02}", "d": f"{day.day:02}"}
    return DATE_PARTS.sub(lambda part: parts.get(part[1] or "", part[0]), form)
