"""BambooHR's OAuth, at each company's own address: how it is asked for tokens and for a person's consent. Whether a
refresh ends the refresh token and brings another is not documented: whatever comes back is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from urllib.parse import urlencode

from stream.errors import ConnectionMisset, CredentialsRefused
from stream.http import Answer
from stream.issuer import Granted, Issuer, refusal

SCOPES = ("offline_access", "public.user", "employee", "webhooks")
"""What is asked for: the refresh token, the change feed, the fields of employees, the webhook."""
_CLIENT = "BambooHR does not accept the OAuth client: check its client id and secret, and the subdomain."


@dataclass(frozen=True)
class BambooHrAccounts(Issuer):
    """One client at one company. base_url: the company's, as `stream/bamboohr/hosts.py` makes it."""

    base_url: str

    api = "bamboohr"
    name = "BambooHR"
    rotates = True
    if_none_came = "have the scope offline_access registered for the OAuth app"
    dead = "invalid_grant"
    blocked = 60.0
    sentences = MappingProxyType(
        {
            "invalid_grant": "BambooHR no longer accepts the refresh token: connect BambooHR again.",
            "invalid_client": _CLIENT,
            "unauthorized_client": "BambooHR does not let this client refresh tokens: check the app with BambooHR.",
            "invalid_scope": f"The OAuth app lacks a scope: register {' '.join(SCOPES)}, then connect BambooHR again.",
        }
    )

    def endpoint(self) -> tuple[str, Mapping[str, str]]:
        """The body is a form, and `request=token` in the query, as BambooHR's own Python SDK sends them."""
        return f"{self.base_url}/token.php", {"request": "token"}

    def read(self, answer: Answer, now: datetime) -> Granted:
        if refusal(answer) is None:
            if answer.status == 404:
                raise ConnectionMisset(
                    "BambooHR has no such company: check the subdomain of the connection.", status=404
                )
            if answer.status in (401, 403):
                raise CredentialsRefused(_CLIENT, status=answer.status)
        return super().read(answer, now)


def consent_url(base_url: str, client_id: str, redirect_uri: str, state: str) -> str:
    """Where a person agrees to SCOPES, at their own company's address (BambooHR, getting started)."""
    asked = {
        "request": "authorize",
        "state": state,
        "response_type": "code",
        "scope": " ".join(SCOPES),
        "client_id": client_id,
        "redirect_uri": redirect_uri,
    }
    return f"{base_url}/authorize.php?{urlencode(asked)}"
