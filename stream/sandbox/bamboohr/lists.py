"""The company's lists of options (departments, job titles, ...), read and edited as `/meta/lists` does it.

BambooHR's own rules: options can be added, renamed, archived and brought back, never deleted; `archivedDate` stays
after an option came back; an edit is all or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from stream.sandbox.bamboohr.quirks import BambooHrQuirks
from stream.sandbox.bamboohr.refusals import Refused


@dataclass
class Option:
    id: int
    name: str
    created: datetime
    manageable: bool = True
    archived: bool = False
    archived_at: datetime | None = None


@dataclass
class ListField:
    """key: the field whose values are these options. field_id: what the path of an edit takes; id: another number."""

    id: int
    field_id: int
    key: str
    alias: str | None
    name: str
    manageable: bool = True
    options: dict[int, Option] = field(default_factory=dict)
    next_option: int = 0

    def add(self, name: str, at: datetime, *, manageable: bool = True) -> Option:
        option = Option(self.next_option, name, at, manageable)
        self.options[option.id] = option
        self.next_option += 1
        return option

    def named(self, name: str) -> Option | None:
        """The option in use that has this name, whatever its case."""
        wanted = name.casefold()
        return next((o for o in self.options.values() if not o.archived and o.name.casefold() == wanted), None)

    def to_json(self, quirks: BambooHrQuirks) -> dict[str, Any]:
        number: Any = int if quirks.option_ids == "numbers" else str
        shown: dict[str, Any] = {"id": number(self.id), "fieldId": number(self.field_id)}
        if self.alias is not None or quirks.list_alias == "null":
            shown["alias"] = self.alias
        return shown | {
            "name": self.name,
            "manageable": _yes(self.manageable),
            "multiple": "no",
            "options": [
                {
                    "id": number(option.id),
                    "name": option.name,
                    "archived": _yes(option.archived),
                    "createdDate": option.created.isoformat(timespec="seconds"),
                    "archivedDate": option.archived_at.isoformat(timespec="seconds") if option.archived_at else None,
                    "manageable": _yes(self.manageable and option.manageable),
                    "frequency": None,
                }
                for option in self.options.values()
            ],
        }


def _yes(value: bool) -> str:
    return "yes" if value else "no"


@dataclass(frozen=True)
class Edited:
    """What an edit did to the options that people may hold."""

    renamed: frozenset[int]
    dropped: frozenset[int]


def edit(target: ListField, wanted: Iterable[Mapping[str, Any]], at: datetime, quirks: BambooHrQuirks) -> Edited:
    """Apply all of `wanted`, or raise Refused (400, 404, 405, 409) and change nothing."""
    changes = list(wanted)
    if not target.manageable:
        raise Refused(405, "The list cannot be modified")
    names = {option.id: option.name for option in target.options.values()}
    archived = {option.id: option.archived for option in target.options.values()}
    added: list[str] = []
    for change in changes:
        _check(change)
        option_id = change.get("id")
        if option_id is None:
            added.append(change["value"])
            continue
        if (option := target.options.get(option_id)) is None:
            raise Refused(404, "The option does not exist")
        if not option.manageable and ("archived" in change or change.get("value", option.name) != option.name):
            raise Refused(405, "The option cannot be modified")
        names[option_id] = change.get("value", names[option_id])
        archived[option_id] = change["archived"] == "yes" if "archived" in change else archived[option_id]
    dropped = _dropped(target, changes, quirks)
    counting = [i for i in names if i not in dropped and (quirks.duplicate_option == "refused" or not archived[i])]
    folded = [name.casefold() for name in (*(names[i] for i in counting), *added)]
    if len(set(folded)) != len(folded):
        raise Refused(409, "A list value of that name exists")
    return _apply(target, names, archived, added, at, dropped=dropped)


def _check(change: Mapping[str, Any]) -> None:
    option_id, value, archived = change.get("id"), change.get("value"), change.get("archived")
    fine = (
        (option_id is None or (isinstance(option_id, int) and not isinstance(option_id, bool)))
        and (isinstance(value, str) and value.strip() != "" if "value" in change else option_id is not None)
        and (archived in ("yes", "no") if "archived" in change else True)
        and not (option_id is None and archived == "yes")
    )
    if not fine:
        raise Refused(400, "Malformed list option")


def _dropped(target: ListField, changes: list[Mapping[str, Any]], quirks: BambooHrQuirks) -> frozenset[int]:
    if quirks.omitted_options == "kept":
        return frozenset()
    named = {change.get("id") for change in changes}
    return frozenset(o.id for o in target.options.values() if o.id not in named and o.manageable)


def _apply(
    target: ListField,
    names: Mapping[int, str],
    archived: Mapping[int, bool],
    added: Iterable[str],
    at: datetime,
    *,
    dropped: frozenset[int],
) -> Edited:
    renamed = frozenset(i for i, name in names.items() if name != target.options[i].name)
    for option in target.options.values():
        option.name = names[option.id]
        if archived[option.id] and not option.archived:
            option.archived_at = option.archived_at or at
        option.archived = archived[option.id]
    for option_id in dropped:
        del target.options[option_id]
    for name in added:
        target.add(name, at)
    return Edited(renamed - dropped, dropped)
