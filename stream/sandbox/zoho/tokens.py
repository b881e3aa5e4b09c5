"""Zoho Accounts' memory: which codes, refresh tokens and access tokens are alive, and who asked too often.

Every rule here is from Zoho's OAuth pages: codes live 2 minutes and work once, access tokens live an hour, at most 10
of them are active per refresh token, 10 token requests per refresh token in 10 minutes, 20 refresh tokens per user.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from stream.clock import Clock

CODE_S = 120.0
ACCESS_TOKEN_S = 3600
ACTIVE_ACCESS_TOKENS = 10
REQUESTS_PER_WINDOW = 10
WINDOW_S = 600.0
REFRESH_TOKENS_PER_USER = 20


class OAuthRefused(Exception):
    """`error` of the answer, as Zoho spells it."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class Throttled(OAuthRefused):
    """Too many token requests for one refresh token."""

    def __init__(self) -> None:
        super().__init__("Access Denied")


@dataclass(frozen=True)
class Credentials:
    """What a client needs to come in."""

    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True)
class Issued:
    """What a token request brings. `refresh_token` is None on a refresh, and where none was asked for or due."""

    access_token: str
    scopes: tuple[str, ...]
    refresh_token: str | None = None


@dataclass
class _Grant:
    scopes: tuple[str, ...]
    access_tokens: list[str] = field(default_factory=list)
    window_from: float = float("-inf")
    requests: int = 0


@dataclass(frozen=True)
class _Code:
    scopes: tuple[str, ...]
    redirect_uri: str
    refresh_token_due: bool
    expires: float


def mint() -> str:
    """A token or code in the form Zoho gives them."""
    return f"1000.{secrets.token_hex(16)}.{secrets.token_hex(16)}"


class TokenStore:
    """The grants of one user to one client, in one data centre."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._codes: dict[str, _Code] = {}
        self._grants: dict[str, _Grant] = {}
        self._access: dict[str, tuple[_Grant, float]] = {}
        self._ever_issued: set[str] = set()

    def grant(self, scopes: tuple[str, ...]) -> str:
        """A refresh token. The user's 21st deletes the oldest without a word."""
        if len(self._grants) >= REFRESH_TOKENS_PER_USER:
            self._end(next(iter(self._grants)))
        token = mint()
        self._grants[token] = _Grant(scopes)
        return token

    def authorize(self, scopes: tuple[str, ...], redirect_uri: str, *, offline: bool, consent: bool) -> str:
        """A code. A refresh token comes with it only offline, and on a repeated consent only if it was prompted for."""
        code = mint()
        due = offline and (consent or not self._grants)
        self._codes[code] = _Code(scopes, redirect_uri, due, self._clock.monotonic() + CODE_S)
        return code

    def exchange(self, code: str, redirect_uri: str) -> Issued:
        """Codes work once, even when the exchange fails. Raises OAuthRefused."""
        known = self._codes.pop(code, None)
        if known is None or known.expires <= self._clock.monotonic():
            raise OAuthRefused("invalid_code")
        if redirect_uri != known.redirect_uri:
            raise OAuthRefused("invalid_redirect_uri")
        if not known.refresh_token_due:
            return Issued(self._issue(_Grant(known.scopes)), known.scopes)
        refresh_token = self.grant(known.scopes)
        return Issued(self._issue(self._grants[refresh_token]), known.scopes, refresh_token)

    def refresh(self, refresh_token: str) -> Issued:
        """Raises OAuthRefused for a dead or unknown refresh token, Throttled for the 11th request of a window."""
        grant = self._grants.get(refresh_token)
        if grant is None:
            raise OAuthRefused("invalid_code")
        now = self._clock.monotonic()
        if now - grant.window_from >= WINDOW_S:
            grant.window_from, grant.requests = now, 0
        grant.requests += 1
        if grant.requests > REQUESTS_PER_WINDOW:
            raise Throttled
        return Issued(self._issue(grant), grant.scopes)

    def revoke(self, token: str) -> None:
        """End a refresh token with its access tokens, or one access token. Raises OAuthRefused for any other."""
        if token in self._grants:
            self._end(token)
        elif self._access.pop(token, None) is None:
            raise OAuthRefused("invalid_code")

    def scopes_of(self, access_token: str) -> tuple[str, ...] | None:
        """What the token allows; None when it is dead or not one of ours."""
        known = self._access.get(access_token)
        return known[0].scopes if known and known[1] > self._clock.monotonic() else None

    def issued(self, access_token: str) -> bool:
        """Whether this data centre ever issued the token, alive or not."""
        return access_token in self._ever_issued

    def expire_access_tokens(self) -> None:
        """Let every access token die now, as if its hour were over."""
        self._access.clear()

    def _issue(self, grant: _Grant) -> str:
        now = self._clock.monotonic()
        active = [token for token in grant.access_tokens if token in self._access and self._access[token][1] > now]
        while len(active) >= ACTIVE_ACCESS_TOKENS:
            del self._access[active.pop(0)]
        token = mint()
        grant.access_tokens = [*active, token]
        self._access[token] = (grant, now + ACCESS_TOKEN_S)
        self._ever_issued.add(token)
        return token

    def _end(self, refresh_token: str) -> None:
        for token in self._grants.pop(refresh_token).access_tokens:
            self._access.pop(token, None)
