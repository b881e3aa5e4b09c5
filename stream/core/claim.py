"""What one snapshot brings: a claim to an address, or the reason why nothing can be decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from stream.core import scope
from stream.core.contact import email_key
from stream.core.employment import Employment, employment
from stream.core.mapping import desired_contact, filled, with_activity
from stream.core.rows import Claim, Standing
from stream.records import Email, EmployeeSnapshot, Mapping


@dataclass(frozen=True)
class Brought:
    """claim and email: None when nothing changes. problem: what the reading could not decide; it is reported.

    outside: the expression of the mapping that puts this person out of scope.
    """

    claim: Claim | None = None
    email: Email | None = None
    problem: str | None = None
    outside: str | None = None


def brought(snapshot: EmployeeSnapshot, mapping: Mapping, before: Email | None, former: Claim | None) -> Brought:
    """before, former: the address that this person states so far, and the claim to it.

    Who is out of scope counts as departed; who never had a claim gets none then, so that a contact which others made
    for them stays as it is.
    """
    if snapshot.state == "gone":
        return _gone(mapping, before, former)
    fields = snapshot.fields
    kind: Employment = employment(fields, snapshot.read_at.date())
    match kind:
        case "unclear":
            return Brought(problem="status is empty or withheld")
        case "active":
            standing: Standing = "active"
        case "inactive" | "terminated" | "not started":
            standing = "departed"
        case _:
            assert_never(kind)
    outside: str | None = None
    match scope.standing(mapping.scope, fields):
        case scope.Undecided(reason):
            return Brought(problem=reason)
        case scope.Outside(expression):
            standing, outside = "departed", expression
            if former is None:
                return Brought(outside=outside)
    desired = desired_contact(fields, mapping, active=standing == "active")
    if desired.email is not None:
        return Brought(Claim(standing=standing, desired=desired), email_key(desired.email), outside=outside)
    problem = "work email is withheld" if "workEmail" not in fields else "work email is empty, too long or no address"
    if before is None:
        return Brought(problem=problem)
    # An address that is withheld is still theirs; one that is empty is free for somebody else.
    if standing == "active" and "workEmail" in fields:
        standing = "unstated"
    known = filled(desired, former.desired if former else None, mapping)
    return Brought(Claim(standing=standing, desired=known), before, problem, outside)


def _gone(mapping: Mapping, before: Email | None, former: Claim | None) -> Brought:
    """The last that was known, no longer active."""
    if former is None:
        return Brought()
    desired = with_activity(former.desired, mapping, active=False, email=former.desired.email)
    return Brought(Claim(standing="departed", desired=desired), before)
