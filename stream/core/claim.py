"""What one snapshot brings: a claim to an address, or the reason why nothing can be decided."""

from __future__ import annotations

from collections.abc import Mapping as Fields
from dataclasses import dataclass
from datetime import date

from stream.core import scope
from stream.core.contact import email_key
from stream.core.employment import Employment, employment
from stream.core.mapping import contact_address, desired_contact, filled, states_address, with_activity
from stream.core.rows import Claim, Standing
from stream.core.window import Presence, presence
from stream.records import Email, EmployeeSnapshot, Mapping


@dataclass(frozen=True)
class Brought:
    """claim and email: None when nothing changes. problem: what the reading could not decide; it is reported.

    outside: the expression of the mapping that puts this person out of scope. until: the day on which the date alone
    decides anew.
    """

    claim: Claim | None = None
    email: Email | None = None
    problem: str | None = None
    outside: str | None = None
    until: date | None = None


def brought(
    snapshot: EmployeeSnapshot,
    mapping: Mapping,
    before: Email | None,
    former: Claim | None,
    until: date | None = None,
) -> Brought:
    """before, former: the address that this person states so far, and the claim to it. until: as it was so far.

    Who is out of scope counts as departed; who never had a claim gets none then, so that a contact which others made
    for them stays as it is. So does who has left, also in the days for which the contact stays active: it is then free
    for whoever comes to the address.
    """
    if snapshot.state == "gone":
        return _gone(mapping, before, former)
    fields = snapshot.fields
    today = snapshot.day
    kind: Employment = employment(fields, today)
    if kind == "unclear":
        return Brought(problem="status is empty or withheld", until=until)
    present = presence(kind, fields, mapping, today)
    standing: Standing = "active" if present.at_work and not present.left else "departed"
    outside: str | None = None
    match scope.standing(mapping.scope, fields):
        case scope.Undecided(reason) if present.at_work or former is None:
            return Brought(problem=reason, until=until)
        case scope.Outside(expression):
            standing, outside, present = "departed", expression, Presence(False)
            if former is None:
                return Brought(outside=outside)
    desired = desired_contact(fields, mapping, active=present.at_work)
    if standing == "departed" and before is not None and not states_address(fields):
        desired = desired.model_copy(update={"email": None})  # it stays theirs, for when they come back
    if desired.email is not None:
        return Brought(
            Claim(standing=standing, desired=desired), email_key(desired.email), None, outside, present.until
        )
    problem = "work email is withheld" if "workEmail" not in fields else "work email is empty, too long or no address"
    if before is None:
        return Brought(problem=problem, until=present.until)
    # An address that is withheld is still theirs; one that is empty is free for somebody else.
    if standing == "active" and "workEmail" in fields:
        standing = "unstated"
    known = filled(desired, former.desired if former else None, mapping)
    return Brought(Claim(standing=standing, desired=known), before, problem, outside, present.until)


def may_claim(fields: Fields[str, str], mapping: Mapping, today: date) -> Email | None:
    """The address that the reading may bring an active claim to; the scope, which costs more, is not asked."""
    address = contact_address(fields, mapping)
    if address is None or employment(fields, today) in ("inactive", "terminated"):
        return None
    return email_key(address)


def _gone(mapping: Mapping, before: Email | None, former: Claim | None) -> Brought:
    """The last that was known, no longer active."""
    if former is None:
        return Brought()
    desired = with_activity(former.desired, mapping, active=False, email=former.desired.email)
    return Brought(Claim(standing="departed", desired=desired), before)
