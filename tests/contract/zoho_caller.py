"""A bare caller of the Zoho sandbox for its tests, and a clock that moves only when it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from agents.cli.first_clients import clients
from stream.clock import SystemClock
from stream.connection_file import load_connection
from stream.sandbox.zoho import ZohoSandbox
from stream.settings import Settings
from stream.zoho.client import ZohoBooks


class ManualClock:
    """Starts on a winter's noon in New York."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 9, 17, 0, 0, tzinfo=UTC)
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def outcome(self) -> tuple[int, int]:
        """HTTP status and code, the two things a client may rely on."""
        return self.status, self.body["code"]


class Caller:
    """Calls one sandbox with an access token of its own."""

    def __init__(self, sandbox: ZohoSandbox, clock: ManualClock, http: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.clock = clock
        self.http = http
        self.token = sandbox.tokens.refresh(sandbox.credentials.refresh_token).access_token

    async def call(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        form: Any = None,
        organization_id: str | None = "",
    ) -> Answer:
        """One call of the API. `organization_id`: None leaves it out, empty means the sandbox's."""
        asked = dict(query or {})
        if organization_id is not None:
            asked["organization_id"] = organization_id or self.sandbox.organization_id
        said = {"Authorization": f"Zoho-oauthtoken {self.token}"} if headers is None else headers
        url = self.sandbox.api_url + path
        async with self.http.request(method, url, params=asked, headers=said, json=json, data=form) as answer:
            return Answer(answer.status, await answer.json(), answer.headers)

    async def accounts(self, method: str, path: str, parameters: Mapping[str, str]) -> Answer:
        """One call of Zoho Accounts; `parameters` go into the form of a POST and the query of a GET."""
        placed: dict[str, Any] = {"params" if method == "GET" else "data": dict(parameters)}
        url = self.sandbox.accounts_url + path
        async with self.http.request(method, url, allow_redirects=False, **placed) as answer:
            is_json = answer.content_type == "application/json"
            return Answer(answer.status, await answer.json() if is_json else None, answer.headers)

    async def token_request(self, **parameters: str) -> Answer:
        credentials = self.sandbox.credentials
        client = {"client_id": credentials.client_id, "client_secret": credentials.client_secret}
        return await self.accounts("POST", "/oauth/v2/token", {**client, **parameters})

    async def refresh(self) -> Answer:
        token = self.sandbox.credentials.refresh_token
        return await self.token_request(grant_type="refresh_token", refresh_token=token)

    async def control(self, method: str, path: str, json: Any = None) -> Answer:
        async with self.http.request(method, f"{self.sandbox.accounts_url}/_sandbox/{path}", json=json) as answer:
            return Answer(answer.status, await answer.json(), answer.headers)

    async def create(self, name: str = "Ada Moreno", **body: Any) -> dict[str, Any]:
        """A contact that must be accepted, as the answer shows it."""
        answer = await self.call("POST", "/contacts", {"contact_name": name, **body})
        assert answer.outcome == (201, 0), answer.body
        contact: dict[str, Any] = answer.body["contact"]
        return contact

    async def get(self, contact_id: str) -> dict[str, Any]:
        answer = await self.call("GET", f"/contacts/{contact_id}")
        assert answer.outcome == (200, 0)
        contact: dict[str, Any] = answer.body["contact"]
        return contact

    async def names(self, **query: str) -> list[str]:
        """The display names in the list, in its order."""
        answer = await self.call("GET", "/contacts", query=query)
        assert answer.outcome == (200, 0)
        return [row["contact_name"] for row in answer.body["contacts"]]


@asynccontextmanager
async def running_sandbox(**settings: Any) -> AsyncIterator[Caller]:
    """A sandbox on a free port with a manual clock; `settings` as of `ZohoSandbox`."""
    clock = ManualClock()
    sandbox = ZohoSandbox(clock=clock, **settings)
    await sandbox.start()
    try:
        async with aiohttp.ClientSession() as http:
            yield Caller(sandbox, clock, http)
    finally:
        await sandbox.stop()


def person(email: str, **fields: Any) -> dict[str, Any]:
    return {"first_name": "Ada", "last_name": "Moreno", "email": email, **fields}


@asynccontextmanager
async def client(zoho: ZohoSandbox, tmp_path: Path) -> AsyncIterator[ZohoBooks]:
    """The product's own, connected to the sandbox."""
    known, path = zoho.credentials, tmp_path / "acme.toml"
    path.write_text(
        'id = "acme"\nmode = "live"\n[bamboohr]\nsubdomain = "acme"\napi_key = "k"\n[zoho]\nregion = "eu"\n'
        f'organization_id = "{zoho.organization.organization_id}"\noauth = {{ client_id = "{known.client_id}", '
        f'client_secret = "{known.client_secret}", refresh_token = "{known.refresh_token}" }}\n'
    )
    settings = Settings(zoho_accounts_url=zoho.accounts_url, zoho_api_url=zoho.api_url)
    async with clients(load_connection(path), settings, SystemClock()) as (_, books_of, _renewed):
        yield books_of(zoho.organization.organization_id)
