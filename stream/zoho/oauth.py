"""How Zoho Accounts is asked for a new access token, and what its answers mean. Refusals may come with HTTP 200, and
Zoho keeps the refresh token that the connection was given: it does not send another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from stream.errors import CredentialsRefused, RateLimited
from stream.http import Answer, Request
from stream.telemetry import Masked
from stream.token_answer import granted, refusal
from stream.tokens import Granted, RefreshTokenRefused, unusable

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
    "invalid_client": "Zoho does not know the client: check the region first, then the client id.",
    "invalid_client_secret": "Zoho does not accept the client secret: give the connection the one of this region.",
    "invalid_redirect_uri": "Zoho does not accept the redirect address: connect Zoho Books again.",
}
_DEAD = "invalid_code"


@dataclass(frozen=True)
class ZohoAccounts:
    """One client at the accounts server of its region."""

    accounts_url: str
    client_id: Masked
    client_secret: Masked

    name = NAME
    rotates = False

    def request(self, refresh_token: Masked) -> Request:
        return self.token_request(grant_type="refresh_token", refresh_token=refresh_token.reveal)

    def token_request(self, **grant: str) -> Request:
        """Any request to the token endpoint, the client's credentials added."""
        form = {"client_id": self.client_id.reveal, "client_secret": self.client_secret.reveal, **grant}
        url = f"{self.accounts_url}/oauth/v2/token"
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
        return granted(NAME, answer)
