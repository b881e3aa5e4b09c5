"""What a connection may do at both vendors, tried by calls that change nothing: a line for each permission, with what
was found and what to do about it. It speaks of employees by their ids, never by name or address.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Literal, Protocol

from stream.bamboohr.models import EmployeePage, HrField
from stream.core.contact import ContactRow, email_key
from stream.core.day import DailyBudget
from stream.core.mapping import FIELDS
from stream.errors import AnswerLost, LogUnavailable, RosterbookError
from stream.records import EmployeeId, Model
from stream.zoho.models import Organization
from stream.zoho.regions import TOLD_BY

LISTED = ("workEmail", "status")
NAMED = 5
"""So many people are named; the rest is counted."""
SCARCE = 0.1
"""Share of the day's calls below which it is said that few are left."""


class Check(Model):
    """subject: what was tried. found: one sentence. remedy: what to do, None when nothing need be done."""

    subject: str
    state: Literal["ok", "warning", "failed"]
    found: str
    remedy: str | None = None


class Hr(Protocol):
    """What is asked of BambooHR."""

    async def fields(self) -> tuple[HrField, ...]: ...

    def people(self, fields: Sequence[str]) -> AsyncGenerator[EmployeePage, None]: ...

    async def check_changes(self) -> None: ...


class Books(Protocol):
    """What is asked of Zoho Books."""

    daily_budget: DailyBudget | None

    async def organizations(self) -> list[Organization]: ...

    async def find_by_email(self, email: str) -> list[ContactRow]: ...

    async def check_writing(self) -> None: ...


async def checklist(hr: Hr, books: Books, organization_id: str, fields: Sequence[str] = FIELDS) -> list[Check]:
    """BambooHR's checks, then Zoho's; those that rest on one that failed are left out. Raises LogUnavailable.

    fields: what the mapping reads.
    """
    return [*await _of_bamboohr(hr, fields), *await _of_zoho(books, organization_id)]


async def _of_bamboohr(hr: Hr, fields: Sequence[str]) -> list[Check]:
    visible: set[str | None] = set()

    async def access() -> Check:
        found = await hr.fields()
        visible.update(name for field in found for name in (field.alias, field.id))
        return Check(subject="BambooHR access", state="ok", found=f"Accepted; {len(found)} fields are visible.")

    first = await _tried("BambooHR access", access)
    if first.state == "failed":
        return [first]
    people = _People()

    async def everybody() -> Check:
        async with aclosing(hr.people(LISTED)) as pages:
            async for page in pages:
                people.take(page)
        return people.check()

    async def changes() -> Check:
        await hr.check_changes()
        return Check(subject="BambooHR changes", state="ok", found="It tells who has changed.")

    second = await _tried("BambooHR people", everybody)
    third = await _tried("BambooHR changes", changes)
    found = [first, second, third, _fields(fields, visible, people.restricted)]
    return found if second.state == "failed" else [*found, people.addresses()]


def _fields(fields: Sequence[str], visible: set[str | None], restricted: set[str]) -> Check:
    subject = "BambooHR fields"
    if missing := [name for name in fields if name not in visible or name in restricted]:
        return Check(
            subject=subject,
            state="failed" if "status" in missing else "warning",
            found=f"Not visible: {', '.join(missing)}.",
            remedy="Let the key's user see them (Settings, Access Levels); until then they stay as they are.",
        )
    return Check(subject=subject, state="ok", found=f"All {len(fields)} fields of the mapping are visible.")


class _People:
    """Counts people while their pages come."""

    def __init__(self) -> None:
        self.restricted: set[str] = set()
        self._count = self._active = self._without = 0
        self._by_address: dict[str, list[EmployeeId]] = defaultdict(list)

    def take(self, page: EmployeePage) -> None:
        self.restricted |= page.restricted.intersection(LISTED)
        for employee, fields in page.rows:
            self._count += 1
            if fields.get("status") != "Active":
                continue
            self._active += 1
            if address := email_key(fields.get("workEmail", "")):
                self._by_address[address].append(employee)
            else:
                self._without += 1

    def check(self) -> Check:
        subject = "BambooHR people"
        found = f"{self._count} people, {self._active} of them active."
        if not self._count:
            remedy = "Give the key's user access to all employees."
            return Check(subject=subject, state="failed", found="Nobody is visible.", remedy=remedy)
        return Check(subject=subject, state="ok", found=found)

    def addresses(self) -> Check:
        """Whether each active person has a work email of their own."""
        shared = [who for who in self._by_address.values() if len(who) > 1]
        told: list[str] = []
        if shared:
            named = "; ".join(" and ".join(who[:NAMED]) for who in shared[:NAMED])
            told.append(f"{len(shared)} addresses are shared by active people (employees {named}): these are held.")
        if self._without:
            told.append(f"{self._without} active people have no work email: they get no contact.")
        if told:
            remedy = "Correct the work emails in BambooHR."
            return Check(subject="Work emails", state="warning", found=" ".join(told), remedy=remedy)
        return Check(subject="Work emails", state="ok", found="Each active person has an address of their own.")


async def _of_zoho(books: Books, organization_id: str) -> list[Check]:
    found: list[Check] = []

    async def organization() -> Check:
        reached = {one.organization_id: one for one in await books.organizations()}
        return _organization(reached, organization_id)

    async def reading() -> Check:
        await books.find_by_email("nobody@rosterbook.invalid")
        return Check(subject="Zoho Books contacts", state="ok", found="Contacts can be read.")

    async def writing() -> Check:
        await books.check_writing()
        return Check(subject="Zoho Books changes", state="ok", found="Contacts may be created and changed.")

    async def calls() -> Check:
        return _calls(books.daily_budget)

    for subject, check in (
        ("Zoho Books organization", organization),
        ("Zoho Books contacts", reading),
        ("Zoho Books changes", writing),
        ("Zoho Books calls", calls),
    ):
        found.append(await _tried(subject, check))
        if found[-1].state == "failed":
            break
    return found


def _organization(reached: dict[str, Organization], organization_id: str) -> Check:
    subject = "Zoho Books organization"
    found = reached.get(organization_id)
    if found is None:
        others = ", ".join(f"{one.name} ({number})" for number, one in sorted(reached.items())) or "none"
        return Check(
            subject=subject,
            state="failed",
            found=f"The credentials do not reach organization {organization_id}, but {others}.",
            remedy=f"Set organization_id to one of these, or check the region; {TOLD_BY}.",
        )
    plan = f", plan {found.plan_name}" if found.plan_name else ""
    if not found.active:
        remedy = "Activate the organization in Zoho Books, or choose another."
        return Check(subject=subject, state="failed", found=f"{found.name}{plan} is not active.", remedy=remedy)
    return Check(subject=subject, state="ok", found=f"{found.name}{plan}, time zone {found.time_zone or 'not told'}.")


def _calls(budget: DailyBudget | None) -> Check:
    subject = "Zoho Books calls"
    if budget is None:
        return Check(subject=subject, state="ok", found="Zoho Books does not tell how many calls are left today.")
    found = f"{budget.remaining} of {budget.limit} calls are left today."
    if budget.remaining < budget.limit * SCARCE:
        hours = budget.reset / 3600
        remedy = f"Wait {hours:.1f} h for the next day of the organization, or let other programs call less."
        return Check(subject=subject, state="warning", found=found, remedy=remedy)
    return Check(subject=subject, state="ok", found=found)


async def _tried(subject: str, check: Callable[[], Awaitable[Check]]) -> Check:
    try:
        return await check()
    except LogUnavailable:
        raise
    except AnswerLost:
        return Check(subject=subject, state="failed", found="Zoho Books did not answer.", remedy="Try again later.")
    except RosterbookError as error:
        found, _, remedy = error.message.partition(": ")
        remedy = remedy[:1].upper() + remedy[1:] or "Try again later."
        return Check(subject=subject, state="failed", found=found.rstrip(".") + ".", remedy=remedy)
