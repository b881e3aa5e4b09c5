"""Employee and mapping -> the contact that Zoho Books should show."""

from __future__ import annotations

from collections.abc import Mapping as Fields

from stream.core import employment
from stream.core.contact import EMAIL_MAX, NAME_MAX, PERSON_FIELD_MAX
from stream.records import DesiredContact, Mapping

FIELDS = ("firstName", "lastName", "workEmail", "jobTitle", "department", *employment.FIELDS)
"""What a reading must ask for. BambooHR sends nothing that is not asked for."""

ACTIVE, INACTIVE = "Active", "Inactive"


def desired_contact(fields: Fields[str, str], mapping: Mapping, *, active: bool) -> DesiredContact:
    """The contact for a reading. A withheld field stays None: a target is never blanked because a source is missing.

    Texts are cut to what Zoho Books takes. An address that is too long is None as well: cut, it would be another one.
    """

    def text(field: str, limit: int) -> str | None:
        value = fields.get(field)
        return None if value is None else value.strip()[:limit]

    email = fields.get("workEmail", "").strip()
    return DesiredContact(
        active=active,
        contact_type=mapping.contact_type,
        first_name=text("firstName", NAME_MAX),
        last_name=text("lastName", NAME_MAX),
        email=email if 0 < len(email) <= EMAIL_MAX else None,
        designation=text("jobTitle", PERSON_FIELD_MAX),
        department=text("department", PERSON_FIELD_MAX),
        custom_fields=_state(mapping, active),
    )


def _state(mapping: Mapping, active: bool) -> dict[str, str]:
    return {mapping.state_field: ACTIVE if active else INACTIVE} if mapping.state_field else {}


def with_activity(desired: DesiredContact, mapping: Mapping, *, active: bool, email: str | None) -> DesiredContact:
    """The same contact, active or not, with another address: for people who are gone or gave theirs up."""
    custom_fields = {**desired.custom_fields, **_state(mapping, active)}
    return desired.model_copy(update={"active": active, "email": email, "custom_fields": custom_fields})


def filled(desired: DesiredContact, shown: DesiredContact | None) -> DesiredContact:
    """`desired` with what it does not know taken from what was shown before."""
    if shown is None:
        return desired
    unknown = {name: getattr(shown, name) for name in type(desired).model_fields if getattr(desired, name) is None}
    return desired.model_copy(update=unknown)
