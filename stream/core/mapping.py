"""Employee and mapping -> the contact that Zoho Books should show."""

from __future__ import annotations

from collections.abc import Mapping as Fields
from typing import Any

from stream.core import employment, scope
from stream.core.contact import CONTACT_NAME_MAX, is_address
from stream.core.targets import LIMITS, USUAL, is_custom
from stream.core.transform import PLACES, fields_of, filled_in, text_of
from stream.records import DesiredContact, Mapping, Source

FIELDS = ("firstName", "lastName", "workEmail", "jobTitle", "department", *employment.FIELDS)
"""What a reading must ask for under any mapping. BambooHR sends nothing that is not asked for."""

ACTIVE, INACTIVE = "Active", "Inactive"


def fields_to_read(mapping: Mapping) -> tuple[str, ...]:
    """FIELDS, and what else this mapping needs."""
    more = [name for source in mapping.fields.values() for name in fields_of(source)]
    more += [name for pattern in (mapping.name, mapping.placeholder) for name in PLACES.findall(pattern or "")]
    more += ["id"] if mapping.match != "email" else []
    more += ["homeEmail"] if mapping.missing_email == "home email" else []
    more += ["terminationDate"] if mapping.days_after_leaving else []
    more += [name for expression in mapping.scope for name in scope.fields_of(expression)]
    return tuple(dict.fromkeys((*FIELDS, *more)))


def fields_to_watch(mapping: Mapping) -> tuple[str, ...]:
    """Of whose changes BambooHR is to tell. An id never changes; watching the date of leaving fails (as others saw)."""
    return tuple(name for name in fields_to_read(mapping) if name not in ("id", "terminationDate"))


def desired_contact(fields: Fields[str, str], mapping: Mapping, *, active: bool) -> DesiredContact:
    """The contact for a reading. A withheld field stays None: a target is never blanked because a source is missing.

    Texts are cut to what Zoho Books takes.
    """
    texts = {
        target: text if (limit := LIMITS.get(target)) is None else text[:limit]
        for target, source in _sources(mapping).items()
        if (text := text_of(source, fields)) is not None
    }
    name = None if mapping.name is None else filled_in(mapping.name, fields)
    custom_fields = {target: text for target, text in texts.items() if is_custom(target)}
    return DesiredContact(
        active=activity(mapping, active=active),
        contact_type=mapping.contact_type,
        email=contact_address(fields, mapping),
        custom_fields=custom_fields | _state(mapping, active) | _identity(mapping, fields),
        contact_name=name[:CONTACT_NAME_MAX].strip() or None if name else None,
        **{target: texts.get(target) for target in LIMITS},
    )


def _sources(mapping: Mapping) -> dict[str, Source]:
    """Target -> what fills it."""
    usual = {target: source for target, source in USUAL.items() if target not in mapping.unmapped}
    return usual | mapping.fields


def states_address(fields: Fields[str, str]) -> bool:
    """Whether the reading shows a work email that can be used."""
    return is_address(fields.get("workEmail", "").strip())


def contact_address(fields: Fields[str, str], mapping: Mapping) -> str | None:
    """None where there is none to be used. A work email that is withheld is still theirs: nothing stands for it."""
    if "workEmail" not in fields:
        return None
    if states_address(fields):
        return fields["workEmail"].strip()
    match mapping.missing_email:
        case "home email":
            other = fields.get("homeEmail", "").strip()
        case "placeholder":
            other = filled_in(mapping.placeholder or "", fields) or ""
        case _:
            other = ""
    return other if is_address(other) else None


def activity(mapping: Mapping, *, active: bool) -> bool | None:
    """What the contact's state is to be; None = as it is."""
    return None if not active and mapping.leavers == "leave" else active


def _state(mapping: Mapping, active: bool) -> dict[str, str]:
    return {mapping.state_field: ACTIVE if active else INACTIVE} if mapping.state_field else {}


def _identity(mapping: Mapping, fields: Fields[str, str]) -> dict[str, str]:
    return {mapping.match: fields["id"]} if mapping.match != "email" and fields.get("id") else {}


def with_activity(desired: DesiredContact, mapping: Mapping, *, active: bool, email: str | None) -> DesiredContact:
    """The same contact, of somebody at work or not, with another address: for who is gone or gave theirs up."""
    return desired.model_copy(
        update={
            "active": activity(mapping, active=active),
            "email": email,
            "custom_fields": {**desired.custom_fields, **_state(mapping, active)},
        }
    )


def filled(desired: DesiredContact, shown: DesiredContact | None, mapping: Mapping) -> DesiredContact:
    """`desired` with what the mapping sets and the reading did not tell taken from what was shown before."""
    if shown is None:
        return desired
    told = desired.custom_fields
    ours = {*mapping.fields, mapping.match}
    kept = {name: text for name, text in shown.custom_fields.items() if name in ours and name not in told}
    unknown: dict[str, Any] = {
        name: getattr(shown, name) for name in _targets(mapping) if getattr(desired, name) is None
    }
    return desired.model_copy(update=unknown | ({"custom_fields": {**kept, **told}} if kept else {}))


def _targets(mapping: Mapping) -> list[str]:
    """The fields of a desired contact that this mapping sets, custom fields apart."""
    named, sources = ["contact_name"] if mapping.name is not None else [], _sources(mapping)
    return ["email", *named, *(target for target in LIMITS if target in sources)]
