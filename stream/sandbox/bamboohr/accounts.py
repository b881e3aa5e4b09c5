"""Who may call and what they may see: users, their API keys, the OAuth app, its codes and tokens.

A user's permissions bound everything done with their key or with tokens they authorised; scopes bound tokens further.
Nobody but the one who asked is told a secret, and nothing here is logged.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from stream.clock import Clock
from stream.sandbox.bamboohr.fields import FIELDS, Field
from stream.sandbox.bamboohr.quirks import BambooHrQuirks
from stream.sandbox.bamboohr.refusals import refused_oauth

ACCESS_TOKEN_S = 3600
CODE_S = 600
READ_SCOPES = frozenset({"employee", *(f"employee:{f.group}" for f in FIELDS if f.group not in ("none", "protected"))})
SCOPES = (
    "openid",
    "offline_access",
    "public.user",
    "employee",
    "employee.write",
    "employee_directory",
    "field",
    "field.write",
    "webhooks",
    "webhooks.write",
)
"""What the stand-in's app has registered."""


@dataclass
class User:
    """A person or service account of the company.

    employee: whom `id=0` means, None for a service account. denied: keys of fields they may not see.
    hidden: employees they may not see. restricted: further fields they may not see of some employees.
    """

    id: str
    employee: str | None = None
    active: bool = True
    may_write: bool = True
    may_edit_lists: bool = True
    may_see_fields: bool = True
    denied: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    restricted: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Caller:
    """A user, with what they called by. scopes: None for an API key, which is bound by permissions alone."""

    user: User
    credential: str
    scopes: frozenset[str] | None = None

    def has_scope(self, *any_of: str) -> bool:
        return self.scopes is None or not self.scopes.isdisjoint(any_of)

    def sees(self, employee_id: str) -> bool:
        return employee_id not in self.user.hidden

    def reads(self, known: Field, employee_id: str | None = None) -> bool:
        """Whether they may read this field, of this employee or at all."""
        if known.key in self.user.denied or known.key in self.user.restricted.get(employee_id or "", frozenset()):
            return False
        if self.scopes is None or known.group == "none":
            return True
        if known.group == "protected":
            return "sensitive_employee:protected_info" in self.scopes
        return not self.scopes.isdisjoint(("employee", f"employee:{known.group}"))


@dataclass(frozen=True)
class Credentials:
    """What the one who runs the sandbox is told, once."""

    api_key: str
    client_id: str
    client_secret: str
    refresh_token: str


@dataclass
class App:
    """The OAuth app as registered with the vendor."""

    client_id: str
    client_secret: str
    scopes: frozenset[str] = frozenset(SCOPES)
    redirect_uris: set[str] = field(default_factory=lambda: {"https://rosterbook.example/oauth/bamboohr/callback"})


@dataclass(frozen=True)
class _Grant:
    user: User
    scopes: frozenset[str]
    redirect_uri: str = ""
    expires: float = float("inf")


class Accounts:
    """All credentials of one company."""

    def __init__(self, *, clock: Clock, quirks: BambooHrQuirks) -> None:
        self._clock = clock
        self._quirks = quirks
        self._keys: dict[str, User] = {}
        self._codes: dict[str, _Grant] = {}
        self._access: dict[str, _Grant] = {}
        self._refresh: dict[str, _Grant] = {}
        self.app = App(f"sandbox-{secrets.token_hex(6)}", secrets.token_urlsafe(24))
        self.admin = User("1")
        self.issued = Credentials(
            self.new_key(self.admin),
            self.app.client_id,
            self.app.client_secret,
            self._new_refresh_token(_Grant(self.admin, self.app.scopes)),
        )

    def new_key(self, user: User) -> str:
        """An API key of this user: 160 bits in hex, as BambooHR makes them."""
        key = secrets.token_hex(20)
        self._keys[key] = user
        return key

    def by_key(self, key: str) -> Caller | None:
        user = self._keys.get(key)
        return Caller(user, "key") if user and user.active else None

    def by_token(self, token: str) -> Caller | None:
        grant = self._access.get(token)
        if grant is None or not grant.user.active or grant.expires <= self._clock.monotonic():
            return None
        return Caller(grant.user, "oauth", grant.scopes)

    def consent(self, scopes: frozenset[str], redirect_uri: str, user: User | None = None) -> str:
        """The code a browser brings back after `user` (default: the admin) has agreed. It works once."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Grant(user or self.admin, scopes, redirect_uri, self._clock.monotonic() + CODE_S)
        return code

    def exchange(self, code: str, redirect_uri: str) -> dict[str, object]:
        grant = self._codes.pop(code, None)
        if grant is None or grant.expires <= self._clock.monotonic() or grant.redirect_uri != redirect_uri:
            raise refused_oauth(400, "invalid_grant", "The authorization code is not valid")
        granted = _Grant(grant.user, grant.scopes)
        answer = self._tokens(granted)
        if "offline_access" in grant.scopes:
            answer["refresh_token"] = self._new_refresh_token(granted)
        return answer

    def refresh(self, token: str) -> dict[str, object]:
        grant = self._refresh.get(token)
        if grant is None or not grant.user.active:
            raise refused_oauth(400, "invalid_grant", "The refresh token is not valid")
        answer = self._tokens(grant)
        if self._quirks.refresh_token == "repeated":  # noqa: S105 - a switch, no secret
            answer["refresh_token"] = token
        elif self._quirks.refresh_token == "rotated":  # noqa: S105 - a switch, no secret
            del self._refresh[token]
            answer["refresh_token"] = self._new_refresh_token(grant)
        return answer

    def revoke(self, kind: Literal["access", "refresh"]) -> None:
        """End every token of a kind, as an admin does who uninstalls the app."""
        (self._access if kind == "access" else self._refresh).clear()

    def _tokens(self, grant: _Grant) -> dict[str, object]:
        access = f"at-{secrets.token_urlsafe(24)}"
        self._access[access] = _Grant(grant.user, grant.scopes, expires=self._clock.monotonic() + ACCESS_TOKEN_S)
        answer: dict[str, object] = {
            "access_token": access,
            "expires_in": ACCESS_TOKEN_S,
            "token_type": "Bearer",
            "scope": " ".join(sorted(grant.scopes)),
        }
        return answer | ({"id_token": f"id-{secrets.token_urlsafe(24)}"} if "openid" in grant.scopes else {})

    def _new_refresh_token(self, grant: _Grant) -> str:
        token = f"rt-{secrets.token_urlsafe(24)}"
        self._refresh[token] = grant
        return token
