"""What a body of field names and values means: checked as the vendor checks it, in the form the record keeps.

BambooHR: unknown and computed fields are ignored without a word; a value that does not fit is a 409; a list field takes
the text of one of its options.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from stream.sandbox.bamboohr.fields import Field, find
from stream.sandbox.bamboohr.refusals import Refused

if TYPE_CHECKING:
    from stream.sandbox.bamboohr.company import Company

_REQUIRED = ("firstName", "lastName")
_BY_ANOTHER_WORD = {"reportsTo", "supervisor"}


def meant(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The body's known and writable fields, by field key."""
    known = ((find(name), value) for name, value in fields.items())
    return {
        field.key: value
        for field, value in known
        if field is not None and (not field.derived or field.key in _BY_ANOTHER_WORD)
    }


def understood(company: Company, fields: Mapping[str, Any], employee_id: str | None = None) -> dict[str, str]:
    """By field key, an empty text clears. Raises Refused 409 naming the first field whose value does not fit."""
    values: dict[str, str] = {}
    for name, value in meant(fields).items():
        field = find(name)
        assert field is not None
        text = _text(field, value)
        if field.key in _BY_ANOTHER_WORD:
            values["supervisorId"] = _person_named(company, field, text)
        elif not text:
            values[field.key] = _cleared(field)
        elif field.choices:
            option = company.lists[field.key].named(text)
            if option is None:
                raise _invalid(field)
            values[field.key] = str(option.id)
        else:
            values[field.key] = _fitting(company, field, text, employee_id)
    return values


def _invalid(field: Field) -> Refused:
    return Refused(409, f"Invalid value for {field.key}")


def _text(field: Field, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value).strip()
    raise _invalid(field)


def _cleared(field: Field) -> str:
    if field.key in _REQUIRED:
        raise _invalid(field)
    return ""


def _fitting(company: Company, field: Field, text: str, employee_id: str | None) -> str:
    if field.type == "date":
        if text == "0000-00-00":
            return ""
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            raise _invalid(field) from None
    local, at, domain = text.rpartition("@")
    wrong = (
        (field.type == "email" and not (local and at and "." in domain and " " not in text))
        or (field.type == "status" and text not in ("Active", "Inactive"))
        or (field.key == "supervisorId" and (text not in company.people or text == employee_id))
    )
    if wrong:
        raise _invalid(field)
    return text


def _person_named(company: Company, field: Field, name: str) -> str:
    if not name:
        return ""
    for employee in company.people.values():
        if name == f"{employee.values.get('firstName', '')} {employee.values.get('lastName', '')}":
            return employee.id
    raise _invalid(field)
