"""The vendors' clients with what a connection file holds, for a handful of calls before a worker has the connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp

from stream.bamboohr.client import BambooHr
from stream.bamboohr.hosts import base_url
from stream.bamboohr.oauth import BambooHrAccounts
from stream.clock import Clock
from stream.connection_file import ConnectionFile, OAuthSection, with_refresh_token
from stream.http import Still
from stream.issuer import Issuer
from stream.records import Api
from stream.settings import Settings
from stream.telemetry import Masked
from stream.tokens import AccessTokens, HeldTokens
from stream.zoho.client import ZohoBooks
from stream.zoho.oauth import ZohoAccounts
from stream.zoho.regions import api_url


def vendor_session() -> aiohttp.ClientSession:
    """For a command's calls of vendors: nothing that one of them sets goes to the other."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())


@asynccontextmanager
async def clients(
    file: ConnectionFile, settings: Settings, clock: Clock
) -> AsyncIterator[tuple[BambooHr, Callable[[str], ZohoBooks], Callable[[ConnectionFile], ConnectionFile]]]:
    """BambooHR's, Zoho's by organization, and what puts refresh tokens that came in place."""
    newer: dict[Api, Masked] = {}

    def renewed(file: ConnectionFile) -> ConnectionFile:
        for api, token in newer.items():
            file = with_refresh_token(file, api, token)
        return file

    deadline = settings.call_deadline
    async with vendor_session() as http:

        def tokens(api: Api, issuer: Issuer, oauth: OAuthSection) -> AccessTokens:
            async def save(held: HeldTokens) -> None:
                if held.refresh_token is not None:
                    newer[api] = held.refresh_token

            assert oauth.refresh_token is not None
            return AccessTokens(
                http,
                issuer,
                refresh_token=oauth.refresh_token,
                held=None,
                save=save,
                admit=_at_once,
                deadline=deadline,
                clock=clock,
            )

        section, url = file.bamboohr, base_url(settings, file.bamboohr.subdomain)
        credentials: Masked | AccessTokens
        if section.oauth is not None:
            issuer = BambooHrAccounts(section.oauth.client_id, section.oauth.client_secret, url)
            credentials = tokens("bamboohr", issuer, section.oauth)
        else:
            assert section.api_key is not None
            credentials = section.api_key
        oauth = file.zoho.oauth
        accounts = ZohoAccounts(oauth.client_id, oauth.client_secret, settings, file.zoho.region)
        of_zoho = tokens("zoho", accounts, oauth)

        def books_of(organization: str) -> ZohoBooks:
            root = api_url(settings, file.zoho.region)
            return ZohoBooks(http, root, organization, of_zoho, admit=_at_once, deadline=deadline, clock=clock)

        yield (
            BambooHr(http, url, credentials, admit=_at_once, deadline=deadline, clock=clock),
            books_of,
            renewed,
        )


@asynccontextmanager
async def _at_once(operation: str, changes: bool) -> AsyncIterator[Still]:
    """A handful of calls of a person who waits for them: no worker calls for this connection yet."""
    yield lambda: True
