"""A mapping against what both vendors have: the fields of employees, and the custom fields of contacts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stream.core import scope
from stream.core.mapping import ACTIVE, INACTIVE
from stream.core.targets import Fault, is_custom
from stream.core.transform import PLACES, changed, fields_of, text_of
from stream.records import DateForm, Lookup, Source
from stream.records import Mapping as FieldMapping

UNLISTED = frozenset({"id", "displayName", "supervisor", "lastChanged"})
"""Fields that BambooHR answers although its list of fields may lack them (seen live)."""
DATES = frozenset({"date", "timestamp"})
"""Types of BambooHR fields that hold a date."""
TEXTS = frozenset(
    {"string", "text", "text_box", "textarea", "text_area", "multiline", "url", "email", "phone", "dropdown", "date"}
)
"""Types of Zoho custom fields that a text can be written to. Zoho documents no list of them."""
MATCHING = TEXTS - {"date", "dropdown", "multiline", "url", "email", "phone"}
"""Types of Zoho custom fields that can hold an id."""
ZOHO_DATE = "%Y-%m-%d"


@dataclass(frozen=True)
class CustomField:
    """A custom field of contacts. options: of a dropdown. unique: no two contacts share a value; None = not told."""

    api_name: str
    data_type: str
    options: tuple[str, ...] = ()
    unique: bool | None = None


Place = tuple[str | int, ...]
Found = Iterator[tuple[Place, str]]


def faults(mapping: FieldMapping, hr: Mapping[str, str], custom: Mapping[str, CustomField] | None) -> list[Fault]:
    """hr: alias and id of each field -> its type. custom: api name -> the field; None = Zoho Books does not tell.

    Empty: the mapping goes well with both.
    """
    found = [*_of_hr(mapping, hr)]
    if custom is not None:
        for target, source in mapping.fields.items():
            found += _of_target(target, source, custom)
        found += _of_state(mapping.state_field, custom)
        problem = None if mapping.match == "email" else unusable(mapping.match, custom)
        found += [] if problem is None else [(("match",), problem)]
    return [Fault(place=place, says=says) for place, says in found]


def unusable(match: str, custom: Mapping[str, CustomField]) -> str | None:
    """Why contacts cannot be found by this field, with what to do; None where nothing is known against it."""
    field = custom.get(match)
    if field is None:
        return "Zoho Books has no such custom field of contacts: make it there, or correct its API name"
    if field.unique is False:
        return "is not unique in Zoho Books: let the field prevent duplicate values there"
    if field.options or field.data_type not in MATCHING:
        return f"is of type {field.data_type} in Zoho Books: it must be a text"
    return None


def _of_hr(mapping: FieldMapping, hr: Mapping[str, str]) -> Found:
    for place, name in _named(mapping):
        if name not in hr and name not in UNLISTED:
            yield place, f"BambooHR has no field {name} that the connection's user may see"
    for target, source in mapping.fields.items():
        if not any(isinstance(change, DateForm) for change in source.change):
            continue
        if source.field is not None and hr.get(source.field, "date") not in DATES:
            yield ("fields", target), f"{source.field} is no date in BambooHR: leave the change out"
        elif source.value is not None and text_of(source, {}) is None:
            yield ("fields", target), "its value is no date such as 2026-01-31: correct it, or leave the change out"


def _named(mapping: FieldMapping) -> Iterator[tuple[Place, str]]:
    for target, source in mapping.fields.items():
        for name in fields_of(source):
            yield ("fields", target), name
    for name in PLACES.findall(mapping.name or ""):
        yield ("name",), name
    if mapping.missing_email == "home email":
        yield ("missing_email",), "homeEmail"
    if mapping.days_before_start:
        yield ("days_before_start",), "hireDate"
    if mapping.days_after_leaving:
        yield ("days_after_leaving",), "terminationDate"
    for number, expression in enumerate(mapping.scope):
        for name in scope.fields_of(expression):
            yield ("scope", number), name


def _of_target(target: str, source: Source, custom: Mapping[str, CustomField]) -> Found:
    if not is_custom(target):
        return
    place = ("fields", target)
    field = custom.get(target)
    if field is None:
        yield place, "Zoho Books has no such custom field of contacts: make it there, or correct its API name"
        return
    if field.data_type not in TEXTS:
        yield place, f"is of type {field.data_type} in Zoho Books, which takes no text: choose a field of another type"
    if field.data_type == "date" and (not source.change or source.change[-1] != DateForm(date=ZOHO_DATE)):
        yield place, f'is a date in Zoho Books: let its last change be {{ date = "{ZOHO_DATE}" }}'
    if field.options:
        yield from _of_options(place, source, field)
    if field.unique and (source.field != "id" or source.change):
        yield place, "takes each value once in Zoho Books: only the field id is another one for everybody"


def _of_options(place: Place, source: Source, field: CustomField) -> Found:
    """A value that is no option is refused, byte for byte, so what comes must be known beforehand."""
    outcomes = _outcomes(source)
    if outcomes is None:
        yield place, "is a list in Zoho Books: give a constant, or a change with a table and `other`"
    elif wrong := sorted(outcomes - {"", *field.options}):
        yield place, f"{', '.join(map(repr, wrong))[:200]} is no option of it in Zoho Books"


def _outcomes(source: Source) -> set[str] | None:
    """All texts that the source can come to, the empty one left out; None = there is no end to them."""
    outcomes: set[str] | None = None if source.value is None else {source.value}
    for change in source.change:
        if outcomes is not None:
            outcomes = {text for before in outcomes if (text := changed(before, change)) is not None}
        elif isinstance(change, Lookup) and change.other is not None:
            outcomes = {*change.table.values(), change.other, changed("", change) or ""}
    return None if outcomes is None else {text.strip() for text in outcomes}


def _of_state(name: str | None, custom: Mapping[str, CustomField]) -> Found:
    if name is None:
        return
    place, field = ("state_field",), custom.get(name)
    if field is None:
        yield place, "Zoho Books has no such custom field of contacts: make it there, or correct its API name"
    elif field.unique or field.data_type not in TEXTS - {"date"}:
        yield place, "must be a text or a list in Zoho Books that many contacts may share"
    elif field.options and not {ACTIVE, INACTIVE} <= set(field.options):
        yield place, f"must have the options {ACTIVE} and {INACTIVE} in Zoho Books"
