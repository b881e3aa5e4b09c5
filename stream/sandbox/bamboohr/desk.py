"""What every endpoint has at hand: the company, its accounts, its webhooks, its quirks; and who is calling."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from stream.sandbox.bamboohr.accounts import Accounts, Caller
from stream.sandbox.bamboohr.company import Company
from stream.sandbox.bamboohr.quirks import BambooHrQuirks
from stream.sandbox.bamboohr.refusals import Refused
from stream.sandbox.bamboohr.registrations import Registrations
from stream.sandbox.bamboohr.throttle import Throttle

CALLER: web.RequestKey[Caller] = web.RequestKey("caller", Caller)


@dataclass(frozen=True)
class Desk:
    company: Company
    accounts: Accounts
    registrations: Registrations
    throttle: Throttle
    quirks: BambooHrQuirks

    def admit(self, request: web.Request) -> Caller:
        """Count the call, then look at its credentials. Raises Refused 401, 403, 429."""
        self.throttle.admit()
        scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
        caller = None
        match scheme.lower():
            case "basic":
                caller = self.accounts.by_key(_user_name(credential.strip()))
                if caller is None:
                    self.throttle.bad_key()
            case "bearer":
                caller = self.accounts.by_token(credential.strip())
        if caller is None:
            challenge = {"WWW-Authenticate": 'Basic realm="BambooHR"'} if self.quirks.www_authenticate == "sent" else {}
            raise Refused(401, "Missing or invalid credentials", headers=challenge)
        return caller


def calling(request: web.Request, *scopes: str) -> Caller:
    """Who calls. Raises Refused 403 unless they have one of `scopes`; an API key needs none."""
    caller = request[CALLER]
    if not caller.has_scope(*scopes):
        raise Refused(403, "The token has none of the scopes that this needs")
    return caller


async def json_body(request: web.Request) -> Any:
    """Raises Refused 400 for what is no JSON."""
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise Refused(400, "Malformed JSON") from None


def _user_name(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""
