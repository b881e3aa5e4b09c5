"""Zoho Books' API, as far as the product needs it: contacts found, read, created, updated, marked active or inactive.
Each call carries the organization, asks for admission first and is sent once; a call whose token is refused is repeated
once with a new one. Filters and sorting are only trusted as far as the answers bear them out: Zoho ignores what it does
not know. What to write, and what to do about a lost answer, is left to the lane.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import aiohttp
import orjson

from stream.clock import Clock
from stream.core.contact import ActualContact, ContactRow, email_key
from stream.core.day import DailyBudget
from stream.core.schemas import CustomField
from stream.errors import AnswerLost, CredentialsRefused, RecordRefused, RosterbookError, Unavailable
from stream.http import Admit, Request, call, unanswered
from stream.records import ContactId
from stream.tokens import AccessTokens, TokenRefused

from . import models
from .errors import InvalidValue, NoAccess, RefusedByZoho, WrongOrganization, accepted
from .models import Organization, Page, budget_in
from .oauth import SCOPES
from .regions import TOLD_BY

PER_PAGE = 200
"""Zoho's default and, in practice, its limit."""

_ID = re.compile(r"[A-Za-z0-9_-]+")
T = TypeVar("T")


class ZohoBooks:
    """One organization's API. Safe for many calls at once.

    Every method may raise CredentialsRefused, ConnectionMisset, RateLimited, Unavailable; one that writes AnswerLost
    too, and then nobody knows whether the change was made. RecordRefused and its kin (`errors.py`) are certain: the
    change was not made.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        api_url: str,
        organization_id: str,
        tokens: AccessTokens,
        *,
        admit: Admit,
        deadline: float,
        clock: Clock,
        told: Callable[[DailyBudget], None] | None = None,
    ) -> None:
        """api_url: ends in `/books/v3`. deadline: seconds a call may take, counted from its admission.

        told: of the organization's calls of the day, while the call is still admitted, where its answer says.
        """
        self._http = http
        self._api_url = api_url
        self._organization_id = organization_id
        self._tokens = tokens
        self._admit = admit
        self._told = told
        self._deadline = deadline
        self._clock = clock
        self._reached = False
        self.daily_budget: DailyBudget | None = None
        """The organization's calls of the day as last seen; None while no answer told."""

    async def find_by_email(self, email: str) -> list[ContactRow]:
        """All contacts whose primary person has this address, whatever their type and state, in no particular order.

        Every row is compared by us. The filter may be ignored, so all pages are read; whether it minds the case is not
        documented, so where nothing is found another spelling may be worth a second call.
        """
        # Oldest first: what is created meanwhile then moves no row that is still to come.
        params = {"email": email.strip(), "filter_by": "Status.All", "sort_column": "created_time", "sort_order": "A"}
        key = email_key(email)
        found: list[ContactRow] = []
        async with aclosing(self._pages("find", params)) as pages:
            async for page in pages:
                found += [row for row in page.rows if email_key(row.email) == key]
        return found

    async def newest(self, until: datetime, *, email: str) -> list[ContactRow]:
        """The contacts with this address created at `until` or later by Zoho's clock, newest first.

        Reads back from the newest, and stops early only while Zoho says that it sorts so and the rows bear it out: many
        contacts of one second (an import) look sorted in any order. Zoho writes whole seconds, so the second of `until`
        counts in full. A row whose time cannot be read counts as new.
        """
        floor, key = until.replace(microsecond=0), email_key(email)
        last: datetime | None = None
        in_order = True
        found: list[ContactRow] = []
        params = {"filter_by": "Status.All", "sort_column": "created_time", "sort_order": "D"}
        async with aclosing(self._pages("newest", params)) as pages:
            async for page in pages:
                in_order = in_order and page.newest_by == "created_time"
                for row in page.rows:
                    created = models.moment(row.created_time)
                    in_order = in_order and created is not None and (last is None or created <= last)
                    last = created
                    if email_key(row.email) == key and (created is None or created >= floor):
                        found.append(row)
                if in_order and last is not None and last < floor:
                    break
        unknown = datetime.max.replace(tzinfo=UTC)
        return sorted(found, key=lambda row: models.moment(row.created_time) or unknown, reverse=True)

    async def listed(self, number: int, per_page: int = PER_PAGE) -> Page:
        """A page of all contacts, whatever their type and state, from 1 on; the oldest first.

        Pages are plain offsets (Zoho Books API, pagination): what is created meanwhile is at the end, but what is
        deleted meanwhile moves all that come after it.
        """
        params = {"filter_by": "Status.All", "sort_column": "created_time", "sort_order": "A"}
        return await self._page("listed", number, params, per_page)

    async def modified_since(self, since: datetime) -> tuple[ContactRow, ...] | None:
        """The contacts that were created or changed at `since` or later by Zoho's clock, whole seconds, newest first.

        None where Zoho does not say that it sorts so, or the rows do not bear it out: the rest is not known then.
        """
        floor = since.replace(microsecond=0)
        last = datetime.max.replace(tzinfo=UTC)
        found: list[ContactRow] = []
        params = {"filter_by": "Status.All", "sort_column": "last_modified_time", "sort_order": "D"}
        async with aclosing(self._pages("modified", params)) as pages:
            async for page in pages:
                for row in page.rows:
                    modified = models.moment(row.last_modified_time)
                    if page.newest_by != "last_modified_time" or modified is None or modified > last:
                        return None
                    last = modified
                    if modified < floor:
                        return tuple(found)
                    found.append(row)
        return tuple(found)

    async def contact(self, contact: ContactId) -> ActualContact:
        """The contact in full. Raises NotFound when it does not exist."""
        return await self._contact(self._request("contact", "GET", f"/contacts/{_checked(contact)}"), contact)

    async def create(self, body: dict[str, Any]) -> ActualContact:
        """The new contact as Zoho shows it, which may lack what Zoho dropped without a word."""
        return await self._contact(self._request("create", "POST", "/contacts", body=body))

    async def update(self, contact: ContactId, body: dict[str, Any]) -> ActualContact:
        """The contact after the update. Contact persons that `body` leaves out of `contact_persons` are deleted."""
        return await self._contact(self._request("update", "PUT", f"/contacts/{_checked(contact)}", body=body), contact)

    async def with_field(self, name: str, value: str) -> ActualContact:
        """The contact whose unique custom field has this value, which is written to it again: nothing changes.

        Zoho Books API, contacts, update by custom field: without X-Upsert nothing is created. What is answered where
        there is none is not documented, but it is no success; with_field then raises RecordRefused or NotFound.
        """
        body = {"custom_fields": [{"api_name": name, "value": value}]}
        try:
            return await self._contact(
                self._request("match", "PUT", "/contacts", body=body, headers=_unique(name, value))
            )
        except AnswerLost as error:  # nothing can have changed
            raise Unavailable(error.message, retry_after=error.retry_after, **error.context) from None

    async def upsert(self, name: str, value: str, body: dict[str, Any]) -> ActualContact:
        """The contact whose unique custom field has this value, updated, or made where there is none.

        One that is there loses the contact persons that `body` leaves out. Whether the header alone fills the field of
        a new contact is not documented, so `body` holds it too.
        """
        headers = {**_unique(name, value), "X-Upsert": "true"}
        return await self._contact(self._request("upsert", "PUT", "/contacts", body=body, headers=headers))

    async def mark_active(self, contact: ContactId) -> None:
        await self._ask(self._request("activate", "POST", f"/contacts/{_checked(contact)}/active"))

    async def mark_inactive(self, contact: ContactId) -> None:
        await self._ask(self._request("deactivate", "POST", f"/contacts/{_checked(contact)}/inactive"))

    async def check_writing(self) -> None:
        """Ask for a change that can change nothing, since no contact has the id 0, to see whether changes are allowed.

        Raises CredentialsRefused when they are not. Marking needs the scope to create, an update that to update.
        """
        nobody = ContactId("0")
        for change in (self.mark_active(nobody), self.update(nobody, {})):
            with suppress(RecordRefused):
                await change

    async def revoke(self) -> bool:
        """Give up the consent. False where Zoho offers no such call. Raises Unavailable, AnswerLost."""
        return await self._tokens.revoke()

    async def organizations(self) -> list[Organization]:
        """The organizations that the credentials reach; the one call that names none."""
        request = self._request("organizations", "GET", "/organizations", bound=False)
        return _read(
            request,
            await self._ask(request),
            lambda body: [models.organization(row) for row in body["organizations"]],
        )

    async def custom_fields(self) -> list[CustomField]:
        """The custom fields of contacts; other fields of contacts may be among them."""
        request = self._request("fields", "GET", "/settings/fields", params={"entity": "contact"})
        return _read(
            request, await self._ask(request), lambda body: [models.custom_field(row) for row in body["fields"]]
        )

    async def _contact(self, request: Request, expected: ContactId | None = None) -> ActualContact:
        found = _read(request, await self._ask(request), lambda body: models.contact(body["contact"]))
        if expected is not None and found.contact_id != expected:
            raise unanswered(request)
        return found

    async def _pages(self, operation: str, params: dict[str, str]) -> AsyncGenerator[Page, None]:
        """Page after page, no row twice. Raises Unavailable where a page brings nothing new and promises more."""
        seen: set[ContactId] = set()
        number, more = 1, True
        while more:
            page = await self._page(operation, number, params)
            rows = tuple(row for row in page.rows if row.contact_id not in seen)
            if page.more and not rows:
                raise Unavailable("Zoho Books' pages lead nowhere; the call is tried again.", operation=operation)
            seen.update(row.contact_id for row in rows)
            yield replace(page, rows=rows)
            number, more = number + 1, page.more

    async def _page(self, operation: str, number: int, params: dict[str, str], per_page: int = PER_PAGE) -> Page:
        where = {"page": str(number), "per_page": str(per_page)}
        request = self._request(operation, "GET", "/contacts", params={**params, **where})
        page = _read(request, await self._ask(request), models.page)
        if page.more and not page.rows:
            raise unanswered(request)
        return page

    async def _ask(self, request: Request) -> dict[str, Any]:
        bound = "organization_id" in request.params
        try:
            body = await self._with_token(request)
        except RosterbookError as error:
            if bound and not self._reached:
                await self._check_organization(error)
            raise
        self._reached = self._reached or bound
        return body

    async def _with_token(self, request: Request) -> dict[str, Any]:
        try:
            return await self._tokens.using(lambda token: self._send(request, token))
        except TokenRefused as error:
            raise TokenRefused(
                f"Zoho Books does not accept a fresh token: connect it again with the scopes {', '.join(SCOPES)}.",
                **error.context,
            ) from None

    async def _send(self, request: Request, token: str) -> dict[str, Any]:
        signed = replace(request, headers={**request.headers, "Authorization": f"Zoho-oauthtoken {token}"})
        async with self._admit(request.operation, request.changes) as still:
            answer = await call(self._http, signed, deadline=self._deadline, clock=self._clock, still=still)
            if answer.status != 429 and (budget := budget_in(answer.headers)) is not None:
                self.daily_budget = budget
                if self._told is not None:
                    self._told(budget)
            return accepted(request, answer, self._clock.now())

    async def _check_organization(self, error: RosterbookError) -> None:
        """Raise WrongOrganization if that is what `error` really means.

        Zoho's answer to a wrong organization id is not documented (seen: codes of their own, and the same ones as for a
        bad token or value), so before the first success such a refusal is held against the list of organizations.
        """
        if not isinstance(error, TokenRefused | NoAccess | InvalidValue | RefusedByZoho):
            return
        try:
            reached = {organization.organization_id for organization in await self.organizations()}
        except (CredentialsRefused, RecordRefused):
            return
        except Unavailable as unknown:
            if unknown.context.get("status") == 404:
                return
            raise
        if self._organization_id not in reached:
            raise WrongOrganization(
                f"The credentials do not reach this organization: check the organization id and the region; {TOLD_BY}.",
                **error.context,
            ) from None
        self._reached = True

    def _request(
        self,
        operation: str,
        method: Literal["GET", "POST", "PUT"],
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        bound: bool = True,
        headers: dict[str, str] | None = None,
    ) -> Request:
        return Request(
            "zoho",
            operation,
            method,
            self._api_url + path,
            {**({} if body is None else {"Content-Type": "application/json"}), **(headers or {})},
            {**({"organization_id": self._organization_id} if bound else {}), **(params or {})},
            None if body is None else orjson.dumps(body),
        )


def _unique(name: str, value: str) -> dict[str, str]:
    """The headers that name a contact by a unique custom field."""
    return {"X-Unique-Identifier-Key": name, "X-Unique-Identifier-Value": value}


def _checked(contact: ContactId) -> ContactId:
    if _ID.fullmatch(contact) is None:
        raise RecordRefused("This is no id of a Zoho contact.")
    return contact


def _read(request: Request, body: dict[str, Any], read: Callable[[dict[str, Any]], T]) -> T:
    """What `read` makes of a successful answer; the error for an unusable one where it does not hold what it must."""
    try:
        return read(body)
    except (models.Unreadable, KeyError, TypeError):
        raise unanswered(request) from None
