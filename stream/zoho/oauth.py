"""Zoho Accounts: how it is asked for tokens and for a person's consent. Zoho keeps the refresh token that a consent
brought: a refresh sends no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from urllib.parse import urlencode

from stream.errors import ConnectionMisset
from stream.http import Answer, Request
from stream.issuer import Granted, Issuer
from stream.settings import Settings
from stream.telemetry import Masked
from stream.zoho.regions import REGIONS, TOLD_BY, accounts_url, refuse_other_region, region_told_by

SCOPES = (
    "ZohoBooks.contacts.READ",
    "ZohoBooks.contacts.CREATE",
    "ZohoBooks.contacts.UPDATE",
    "ZohoBooks.settings.READ",
)
"""What the client needs; marking active and inactive is under CREATE, the list of organizations under settings."""


@dataclass(frozen=True)
class ZohoAccounts(Issuer):
    """One client at the accounts server of its region.

    Zoho blocks the rest of ten minutes after ten requests in them (Zoho Accounts, token limits).
    """

    settings: Settings
    region: str

    api = "zoho"
    name = "Zoho"
    rotates = False
    if_none_came = "remove Rosterbook under Connected Apps of your Zoho account"
    dead = "invalid_code"
    throttled = "Access Denied"
    blocked = 600.0
    sentences = MappingProxyType(
        {
            "invalid_code": (
                f"Zoho does not know the refresh token: connect Zoho Books again, or set its region; {TOLD_BY}."
            ),
            "invalid_client": (
                f"Zoho does not know the client in this region: set the right one, then check the client; {TOLD_BY}."
            ),
            "invalid_client_secret": "Zoho does not accept the client secret: give the connection that of this region.",
            "invalid_redirect_uri": "Zoho does not accept the redirect address: give the one that is registered.",
        }
    )

    def endpoint(self) -> tuple[str, Mapping[str, str]]:
        return f"{accounts_url(self.settings, self.region)}/oauth/v2/token", {}

    def revocations(self, refresh_token: Masked) -> tuple[Request, ...]:
        """Both addresses that Zoho has named over time; the older takes the token in its query."""
        root = f"{accounts_url(self.settings, self.region)}/oauth/v2"
        token = {"token": refresh_token.reveal}
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return (
            Request("zoho", "revoke", "POST", f"{root}/revoke/token", form, body=urlencode(token).encode()),
            Request("zoho", "revoke", "POST", f"{root}/token/revoke", {}, token),
        )

    def read(self, answer: Answer, now: datetime) -> Granted:
        """Raises ConnectionMisset too, when the tokens are for another region: nothing of them is used."""
        found = super().read(answer, now)
        told = region_told_by(self.settings, api_domain=(answer.object() or {}).get("api_domain"))
        refuse_other_region(self.region, told)
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
