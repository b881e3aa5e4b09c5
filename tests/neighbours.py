"""Two companies on one installation, in the same partition, each with sandboxes of its own.

The vendors' addresses are one setting of an installation, so a switchboard stands in front of the sandboxes and reads
from each request whose it is: by the subdomain, by the organization, or by the client that asks for a token.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

import aiohttp
from aiohttp import hdrs, web

from agents.demo.vendors import Vendors
from agents.installation import Installation
from stream.records import ConnectionId
from stream.settings import Settings
from stream.topics import partition_of
from stream.zoho.regions import BOOKS

ONE, OTHER = ConnectionId("acme"), ConnectionId("tyrell")
assert partition_of(ONE, Settings().new_partitions) == partition_of(OTHER, Settings().new_partitions)

HOP_BY_HOP = {hdrs.HOST, hdrs.CONNECTION, hdrs.TRANSFER_ENCODING, hdrs.CONTENT_LENGTH, hdrs.KEEP_ALIVE}
V = TypeVar("V", bound=Vendors)


class Switchboard:
    """Passes each request on to the sandbox that it is for, and what that answers back."""

    def __init__(self, companies: Sequence[Vendors]) -> None:
        self._companies = companies
        self._http: aiohttp.ClientSession | None = None
        self._runner: web.ServerRunner | None = None
        self.url = ""

    async def start(self) -> None:
        self._http = aiohttp.ClientSession(auto_decompress=False, connector=aiohttp.TCPConnector(limit=0))
        self._runner = web.ServerRunner(web.Server(self._pass_on, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._http is not None:
            await self._http.close()

    def environment(self) -> dict[str, str]:
        """What makes an installation call here."""
        return {
            "ROSTERBOOK_BAMBOOHR_URL": self.url,
            "ROSTERBOOK_ZOHO_ACCOUNTS_URL": self.url,
            "ROSTERBOOK_ZOHO_API_URL": self.url + BOOKS,
        }

    async def _pass_on(self, request: web.BaseRequest) -> web.StreamResponse:
        assert self._http is not None
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name not in HOP_BY_HOP}
        url = self._origin(request, body) + request.path_qs
        try:
            async with self._http.request(
                request.method, url, headers=headers, data=body, allow_redirects=False
            ) as answer:
                content = await answer.read()
        except aiohttp.ClientError:
            assert request.transport is not None
            request.transport.abort()  # as the sandbox did
            return web.Response()
        passed = {name: value for name, value in answer.headers.items() if name not in HOP_BY_HOP}
        return web.Response(status=answer.status, body=content, headers=passed)

    def _origin(self, request: web.BaseRequest, body: bytes) -> str:
        for company in self._companies:
            if request.path.startswith(f"/{company.connection}/"):
                return company.bamboohr.root_url
            organization, client = company.zoho.organization_id, company.zoho.credentials.client_id
            if request.query.get("organization_id") == organization or client.encode() in body:
                return company.zoho.accounts_url
        raise web.HTTPNotFound


@asynccontextmanager
async def neighbours(data: Path, make: Callable[[ConnectionId], V]) -> AsyncIterator[tuple[Installation, V, V]]:
    """An installation that is ready and serves both companies, which have nobody yet. make: the sandboxes of one."""
    companies = make(ONE), make(OTHER)
    async with AsyncExitStack() as stack:
        for company in companies:
            stack.push_async_callback(company.stop)
            await company.start()
        switchboard = Switchboard(companies)
        stack.push_async_callback(switchboard.stop)
        await switchboard.start()
        environment = {
            **switchboard.environment(),
            "ROSTERBOOK_DATA": str(data),
            "ROSTERBOOK_GATEWAY_PORT": "0",
            "ROSTERBOOK_METRICS_PORT": "0",
        }
        installation = Installation(Settings(data=data, kafka=None), say=lambda text: None, environment=environment)
        stack.push_async_callback(installation.stop)
        await installation.start()
        gateway = installation.address("gateway")
        assert gateway is not None
        for company in companies:
            await company.connect(gateway, data, environment)
        yield installation, *companies
