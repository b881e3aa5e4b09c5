"""Who may call: the token, the organization, the limits and the scope, in this order, before any call is handled."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from stream.sandbox.zoho.limits import LimitLedger
from stream.sandbox.zoho.operations import Operation
from stream.sandbox.zoho.quirks import ZohoQuirks
from stream.sandbox.zoho.refusals import Refused, not_authorized, refusal
from stream.sandbox.zoho.tokens import TokenStore


class Access:
    """The door of the API of one organization."""

    def __init__(self, organization_id: str, tokens: TokenStore, ledger: LimitLedger, *, quirks: ZohoQuirks) -> None:
        self._organization_id = organization_id
        self._tokens = tokens
        self._ledger = ledger
        self._quirks = quirks

    def middleware(self, operations: dict[str, Operation]) -> Middleware:
        """Guards the calls in `operations`, by their names; everything else passes. A call is in flight to its end."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            operation = operations.get(request.match_info.route.name or "")
            if operation is None:
                return await handler(request)
            try:
                scopes = self._scopes(request)
                if operation.organization_needed:
                    self._check_organization(request)
            except Refused as refused:
                return refusal(refused)
            answer = await self._limited(request, handler, operation, scopes)
            if not answer.prepared:
                answer.headers.update(self._ledger.headers())
            return answer

        return guard

    async def _limited(
        self, request: web.Request, handler: Handler, operation: Operation, scopes: tuple[str, ...]
    ) -> web.StreamResponse:
        try:
            self._ledger.enter()
        except Refused as refused:
            return refusal(refused)
        try:
            if not _covers(scopes, operation.scope):
                return refusal(not_authorized())
            await asyncio.sleep(self._ledger.limits.latency_s)
            return await handler(request)
        finally:
            self._ledger.leave()

    def _scopes(self, request: web.Request) -> tuple[str, ...]:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        accepted = ("zoho-oauthtoken", "bearer") if self._quirks.bearer == "accepted" else ("zoho-oauthtoken",)
        if scheme.lower() not in accepted or not token.strip():
            raise not_authorized(14)
        scopes = self._tokens.scopes_of(token.strip())
        if scopes is None:
            ours = self._tokens.issued(token.strip())
            raise not_authorized(57 if ours else self._quirks.unknown_token_code)
        return scopes

    def _check_organization(self, request: web.Request) -> None:
        if request.query.get("organization_id") != self._organization_id:
            status = self._quirks.wrong_organization_status
            raise Refused(status, 57 if status == 401 else 2, "Invalid value passed for organization_id")


def _covers(scopes: tuple[str, ...], needed: str) -> bool:
    """Whether a grant of `scopes` allows `needed`, such as contacts.READ. Zoho compares without regard to case."""
    module, _, _ = needed.partition(".")
    sufficient = {f"zohobooks.{needed}".lower(), f"zohobooks.{module}.all".lower(), "zohobooks.fullaccess.all"}
    return any(scope.lower() in sufficient for scope in scopes)
