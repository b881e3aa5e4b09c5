"""`GET /employees`: filters, sorting, cursor pages and restricted fields, apart from HTTP.

A cursor names the employee at the boundary and where that one stood. If they are gone, no longer match or stand
elsewhere when the cursor comes back, the page cannot be continued: `BadPage`, and the reader starts again.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import orjson

from stream.sandbox.bamboohr.accounts import Caller
from stream.sandbox.bamboohr.company import Company
from stream.sandbox.bamboohr.employee import Employee
from stream.sandbox.bamboohr.listing_words import (
    AMOUNTS,
    ARRAYS,
    CHOICES,
    DEFAULT,
    FILTERABLE,
    FLAGS,
    NUMBERS,
    OPTIONAL,
    SORTABLE,
    field_of,
)
from stream.sandbox.bamboohr.reading import Reading
from stream.sandbox.bamboohr.refusals import Refused, refused_list

DEFAULT_LIMIT, MAX_LIMIT = 250, 2500

Matches = Callable[[Any], bool]


@dataclass(frozen=True)
class Query:
    """A parsed request. sort: words with whether they descend. cursor: set together with its direction."""

    filters: Mapping[str, Matches]
    ids: frozenset[str] | None
    fields: tuple[str, ...]
    sort: tuple[tuple[str, bool], ...]
    limit: int
    cursor: str | None
    direction: Literal["after", "before"]


@dataclass(frozen=True)
class Page:
    rows: list[dict[str, Any]]
    total: int
    next_cursor: str | None
    prev_cursor: str | None


def parse(pairs: Iterable[tuple[str, str]]) -> Query:
    """From the query string, later plain keys replacing earlier ones. Raises Refused 400 or 422."""
    filters: dict[str, Matches] = {}
    ids: list[str] | None = None
    fields: list[str] = []
    plain: dict[str, str] = {}
    for key, value in pairs:
        if key in ("filter[ids]", "filter[ids][]"):
            ids = (ids or []) + [part.strip() for part in value.split(",")]
        elif key.startswith("filter[") and key.endswith("]"):
            name = key[len("filter[") : -1]
            filters[name] = _matcher(name, value)
        elif key == "filter":
            raise _bad("filter must be given as filter[name]=value")
        elif key == "fields[]":
            fields.append(value)
        else:
            plain[key] = value
    if ids is not None and not all(part.isdecimal() for part in ids):
        raise _bad("filter[ids] must be a list of integers")
    asked = [*plain.get("fields", "").split(","), *fields]
    after, before = plain.get("page[after]"), plain.get("page[before]")
    if after is not None and before is not None:
        raise refused_list(400, "BadPage", "page[after] and page[before] exclude each other")
    return Query(
        filters,
        None if ids is None else frozenset(str(int(part)) for part in ids),
        tuple(dict.fromkeys(name for name in (part.strip() for part in asked) if name in OPTIONAL)),
        _sorting(plain.get("sort", "")),
        _limit(plain.get("page[limit]")),
        after if after is not None else before,
        "before" if before is not None else "after",
    )


def page(company: Company, caller: Caller, query: Query) -> Page:
    """The asked page of everybody the caller may see. Raises Refused 400 BadPage."""
    people = _ordered(company, _matching(company, caller, query), query.sort)
    start, end = 0, query.limit
    if query.cursor is not None:
        boundary = _boundary(company, people, query)
        start, end = (
            (boundary + 1, boundary + 1 + query.limit)
            if query.direction == "after"
            else (max(0, boundary - query.limit), boundary)
        )
    shown = people[start:end]
    return Page(
        [_row(company, caller, employee, (*DEFAULT, *query.fields)) for employee in shown],
        len(people),
        _cursor(company, "after", shown[-1], query.sort) if shown and end < len(people) else None,
        _cursor(company, "before", shown[0], query.sort) if shown and start > 0 else None,
    )


def _bad(message: str) -> Refused:
    return refused_list(400, "BadRequest", message)


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not text.isdecimal() or not 1 <= int(text) <= MAX_LIMIT:
        raise _bad(f"page[limit] must be between 1 and {MAX_LIMIT}")
    return int(text)


def _sorting(text: str) -> tuple[tuple[str, bool], ...]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if any(word.removeprefix("-") not in SORTABLE for word in words):
        raise _bad(f"sort accepts {', '.join(SORTABLE)}")
    return tuple((word.removeprefix("-"), word.startswith("-")) for word in words)


def _matcher(name: str, wanted: str) -> Matches:
    if name not in FILTERABLE:
        raise refused_list(422, "UnprocessableEntity", f"filter[{name}] is not supported")
    if name in CHOICES:
        if wanted not in CHOICES[name]:
            raise _bad(f"filter[{name}] accepts {', '.join(CHOICES[name])}")
        return lambda value: value is not None and value.casefold() == wanted.casefold()
    if name in FLAGS:
        if wanted not in ("true", "false"):
            raise _bad(f"filter[{name}] must be true or false")
        return lambda value: value is not None and value == (wanted == "true")
    try:
        if name in NUMBERS:
            number = float(wanted)
            return lambda value: value is not None and float(value) == number
        if name.endswith("Id"):
            option = str(int(wanted))
            return lambda value: value == option
        if name.endswith("Date"):
            day = date.fromisoformat(wanted).isoformat()
            return lambda value: value == day
    except ValueError:
        raise _bad(f"filter[{name}] has the wrong form") from None
    part = wanted.casefold()
    return lambda value: value is not None and part in value.casefold()


def _matching(company: Company, caller: Caller, query: Query) -> list[Employee]:
    ids = query.ids
    people = (
        company.people.values()
        if ids is None
        else [company.people[employee_id] for employee_id in ids if employee_id in company.people]
    )
    used = [field_of(word) for word in (*query.filters, *(word for word, _ in query.sort))]
    return [
        employee
        for employee in people
        if caller.sees(employee.id)
        and all(caller.reads(field, employee.id) for field in used)
        and all(matches(_value(company, employee, word)) for word, matches in query.filters.items())
    ]


def _value(company: Company, employee: Employee, word: str) -> Any:
    return _shown(word, Reading(company, employee).text(field_of(word)))


def _shown(word: str, value: Any) -> Any:
    """A stored text as the type that this endpoint has for the word."""
    if word in FLAGS and isinstance(value, str):
        return value == "true"
    if word in AMOUNTS:
        amount, _, currency = (value or "").partition(" ")
        return {"amount": amount, "currency": currency}
    return [] if word in ARRAYS else value


def _ordered(company: Company, people: list[Employee], sort: tuple[tuple[str, bool], ...]) -> list[Employee]:
    """Nulls first when ascending, last when descending; ties and everything else by id."""
    people = sorted(people, key=lambda employee: int(employee.id))
    for word, descending in reversed(sort):
        people.sort(key=lambda employee: _rank(company, employee, word), reverse=descending)
    return people


def _rank(company: Company, employee: Employee, word: str) -> tuple[bool, Any]:
    if word == "employeeId":
        return True, int(employee.id)
    value = _value(company, employee, word)
    return value is not None, (value or "").casefold()


def _stands(company: Company, employee: Employee, sort: tuple[tuple[str, bool], ...]) -> list[Any]:
    return [_value(company, employee, word) for word, _ in sort]


def _cursor(company: Company, direction: str, employee: Employee, sort: tuple[tuple[str, bool], ...]) -> str:
    content = orjson.dumps([direction, employee.id, _stands(company, employee, sort)])
    return base64.urlsafe_b64encode(content).decode()


def _boundary(company: Company, people: list[Employee], query: Query) -> int:
    """Where the cursor's employee stands among `people`."""
    try:
        direction, employee_id, stood = orjson.loads(
            base64.b64decode(query.cursor or "", altchars=b"-_", validate=True)
        )
    except (ValueError, binascii.Error):
        raise refused_list(400, "BadPage", "The page cursor is malformed") from None
    if direction != query.direction:
        raise refused_list(400, "BadPage", "The page cursor is of the other direction")
    for index, employee in enumerate(people):
        if employee.id == employee_id and _stands(company, employee, query.sort) == stood:
            return index
    raise refused_list(400, "BadPage", "The employee at the boundary of the page has changed")


def _row(company: Company, caller: Caller, employee: Employee, words: Iterable[str]) -> dict[str, Any]:
    reading = Reading(company, employee)
    row: dict[str, Any] = {}
    restricted: list[str] = []
    for word in words:
        field = field_of(word)
        if not caller.reads(field, employee.id):
            row[word] = None
            restricted.append(word)
            continue
        row[word] = _shown(word, reading.text(field))
    return row | {"_restrictedFields": restricted}
