"""Comes by the refresh tokens that a connection file does not hold: by a code of a Zoho self client, or by a person who
consents in a browser. What the browser brings back comes over the gateway, or is pasted into the terminal where the
gateway cannot be reached; whichever is first counts.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import assert_never

import aiohttp

from agents.cli.console import note, print_error
from agents.cli.first_clients import vendor_session
from stream import consent_state
from stream.bamboohr import oauth as bamboohr
from stream.bamboohr.hosts import base_url
from stream.clock import Clock
from stream.codec import decode
from stream.connection_file import ConnectionFile, OAuthSection, with_refresh_token
from stream.consent import code_in, exchange, read_pasted
from stream.consent_state import ConsentState
from stream.errors import CredentialsRefused, RecordRefused, Retriable, UsageError
from stream.http import Request, call
from stream.kafka.scan import Entry, LogScan
from stream.records import Api, Command, Connection, Sealed
from stream.settings import Settings
from stream.telemetry import Masked
from stream.topics import COMMANDS
from stream.vault import Purpose, Vault
from stream.zoho import oauth as zoho
from stream.zoho.elsewhere import may_be_elsewhere, region_elsewhere
from stream.zoho.regions import accounts_url, refuse_other_region

Issuing = bamboohr.BambooHrAccounts | zoho.ZohoAccounts


@dataclass(frozen=True)
class ConsentDesk:
    """partition: of the connection. may_look: whether Zoho's other regions may be asked about the credentials."""

    settings: Settings
    vault: Vault
    scan: LogScan
    partition: int
    clock: Clock
    may_look: Callable[[], bool]

    async def completed(self, file: ConnectionFile, known: Connection | None, *, anew: bool) -> ConnectionFile:
        """The file with all its refresh tokens. known: the connection as it is. anew: whatever token it holds.

        Raises CredentialsRefused, ConnectionMisset, Retriable, UsageError, each with what to do.
        """
        sections: tuple[tuple[Api, OAuthSection | None], ...] = (
            ("bamboohr", file.bamboohr.oauth),
            ("zoho", file.zoho.oauth),
        )
        for api, oauth in sections:
            if oauth is None:
                continue
            if oauth.refresh_token is not None:
                if api == "zoho" and known is None:
                    await self._refuse_unknown(file.zoho.region, oauth, oauth.refresh_token)
                continue
            token = None if anew or known is None else self._held(known, api, oauth)
            if token is not None:
                note(f"The consent to {_name(api)} is kept as it is; --consent takes a new one.")
            file = with_refresh_token(file, api, token or await self._obtained(file, api, oauth))
        return file

    async def _refuse_unknown(self, region: str, oauth: OAuthSection, token: Masked) -> None:
        """Raise CredentialsRefused or ConnectionMisset when Zoho does not know a token: once saved, its region is bound
        for life. What Zoho does not answer now shows later, in the worker.
        """
        issuer = zoho.ZohoAccounts(oauth.client_id, oauth.client_secret, self.settings, region)
        deadline = self.settings.call_deadline
        async with vendor_session() as http, self._naming_region(http, issuer, lambda other: other.request(token)):
            with suppress(Retriable):
                answer = await call(http, issuer.request(token), deadline=deadline, clock=self.clock)
                issuer.read(answer, self.clock.now())

    @asynccontextmanager
    async def _naming_region(
        self, http: aiohttp.ClientSession, issuer: Issuing, asking: Callable[[zoho.ZohoAccounts], Request]
    ) -> AsyncIterator[None]:
        """Raise ConnectionMisset, naming the region, when credentials that Zoho refuses in the body are of another."""
        try:
            yield
        except CredentialsRefused as refusal:
            if isinstance(issuer, zoho.ZohoAccounts) and may_be_elsewhere(refusal) and self.may_look():
                deadline = self.settings.call_deadline
                found = await region_elsewhere(http, issuer, asking, deadline=deadline, clock=self.clock)
                refuse_other_region(issuer.region, found)
            raise

    def _held(self, known: Connection, api: Api, oauth: OAuthSection) -> Masked | None:
        """The refresh token that the connection was given, if it is of this client."""
        purposes: dict[Api, tuple[Purpose, Purpose]] = {
            "bamboohr": ("bamboohr.client_id", "bamboohr.refresh_token"),
            "zoho": ("zoho.client_id", "zoho.refresh_token"),
        }
        settings = known.bamboohr.oauth if api == "bamboohr" else known.zoho
        if settings is None:
            return None

        def opened(sealed: Sealed, purpose: Purpose) -> Masked:
            return self.vault.open(sealed, connection=known.connection, purpose=purpose)

        client, token = purposes[api]
        if opened(settings.client_id, client).reveal != oauth.client_id.reveal:
            return None
        return opened(settings.refresh_token, token)

    async def _obtained(self, file: ConnectionFile, api: Api, oauth: OAuthSection) -> Masked:
        issuer: Issuing
        match api:
            case "bamboohr":
                url = base_url(self.settings, file.bamboohr.subdomain)
                issuer = bamboohr.BambooHrAccounts(oauth.client_id, oauth.client_secret, url)
            case "zoho":
                issuer = zoho.ZohoAccounts(oauth.client_id, oauth.client_secret, self.settings, file.zoho.region)
            case _:
                assert_never(api)
        code, back = oauth.code or await self._consented(file, issuer, oauth), oauth.redirect_uri
        deadline = self.settings.call_deadline
        async with (
            vendor_session() as http,
            self._naming_region(http, issuer, lambda other: other.code_request(code, back)),
        ):
            granted = await exchange(http, issuer, code, redirect_uri=back, deadline=deadline, clock=self.clock)
        assert granted.refresh_token is not None
        return granted.refresh_token

    async def _consented(self, file: ConnectionFile, issuer: Issuing, oauth: OAuthSection) -> Masked:
        """The code that a person's consent brings."""
        assert oauth.redirect_uri is not None
        api: Api = "zoho" if isinstance(issuer, zoho.ZohoAccounts) else "bamboohr"
        if not oauth.redirect_uri.endswith(f"/oauth/{api}/callback"):
            raise UsageError(f"The redirect_uri for {issuer.name} must end in /oauth/{api}/callback.")
        state = consent_state.new_state(file.id, api, self.clock.now())
        text = consent_state.written(state, self.vault)
        if isinstance(issuer, zoho.ZohoAccounts):
            root = accounts_url(self.settings, file.zoho.region)
            url = zoho.consent_url(root, oauth.client_id.reveal, oauth.redirect_uri, text)
        else:
            url = bamboohr.consent_url(issuer.base_url, oauth.client_id.reveal, oauth.redirect_uri, text)
        fields = await self._brought_back(state, issuer.name, url, oauth.redirect_uri)
        code = code_in(fields, issuer.name)
        if isinstance(issuer, zoho.ZohoAccounts):
            refuse_other_region(file.zoho.region, zoho.region_in(fields, self.settings, file.zoho.region))
        return code

    async def _brought_back(self, state: ConsentState, name: str, url: str, redirect_uri: str) -> dict[str, str]:
        async with aclosing(self.scan.follow([COMMANDS.name], self.partition)) as entries:
            await anext(entries)  # the mark of where the topic ended before anybody was asked
            note(f"Open this address in a browser, as a user who may, and agree: {url}")
            waiting = {asyncio.create_task(self._over_the_log(entries, state))}
            if sys.stdin.isatty():
                note("If the browser then shows an error instead of thanks, paste the address it shows here:")
                waiting.add(asyncio.create_task(self._pasted(state, redirect_uri)))
            try:
                left = (state.until - self.clock.now()).total_seconds()
                done, _ = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    raise Retriable(f"Nobody consented to {name} within ten minutes: run the command again.")
                return done.pop().result()
            finally:
                for task in waiting:
                    task.cancel()
                await asyncio.gather(*waiting, return_exceptions=True)

    async def _over_the_log(self, entries: AsyncGenerator[Entry | None, None], state: ConsentState) -> dict[str, str]:
        async for entry in entries:
            try:
                record = decode(COMMANDS, None if entry is None else entry.value)
            except RecordRefused:
                continue
            if isinstance(record, Command) and record.connection == state.connection:
                fields = consent_state.answered(state, record, self.vault)
                if fields is not None:
                    return fields
        raise AssertionError("a topic that is followed does not end")

    async def _pasted(self, state: ConsentState, redirect_uri: str) -> dict[str, str]:
        while True:
            try:
                fields = read_pasted(await _line(), redirect_uri)
                found = consent_state.read(fields.get("state", ""), state.api, self.vault, self.clock.now())
            except UsageError as error:
                print_error(error.message)
                continue
            if found is not None and found.word == state.word:
                return fields
            print_error("This address belongs to another consent: paste the one that the address above led to.")


async def _line() -> str:
    """The next line that is typed; it can be waited for without a thread that would outlive the command."""
    loop, typed = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), typed.set)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    if not (line := sys.stdin.readline()):
        await asyncio.Event().wait()  # nothing more can be typed: what comes over the log counts
    return line


def _name(api: Api) -> str:
    return zoho.ZohoAccounts.name if api == "zoho" else bamboohr.BambooHrAccounts.name
