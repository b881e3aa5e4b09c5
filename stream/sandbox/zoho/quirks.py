"""Where Zoho's real behaviour is unknown or differs between organizations: one switch each, both answers on offer.

The defaults are the best documented or most likely answers. A client that is right works with every combination, and
the tests run both sides of each switch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ZohoQuirks:
    """How this organization and this data centre behave where Zoho's documents leave it open."""

    token_throttle_status: Literal[200, 400] = 400
    """HTTP status of "Access Denied" after too many token requests."""
    unknown_token_code: Literal[57, 14] = 57
    """Code of the 401 for a token that this data centre never issued. Dead tokens of its own are always 57."""
    bearer: Literal["refused", "accepted"] = "refused"
    """Whether `Authorization: Bearer` is taken beside `Zoho-oauthtoken`."""
    wrong_organization_status: Literal[400, 401] = 400
    """HTTP status for a missing or foreign organization_id."""
    unknown_id_code: Literal[5, 1002] = 5
    """Code of the 404 for an id that nothing has. The id of another kind of entity is always 1002."""
    minute_overrun: Literal["code 44", "blocked for an hour"] = "code 44"
    """At `Limits.per_minute` 429 code 44; or nothing until `Limits.burst`, then code 43 for an hour."""
    rate_headers: Literal["sent", "absent"] = "sent"
    """Whether answers tell the daily budget in X-Rate-Limit-*."""
    duplicate_names: Literal["allowed", "refused"] = "allowed"
    """The organization's preference on duplicate display names."""
    omitted_persons: Literal["unchanged", "cleared"] = "unchanged"
    """What a PUT without the key contact_persons does to the persons."""
    too_long: Literal["refused", "cut"] = "refused"
    """A value beyond its field's length: 400 code 2, or cut to fit without a word."""
    top_level_email: Literal["ignored", "taken"] = "ignored"
    """Person fields at the top of a contact: without effect, or written to the primary contact person."""
    email_match: Literal["any case", "exact case"] = "any case"
    """How the list filters on email compare."""
    last_modified_filter: Literal["ignored", "honoured"] = "ignored"
    """Whether GET /contacts?last_modified_time= filters; Zoho's documents do not list it for contacts."""
    unique_fields: Literal["told", "not told"] = "told"
    """Whether the list of custom fields tells which of them take each value once."""
    upsert_created: Literal[201, 200] = 201
    """HTTP status of an upsert that made a contact."""
    upsert_no_match: Literal[404, 400] = 404
    """HTTP status of an upsert that may not create and finds nobody."""
    upsert_header: Literal["fills the field", "only finds"] = "only finds"
    """Whether the value in the header of an upsert fills the field of a contact that is made."""
    type_change: Literal["applied", "ignored"] = "applied"
    """What a PUT with another contact_type does to an existing contact."""
