"""BambooHR's API, as far as the product needs it: one employee in full, everybody in pages, who has changed, which
fields there are.
Each call asks for admission first, is sent once, and ends in a reading or in an error of the tree that says what to do;
a call whose access token is refused is repeated once with a new one. Retrying is left to the lane.
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import aiohttp

from stream.clock import Clock
from stream.core.changes import Feed
from stream.errors import (
    ConnectionMisset,
    CredentialsRefused,
    NotFound,
    RateLimited,
    RecordRefused,
    Retriable,
    Unavailable,
)
from stream.http import Admit, Answer, Method, Request, call, unanswered
from stream.records import EmployeeId
from stream.telemetry import Masked
from stream.tokens import AccessTokens, TokenRefused

from .models import EmployeePage, HrField, change_feed, employee_page, hr_fields, reading
from .oauth import SCOPES

_ID = re.compile(r"[1-9][0-9]{0,18}")
_SCOPES = f"the scopes {', '.join(SCOPES)}, as a user who may use the API"
_MYSELF = "0"
"""Stands for the caller's own employee; BambooHR answers it for every accepted key (API, employees)."""

PAGE = 2500
"""Employees of a page, the most that BambooHR allows (API, list employees)."""
SMALLEST_PAGE = 100


class PageMoved(Retriable):
    """The list changed under its reader: what was read so far is no whole list."""


class BambooHr:
    """One company's API. Holds its credentials and what size of a page comes; safe for many calls at once."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        base_url: str,
        credentials: Masked | AccessTokens,
        *,
        admit: Admit,
        deadline: float,
        clock: Clock,
    ) -> None:
        """base_url: without `/api/v1`. credentials: an API key, or tokens. deadline: seconds a call may take, counted
        from its admission.
        """
        self._http = http
        self._api = f"{base_url}/api/v1"
        self._credentials = credentials
        self._admit = admit
        self._deadline = deadline
        self._clock = clock
        self._page_size = PAGE

    async def employee(self, employee: EmployeeId, fields: Sequence[str]) -> dict[str, str]:
        """The fields as they are today: those the answer held, as text; "" for null, empty or a date not set.

        A field that is missing here was withheld, or is unknown to BambooHR. Raises NotFound (the employee is gone),
        RecordRefused (this one may not be read), CredentialsRefused (not accepted, or the API is locked),
        ConnectionMisset (there is no such company), RateLimited, Unavailable (down, slow, XML, half an answer, or an
        answer about somebody else).
        """
        if _ID.fullmatch(employee) is None:
            raise RecordRefused("An employee id is a number without leading zeros: this notice names none.")
        request = self._request(
            "employee", f"employees/{employee}", {"fields": ",".join(fields), "onlyCurrent": "true"}
        )
        answer = await self.ask(request)
        if answer.status == 403:
            await self._check_access()
            raise RecordRefused(
                "BambooHR does not show this employee: give the key's user access to it.",
                employee=employee,
                status=403,
            )
        if answer.status == 404:
            await self._check_address()
            raise NotFound("BambooHR has no such employee any more.", employee=employee, status=404)
        if 400 <= answer.status < 500:
            raise RecordRefused(
                "BambooHR refuses to read this employee: check the fields that the mapping names.",
                employee=employee,
                status=answer.status,
            )
        body = answer.object() if answer.status == 200 else None
        found = None if body is None else reading(body, employee, fields)
        if found is None:
            raise unanswered(request, status=answer.status)
        return found

    async def people(self, fields: Sequence[str]) -> AsyncGenerator[EmployeePage, None]:
        """Everybody, active or not, page after page; nobody twice unless BambooHR changes its pages meanwhile.

        fields: names of the list's own vocabulary. Raises PageMoved when the reading must begin anew, and what
        `employee` raises but NotFound.
        """
        after: str | None = None
        while True:
            page = await self.page(fields, after)
            yield page
            if page.next is None:
                return
            after = page.next

    async def page(self, fields: Sequence[str], after: str | None) -> EmployeePage:
        """One page of everybody, in the order of their ids: the first, or what follows `after`. Raises as `people`.

        Where a page does not come, the next one that is asked for is half its size, until the list was read to its end:
        it may have been too much to ask for.
        """
        try:
            page = await self._page(fields, after)
        except Unavailable as error:
            if error.context.get("status") != 503:
                self._page_size = max(self._page_size // 2, SMALLEST_PAGE)
            raise
        if page.next is None:
            self._page_size = PAGE
        return page

    async def _page(self, fields: Sequence[str], after: str | None) -> EmployeePage:
        params = {"fields": ",".join(fields), "page[limit]": str(self._page_size), "sort": "employeeId"}
        request = self._request("people", "employees", {**params, **({"page[after]": after} if after else {})})
        answer = await self.ask(request)
        if answer.status == 400 and after is not None:
            raise PageMoved("BambooHR's list moved while it was read; it is read anew.", status=400)
        if answer.status in (400, 403, 404, 422):
            raise CredentialsRefused(
                "BambooHR does not list the employees: give the key's user access to all of them.",
                status=answer.status,
            )
        body = answer.object() if answer.status == 200 else None
        page = None if body is None else employee_page(body)
        if page is None or (page.next is not None and (page.next == after or not page.rows)):
            raise unanswered(request, status=answer.status)
        return page

    async def changed(self, since: datetime) -> Feed:
        """Whoever has changed after `since`, by BambooHR's clock, each once with the latest change; deleted ones too.

        Raises CredentialsRefused, RateLimited, Unavailable.
        """
        told_since = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        request = self._request("changed", "employees/changed", {"since": told_since, "type": "all"})
        answer = await self.ask(request)
        if answer.status == 403:
            raise CredentialsRefused(
                "BambooHR does not tell who has changed: give the key's user access to the employees.", status=403
            )
        body = answer.object() if answer.status == 200 else None
        changes = None if body is None else change_feed(body)
        if changes is None:
            raise unanswered(request, status=answer.status)
        now = self._clock.now()
        told_at = answer.date() or now
        return Feed(changes, told_at, ahead=now - told_at)

    async def check_changes(self) -> None:
        """Whether the change feed may be asked, by a call with a short answer. Raises what `changed` raises."""
        await self.changed(self._clock.now())

    async def fields(self) -> tuple[HrField, ...]:
        """The fields that may be asked for, as far as this key's user sees them."""
        request = self._request("fields", "meta/fields", {})
        answer = await self.ask(request)
        if answer.status == 403:
            raise CredentialsRefused("BambooHR does not tell its fields: give the key's user access.", status=403)
        rows = answer.array() if answer.status == 200 else None
        if rows is None:
            raise unanswered(request, status=answer.status)
        return hr_fields(rows)

    async def _check_address(self) -> None:
        """Raise ConnectionMisset if there is nothing at all at this company's address.

        A 404 means either that or one employee who is gone (BambooHR API, errors). The caller's own record answers
        everywhere, also where the caller is no employee; if it should not, the fields do.
        """
        if await self._status_of_own_record() != 404:
            return
        if (await self.ask(self._request("fields", "meta/fields", {}))).status == 404:
            raise ConnectionMisset(
                "BambooHR answers nothing at this company's address: check the subdomain; has the company been "
                "renamed?",
                status=404,
            )

    async def _check_access(self) -> None:
        """Raise CredentialsRefused if the key is shut out altogether.

        A 403 means either that or one employee that is out of sight, and BambooHR documents no other difference.
        """
        if await self._status_of_own_record() == 403:
            if isinstance(self._credentials, Masked):
                sentence = "BambooHR has locked the API for this key: check it and wait until BambooHR lifts the lock."
            else:
                sentence = f"The consent to BambooHR does not reach employees: connect it again with {_SCOPES}."
            raise CredentialsRefused(sentence, status=403)

    async def _status_of_own_record(self) -> int:
        return (await self.ask(self._request("access", f"employees/{_MYSELF}", {"fields": "id"}))).status

    async def ask(self, request: Request) -> Answer:
        """The answer, of any status that is not trouble of the whole connection.

        The credentials are on it, always: calls without them count against the limit too. Raises CredentialsRefused,
        RateLimited, Unavailable, and AnswerLost where something may have been changed.
        """
        try:
            if isinstance(self._credentials, AccessTokens):
                return await self._credentials.using(lambda token: self._send(request, f"Bearer {token}"))
            key = base64.b64encode(f"{self._credentials.reveal}:x".encode())  # the password may be any text
            return await self._send(request, f"Basic {key.decode()}")
        except TokenRefused as error:
            if isinstance(self._credentials, Masked):
                sentence = "BambooHR does not accept the API key: give the connection a valid one."
            else:
                sentence = f"BambooHR does not accept a fresh token: connect it again with {_SCOPES}."
            raise CredentialsRefused(sentence, **error.context) from None

    async def _send(self, request: Request, authorization: str) -> Answer:
        signed = replace(request, headers={**request.headers, "Authorization": authorization})
        async with self._admit(request.operation, request.changes) as still:
            answer = await call(self._http, signed, deadline=self._deadline, clock=self._clock, still=still)
            wait = answer.retry_after(self._clock.now())
            if answer.status == 429:
                raise RateLimited(
                    "BambooHR's rate limit was hit; the call is made later.", retry_after=wait, status=429
                )
        if answer.status == 401:
            raise TokenRefused("BambooHR does not accept the credentials.", status=401)
        if answer.status == 408 or answer.status >= 500:
            raise unanswered(request, retry_after=wait, status=answer.status)
        return answer

    def request(self, operation: str, method: Method, path: str, body: bytes | None = None) -> Request:
        """Any other call, to be asked. path: below `/api/v1/`. body: JSON."""
        typed = {} if body is None else {"Content-Type": "application/json"}
        return Request("bamboohr", operation, method, f"{self._api}/{path}", typed, body=body)

    def _request(self, operation: str, path: str, params: dict[str, str]) -> Request:
        return replace(self.request(operation, "GET", path), params=params)
