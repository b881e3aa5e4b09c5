"""How Zoho Accounts is asked for a new access token, and what its answers mean. Refusals may come with HTTP 200, and
Zoho keeps the refresh token that the connection was given: it does not send another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from stream.errors import ConnectionMisset, CredentialsRefused, RateLimited
from stream.http import Answer, Request
from stream.settings import Settings
from stream.telemetry import Masked
from stream.token_answer import granted, refusal
from stream.tokens import Granted, RefreshTokenRefused, unusable
from stream.zoho.regions import REGIONS, accounts_url, refuse_other_region, region_told_by

NAME = "Zoho"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SCOPES = (
    "ZohoBooks.contacts.READ",
    "ZohoBooks.contacts.CREATE",
    "ZohoBooks.contacts.UPDATE",
    "ZohoBooks.settings.READ",
)
"""What the client needs; marking active and inactive is under CREATE, the list of organizations under settings."""
BLOCKED_S = 600.0
"""How long Zoho Accounts refuses after ten token requests in ten minutes, where it does not say."""

_SENTENCES = {
    "invalid_code": "Zoho no longer knows the refresh token: connect Zoho Books again.",
    "invalid_client": "Zoho does not know the client in this region: check the region first, then the client id.",
    "invalid_client_secret": "Zoho does not accept the client secret: give the connection the one of this region.",
    "invalid_redirect_uri": "Zoho does not accept the redirect address: connect Zoho Books again.",
}
_DEAD = "invalid_code"


@dataclass(frozen=True)
class ZohoAccounts:
    """One client at the accounts server of its region."""

    settings: Settings
    region: str
    client_id: Masked
    client_secret: Masked

    name = NAME
    rotates = False
    if_none_came = "remove Rosterbook under Connected Apps of your Zoho account"

    def request(self, refresh_token: Masked) -> Request:
        return self._token_request(grant_type="refresh_token", refresh_token=refresh_token.reveal)

    def code_request(self, code: Masked, redirect_uri: str | None) -> Request:
        back = {} if redirect_uri is None else {"redirect_uri": redirect_uri}
        return self._token_request(grant_type="authorization_code", code=code.reveal, **back)

    def _token_request(self, **grant: str) -> Request:
        form = {"client_id": self.client_id.reveal, "client_secret": self.client_secret.reveal, **grant}
        url = f"{accounts_url(self.settings, self.region)}/oauth/v2/token"
        return Request("zoho", "token", "POST", url, FORM, body=urlencode(form).encode())

    def read(self, answer: Answer, now: datetime) -> Granted:
        error, wait = refusal(answer), answer.retry_after(now)
        if answer.status == 429 or error == "Access Denied":
            wait = BLOCKED_S if wait is None else wait
            raise RateLimited("Zoho gives no more tokens for a while.", retry_after=wait, status=answer.status)
        if answer.status >= 500:
            raise unusable(NAME, wait, status=answer.status)
        if error is not None:
            known = error if error in _SENTENCES else None
            sentence = _SENTENCES.get(error, "Zoho refuses a new access token: connect Zoho Books again.")
            kind = RefreshTokenRefused if error == _DEAD else CredentialsRefused
            raise kind(sentence, status=answer.status, code=known)
        found = granted(NAME, answer)
        refuse_other_region(
            self.region, region_told_by(self.settings, api_domain=(answer.object() or {}).get("api_domain"))
        )
        return found


def consent_url(accounts_url: str, client_id: str, redirect_uri: str, state: str) -> str:
    """Where a person agrees to SCOPES. accounts_url: of any region; Zoho leads people on to their own.

    Offline, or no refresh token comes; with consent asked for, or none comes a second time (Zoho Accounts, web server
    applications).
    """
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "scope": ",".join(SCOPES),
        "redirect_uri": redirect_uri,
        "access_type": "offline",
        "prompt": "consent",
        "state": state,
    }
    return f"{accounts_url}/oauth/v2/auth?{urlencode(asked)}"


def region_in(fields: Mapping[str, str], settings: Settings, asked: str) -> str:
    """The region whose accounts server gave the code: nowhere else may it go. fields: of the callback.

    asked: where the person was sent. Raises ConnectionMisset for a server that is not in the table of regions.
    """
    server, location = fields.get("accounts-server"), fields.get("location")
    if settings.zoho_accounts_url is not None or server is None:
        return asked
    told = region_told_by(settings, accounts_server=server)
    if told is None or (location in REGIONS and location != told):
        raise ConnectionMisset("The consent came back from a server that is not Zoho's: nothing was sent to it.")
    return told
