"""What a mapping may say: the targets there are, and every fault that shows without asking either vendor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from stream.core import scope
from stream.core.contact import NAME_MAX, PERSON_FIELD_MAX, is_address
from stream.core.transform import DATE_PARTS, PLACES, fields_of, filled_in
from stream.records import Cut, DateForm, Lookup, Mapping, Model, Source

LIMITS = {
    "first_name": NAME_MAX,
    "last_name": NAME_MAX,
    "designation": PERSON_FIELD_MAX,
    "department": PERSON_FIELD_MAX,
    "phone": PERSON_FIELD_MAX,
    "mobile": PERSON_FIELD_MAX,
    "company_name": 200,
    "website": 200,
    "notes": 5000,
}
"""Target -> characters that Zoho Books takes (Zoho Books API, contacts); a longer text is cut. Custom fields beside."""
USUAL = {
    "first_name": Source(field="firstName"),
    "last_name": Source(field="lastName"),
    "designation": Source(field="jobTitle"),
    "department": Source(field="department"),
}
"""What fills a target of which the mapping says nothing."""
LONGEST_ID = "9" * 19

_CUSTOM = re.compile(r"cf_[A-Za-z0-9_]+")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]*|-?[0-9]+(\.[0-9]+)?")


class Fault(Model):
    """place: keys and numbers from the mapping inward. says: what is wrong and what to do, the place left out."""

    place: tuple[str | int, ...]
    says: str


def is_custom(target: str) -> bool:
    """Whether it is the API name of a custom field."""
    return _CUSTOM.fullmatch(target) is not None


def faults(mapping: Mapping) -> list[Fault]:
    """In the order of the mapping's parts; empty when it can be used as far as is known without the vendors."""
    return [
        Fault(place=place, says=says)
        for place, says in (
            *_of_targets(mapping),
            *(found for target, source in mapping.fields.items() for found in _of_source(("fields", target), source)),
            *_of_pattern(("name",), mapping.name),
            *_of_addresses(mapping),
            *_of_scope(mapping),
        )
    ]


Found = Iterator[tuple[tuple[str | int, ...], str]]


def _of_targets(mapping: Mapping) -> Found:
    if mapping.state_field is not None and not is_custom(mapping.state_field):
        yield ("state_field",), "must be the API name of a custom field (cf_…)"
    taken = {} if mapping.state_field is None else {mapping.state_field.lower(): "state_field"}
    if mapping.match != "email":
        if not is_custom(mapping.match):
            yield ("match",), 'must be "email", or the API name of a custom field that no two contacts share (cf_…)'
        elif mapping.match.lower() in taken:
            yield ("match",), "is set by state_field already: leave one of them out"
        taken[mapping.match.lower()] = "match"
    for target in mapping.fields:
        place = ("fields", target)
        if target == "email":
            yield place, "the address is always the work email; missing_email says what stands for one that is missing"
        elif target == "contact_name":
            yield place, "is set by `name` of the mapping"
        elif target not in LIMITS and not is_custom(target):
            close = get_close_matches(target, LIMITS, 1)
            hint = f"did you mean {close[0]}?" if close else f"use one of {', '.join(LIMITS)} or a custom field (cf_…)"
            yield place, f"is no field of a Zoho Books contact: {hint}"
        if (other := taken.get(target.lower())) is not None:
            yield place, f"is set by {other} already: leave one of them out"
        taken[target.lower()] = target
    for target in mapping.unmapped:
        if target not in USUAL:
            yield ("fields", target), f"false is for {', '.join(USUAL)}: leave this one out"


def _of_source(place: tuple[str | int, ...], source: Source) -> Found:
    if source.field is not None and not _FIELD.fullmatch(source.field):
        yield place, "must name a BambooHR field by its alias or id, such as customCostCenter"
    if circular := next((name for name in fields_of(source) if is_custom(name)), None):
        yield place, f"{circular} is a field of Zoho Books: a source is a field of BambooHR, so nothing goes in circles"
    yield from _of_pattern((*place, "text"), source.text)
    for number, change in enumerate(source.change):
        where = (*place, "change", number)
        match change:
            case DateForm(date=form):
                if any(part not in tuple("Ymdy") for part in DATE_PARTS.findall(form)) or "%" not in form:
                    yield where, "a date is written with %Y, %y, %m and %d, such as %d.%m.%Y"
            case Lookup(table=table) if not table:
                yield where, "the table is empty"
            case Cut() | Lookup() | str():
                pass


def _of_pattern(place: tuple[str | int, ...], pattern: str | None) -> Found:
    if pattern is None:
        return
    names = PLACES.findall(pattern)
    if not names or any(brace in PLACES.sub("", pattern) for brace in "{}"):
        yield place, "must hold fields in braces, such as {firstName} {lastName}"
    elif (wrong := next((name for name in names if not _FIELD.fullmatch(name)), None)) is not None:
        yield place, f"{{{wrong[:50]}}} is no name of a BambooHR field"


def _of_addresses(mapping: Mapping) -> Found:
    pattern = mapping.placeholder
    if mapping.missing_email == "placeholder" and pattern is None:
        yield ("missing_email",), 'needs a pattern beside it: placeholder = "{id}@people.acme.example"'
    elif mapping.missing_email != "placeholder" and pattern is not None:
        yield ("placeholder",), 'counts only with missing_email = "placeholder"'
    elif pattern is not None and (
        set(PLACES.findall(pattern)) != {"id"} or not is_address(filled_in(pattern, {"id": LONGEST_ID}) or "")
    ):
        yield ("placeholder",), "must be an address that holds {id} and no other field: {id}@people.acme.example"


def _of_scope(mapping: Mapping) -> Found:
    for number, expression in enumerate(mapping.scope):
        try:
            scope.check(expression)
        except scope.WrongExpression as error:
            yield ("scope", number), f"the expression {error}"
