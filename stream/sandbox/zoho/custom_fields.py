"""The organization's custom fields of contacts: their definitions, and how a request names them and sets values.

A request may name a field by `customfield_id`, `api_name`, `label` or `index`. One that fits no definition is dropped
without a word while the answer is a success, which is why clients must read back what they wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from stream.sandbox.zoho.refusals import Refused, invalid_value


@dataclass(frozen=True)
class CustomField:
    """One definition. `options`: what a dropdown accepts, byte for byte. `unique`: no two contacts share a value."""

    api_name: str
    label: str
    data_type: str = "string"
    options: tuple[str, ...] = ()
    unique: bool = False


@dataclass(frozen=True)
class DefinedField:
    """A definition with what the organization gave it: an id, and an index that counts from 1."""

    customfield_id: str
    index: int
    field: CustomField

    def shown(self, value: str) -> dict[str, Any]:
        """The field with its value, as answers carry it."""
        return {
            "customfield_id": self.customfield_id,
            "field_id": self.customfield_id,
            "index": self.index,
            "label": self.field.label,
            "api_name": self.field.api_name,
            "data_type": self.field.data_type,
            "value": value,
        }

    def listed(self, *, tells_unique: bool) -> dict[str, Any]:
        """The definition."""
        options = [
            {"name": name, "order": order, "is_active": True} for order, name in enumerate(self.field.options, 1)
        ]
        return {
            "field_id": self.customfield_id,
            "api_name": self.field.api_name,
            "label": self.field.label,
            "data_type": self.field.data_type,
            "values": options,
            **({"is_unique": self.field.unique} if tells_unique else {}),
        }

    def named_by(self, given: Mapping[str, Any]) -> bool:
        """Whether an entry of `custom_fields` means this field. The most telling name that it has decides."""
        names = {
            "customfield_id": self.customfield_id,
            "field_id": self.customfield_id,
            "api_name": self.field.api_name,
            "label": self.field.label,
            "index": self.index,
        }
        said = next((name for name in names if name in given), None)
        return said is not None and given[said] == names[said]


class CustomFields:
    """All definitions of one organization, and who holds which value of the unique ones."""

    def __init__(self) -> None:
        self._defined: dict[str, DefinedField] = {}
        self._holders: dict[tuple[str, str], str] = {}

    def define(self, field: CustomField, customfield_id: str) -> DefinedField:
        last = max((known.index for known in self._defined.values()), default=0)
        defined = DefinedField(customfield_id, last + 1, field)
        self._defined[customfield_id] = defined
        return defined

    def remove(self, api_name: str) -> bool:
        """Whether there was such a definition. No contact shows the field any more, nor one of the name made later."""
        found = next((key for key, known in self._defined.items() if known.field.api_name == api_name), None)
        if found is not None:
            del self._defined[found]
            self._holders = {holder: contact for holder, contact in self._holders.items() if holder[0] != found}
        return found is not None

    def read(self, given: Iterable[Mapping[str, Any]], contact_id: str) -> dict[str, str]:
        """customfield_id -> value for the entries that fit a definition.

        Raises Refused for a value that is no option of a dropdown, or that another contact holds in a unique field.
        """
        values: dict[str, str] = {}
        for entry in given:
            defined = next((known for known in self._defined.values() if known.named_by(entry)), None)
            if defined is not None:
                values[defined.customfield_id] = self._checked(defined, entry.get("value"), contact_id)
        return values

    def holder(self, api_name: str, value: str) -> str | None:
        """contact_id of whoever has the value in a unique field, None where nobody has.

        Raises Refused where there is no such field, or it is not unique.
        """
        defined = next((known for known in self._defined.values() if known.field.api_name == api_name), None)
        if defined is None or not defined.field.unique:
            raise invalid_value("X-Unique-Identifier-Key")
        return self._holders.get((defined.customfield_id, value))

    def with_value(self, body: Mapping[str, Any], api_name: str, value: str) -> dict[str, Any]:
        """The body with this value of the field, where it says none itself."""
        entries = [entry for entry in body.get("custom_fields") or [] if isinstance(entry, Mapping)]
        defined = next(known for known in self._defined.values() if known.field.api_name == api_name)
        if any(defined.named_by(entry) for entry in entries):
            return dict(body)
        return {**body, "custom_fields": [*entries, {"api_name": api_name, "value": value}]}

    def hold(self, contact_id: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """Note a contact's new values, so that the unique ones are taken."""
        for defined in self._defined.values():
            if defined.field.unique:
                key = defined.customfield_id
                self._holders.pop((key, before.get(key, "")), None)
                if after.get(key):
                    self._holders[key, after[key]] = contact_id

    def listed(self, *, tells_unique: bool) -> list[dict[str, Any]]:
        """The definitions as the list of fields shows them."""
        return [known.listed(tells_unique=tells_unique) for known in self._defined.values()]

    def shown(self, values: Mapping[str, str]) -> list[dict[str, Any]]:
        """`custom_fields` of an answer: the fields that have a value, by index."""
        return [known.shown(values[key]) for key, known in self._defined.items() if values.get(key)]

    def hashed(self, values: Mapping[str, str]) -> dict[str, str]:
        """`custom_field_hash` of an answer: api name -> value."""
        return {known.field.api_name: values[key] for key, known in self._defined.items() if values.get(key)}

    def _checked(self, defined: DefinedField, value: object, contact_id: str) -> str:
        field = defined.field
        if isinstance(value, dict | list):
            raise invalid_value(field.label)
        text = "" if value is None else str(value)
        if text and not (_fits(text, field.data_type) and (text in field.options or not field.options)):
            raise invalid_value(field.label)
        if field.unique and self._holders.get((defined.customfield_id, text), contact_id) != contact_id:
            raise Refused(400, 2, f"The value of {field.label} is already in use by another contact")
        return text


def _fits(text: str, data_type: str) -> bool:
    """Whether a value is of the field's type, as far as one that is written as text can be of another."""
    try:
        if data_type == "date":
            return date.fromisoformat(text).isoformat() == text
        if data_type in ("number", "decimal", "amount", "percent"):
            return float(text) < float("inf")
    except ValueError:
        return False
    return True
