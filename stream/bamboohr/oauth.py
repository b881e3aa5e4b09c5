"""How BambooHR is asked for a new access token, and what its answers mean. Each company has its own token address, and
whether a refresh ends the refresh token and brings another is not documented: whatever comes back is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from stream.errors import ConnectionMisset, CredentialsRefused, RateLimited
from stream.http import Answer, Request
from stream.telemetry import Masked
from stream.token_answer import granted, refusal
from stream.tokens import Granted, RefreshTokenRefused, unusable

NAME = "BambooHR"
SCOPES = ("offline_access", "public.user", "employee", "webhooks")
"""What is asked for: the refresh token, the change feed, the fields of employees, the webhook."""
BLOCKED_S = 60.0
"""How long to wait after too many requests, where the answer does not say."""

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_SENTENCES = {
    "invalid_grant": "BambooHR no longer accepts the refresh token: connect BambooHR again.",
    "invalid_client": "BambooHR does not accept the OAuth client: check its client id and secret, and the subdomain.",
    "unauthorized_client": "BambooHR does not let this OAuth client refresh tokens: check the app with BambooHR.",
    "invalid_scope": f"The OAuth app lacks a scope: register {' '.join(SCOPES)} for it, then connect BambooHR again.",
}
_DEAD = "invalid_grant"


@dataclass(frozen=True)
class BambooHrAccounts:
    """One client at one company. base_url: the company's, as `stream/bamboohr/hosts.py` makes it."""

    base_url: str
    client_id: Masked
    client_secret: Masked

    name = NAME
    rotates = True
    if_none_came = "have the scope offline_access registered for the OAuth app"

    def request(self, refresh_token: Masked) -> Request:
        return self._token_request(grant_type="refresh_token", refresh_token=refresh_token.reveal)

    def code_request(self, code: Masked, redirect_uri: str | None) -> Request:
        back = {} if redirect_uri is None else {"redirect_uri": redirect_uri}
        return self._token_request(grant_type="authorization_code", code=code.reveal, **back)

    def _token_request(self, **grant: str) -> Request:
        """The client's credentials added.

        A form with `request=token` in the query, as BambooHR's own Python SDK sends it.
        """
        form = {"client_id": self.client_id.reveal, "client_secret": self.client_secret.reveal, **grant}
        url = f"{self.base_url}/token.php"
        return Request("bamboohr", "token", "POST", url, _FORM, {"request": "token"}, urlencode(form).encode())

    def read(self, answer: Answer, now: datetime) -> Granted:
        error, wait = refusal(answer), answer.retry_after(now)
        if answer.status == 429:
            wait = BLOCKED_S if wait is None else wait
            raise RateLimited(
                "BambooHR's rate limit was hit; a token is asked for later.", retry_after=wait, status=429
            )
        if answer.status >= 500:
            raise unusable(NAME, wait, status=answer.status)
        if error is not None:
            known = error if error in _SENTENCES else None
            sentence = _SENTENCES.get(error, "BambooHR refuses a new access token: connect BambooHR again.")
            kind = RefreshTokenRefused if error == _DEAD else CredentialsRefused
            raise kind(sentence, status=answer.status, code=known)
        if answer.status == 404:
            raise ConnectionMisset("BambooHR has no such company: check the subdomain of the connection.", status=404)
        if answer.status in (401, 403):
            raise CredentialsRefused(_SENTENCES["invalid_client"], status=answer.status)
        return granted(NAME, answer)


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
