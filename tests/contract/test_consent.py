"""Consent, from the address that a person opens to the refresh token, against both sandboxes; and all that may come
back instead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.bamboohr import oauth as bamboohr_oauth
from stream.bamboohr.client import BambooHr
from stream.bamboohr.oauth import BambooHrAccounts
from stream.clock import SystemClock
from stream.consent import LONGEST, Declined, code_in, exchange, read_pasted, read_query
from stream.core.mapping import FIELDS
from stream.errors import ConnectionMisset, CredentialsRefused, Unavailable, UsageError
from stream.issuer import Granted, Issuer
from stream.records import EmployeeId
from stream.sandbox.bamboohr import BambooHrQuirks, BambooHrSandbox, Company
from stream.sandbox.zoho import ZohoSandbox
from stream.settings import Settings
from stream.telemetry import Masked
from stream.tokens import AccessTokens, HeldTokens
from stream.zoho import oauth as zoho_oauth
from stream.zoho.oauth import SCOPES, ZohoAccounts, region_in
from tests.unit.vendor import DROPPED, SILENT, Door, HandClock, Reply, vendor

BACK = "https://rosterbook.example/oauth/bamboohr/callback"
ZOHO_BACK = "https://rosterbook.example/oauth/zoho/callback"
CLOCK = SystemClock()


async def followed(http: aiohttp.ClientSession, url: str) -> str:
    """Where the vendor sends the browser of a person who agrees."""
    async with http.get(url, allow_redirects=False) as answer:
        assert answer.status == 302, await answer.text()
        return answer.headers["Location"]


async def changed(http: aiohttp.ClientSession, issuer: Issuer, code: Masked, back: str | None = None) -> Granted:
    return await exchange(http, issuer, code, redirect_uri=back, deadline=2.0, clock=CLOCK)


@asynccontextmanager
async def zoho() -> AsyncIterator[tuple[ZohoSandbox, ZohoAccounts, aiohttp.ClientSession]]:
    sandbox = ZohoSandbox(clock=CLOCK)
    await sandbox.start()
    settings = Settings(zoho_accounts_url=sandbox.accounts_url, zoho_api_url=sandbox.api_url)
    known = sandbox.credentials
    issuer = ZohoAccounts(Masked(known.client_id), Masked(known.client_secret), settings, "eu")
    try:
        async with aiohttp.ClientSession() as http:
            yield sandbox, issuer, http
    finally:
        await sandbox.stop()


@asynccontextmanager
async def bamboohr() -> AsyncIterator[tuple[BambooHrSandbox, BambooHrAccounts, aiohttp.ClientSession]]:
    sandbox = BambooHrSandbox(Company("acme"), clock=CLOCK, quirks=BambooHrQuirks())
    await sandbox.start()
    known = sandbox.credentials
    issuer = BambooHrAccounts(Masked(known.client_id), Masked(known.client_secret), sandbox.base_url)
    try:
        async with aiohttp.ClientSession() as http:
            yield sandbox, issuer, http
    finally:
        await sandbox.stop()


async def test_a_consent_to_zoho_brings_a_refresh_token_for_exactly_the_scopes() -> None:
    async with zoho() as (sandbox, issuer, http):
        url = zoho_oauth.consent_url(sandbox.accounts_url, issuer.client_id.reveal, ZOHO_BACK, "st&te=")
        asked = parse_qs(urlsplit(url).query)
        assert asked["access_type"] == ["offline"]
        assert asked["prompt"] == ["consent"]
        for _ in range(2):  # a repeated consent brings one too, because it is prompted for
            fields = read_pasted(await followed(http, url), ZOHO_BACK)
            assert fields["state"] == "st&te="
            assert region_in(fields, issuer.settings, "eu") == "eu"
            granted = await changed(http, issuer, code_in(fields, "Zoho"), ZOHO_BACK)
            assert granted.refresh_token is not None
            assert sandbox.tokens.scopes_of(granted.access_token.reveal) == SCOPES


async def test_a_code_of_a_self_client_is_changed_without_a_redirect_address() -> None:
    async with zoho() as (sandbox, issuer, http):
        code = sandbox.tokens.authorize(SCOPES, "", offline=True, consent=True)
        assert (await changed(http, issuer, Masked(code))).refresh_token is not None
        with pytest.raises(
            CredentialsRefused, match="works once and for minutes only: consent again, or make a new code"
        ):
            await changed(http, issuer, Masked(code))


async def test_a_code_that_brings_no_refresh_token_says_why() -> None:
    async with zoho() as (sandbox, issuer, http):
        code = sandbox.tokens.authorize(SCOPES, ZOHO_BACK, offline=False, consent=False)
        with pytest.raises(
            CredentialsRefused, match="Zoho gave no refresh token: remove Rosterbook under Connected Apps"
        ):
            await changed(http, issuer, Masked(code), ZOHO_BACK)


async def test_a_consent_to_bamboohr_brings_a_refresh_token() -> None:
    async with bamboohr() as (sandbox, issuer, http):
        url = bamboohr_oauth.consent_url(sandbox.base_url, issuer.client_id.reveal, BACK, "s")
        fields = read_pasted(await followed(http, url), BACK)
        granted = await changed(http, issuer, code_in(fields, "BambooHR"), BACK)
        assert granted.refresh_token is not None
        caller = sandbox.accounts.by_token(granted.access_token.reveal)
        assert caller is not None
        assert caller.scopes == frozenset(bamboohr_oauth.SCOPES)
        with pytest.raises(CredentialsRefused, match="works once"):
            await changed(http, issuer, code_in(fields, "BambooHR"), BACK)


async def test_with_the_scopes_that_are_asked_for_everything_can_be_read() -> None:
    async with bamboohr() as (sandbox, issuer, http):
        ada = sandbox.company.hire({"firstName": "Ada", "lastName": "Moreno", "workEmail": "ada@example.test"})
        code = sandbox.accounts.consent(frozenset(bamboohr_oauth.SCOPES), BACK)
        brought = await changed(http, issuer, Masked(code), BACK)
        assert brought.refresh_token is not None

        async def save(_: HeldTokens) -> None: ...

        tokens = AccessTokens(
            http,
            issuer,
            refresh_token=brought.refresh_token,
            held=None,
            save=save,
            admit=Door().admit,
            deadline=2.0,
            clock=CLOCK,
        )
        client = BambooHr(http, sandbox.base_url, tokens, admit=Door().admit, deadline=2.0, clock=CLOCK)
        assert await client.employee(EmployeeId(ada), FIELDS)
        assert {"firstName", "workEmail"} <= {field.alias for field in await client.fields()}
        assert [len(page.rows) async for page in client.people(["firstName"])] == [1]


async def test_a_scope_that_the_app_lacks_is_a_consent_that_was_not_given() -> None:
    async with bamboohr() as (sandbox, issuer, http):
        sandbox.accounts.app.scopes = frozenset({"employee"})
        url = bamboohr_oauth.consent_url(sandbox.base_url, issuer.client_id.reveal, BACK, "s")
        with pytest.raises(Declined, match="open the address again and agree"):
            code_in(read_pasted(await followed(http, url), BACK), "BambooHR")


async def test_without_offline_access_there_is_no_refresh_token_and_it_is_said() -> None:
    async with bamboohr() as (sandbox, issuer, http):
        code = sandbox.accounts.consent(frozenset({"employee"}), BACK)
        with pytest.raises(CredentialsRefused, match="have the scope offline_access registered"):
            await changed(http, issuer, Masked(code), BACK)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("invalid_client", "set the right one, then check the client"),
        ("invalid_client_secret", "give the connection that of this region"),
        ("invalid_redirect_uri", "give the one that is registered"),
    ],
)
async def test_a_refusal_of_zoho_that_comes_with_http_200_says_what_to_do(error: str, remedy: str) -> None:
    async with vendor([Reply({"error": error})]) as (server, http):
        issuer = ZohoAccounts(Masked("i"), Masked("s"), Settings(zoho_accounts_url=server.url), "eu")
        with pytest.raises(CredentialsRefused, match=remedy):
            await changed(http, issuer, Masked("c"))
    assert len(server.seen) == 1


@pytest.mark.parametrize("trouble", [DROPPED, SILENT, Reply(status=502), Reply(b"<html>")])
async def test_a_code_whose_change_failed_is_not_used_again(trouble: Reply) -> None:
    async with vendor([trouble]) as (server, http):
        issuer = ZohoAccounts(Masked("i"), Masked("s"), Settings(zoho_accounts_url=server.url), "eu")
        with pytest.raises(Unavailable):
            await exchange(http, issuer, Masked("c"), redirect_uri=None, deadline=0.3, clock=HandClock())
    assert len(server.seen) == 1


# -- regions -----------------------------------------------------------------------------------------------------------


def test_the_callback_tells_where_the_account_is() -> None:
    fields = {"code": "c", "location": "in", "accounts-server": "https://accounts.zoho.in"}
    assert region_in(fields, Settings(), "us") == "in"
    assert region_in({"code": "c"}, Settings(), "us") == "us"


@pytest.mark.parametrize(
    "fields",
    [
        {"accounts-server": "https://accounts.evil.test"},
        {"accounts-server": "https://accounts.zoho.in", "location": "eu"},
        {"accounts-server": ""},
    ],
)
def test_a_callback_from_elsewhere_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(ConnectionMisset, match="nothing was sent to it"):
        region_in(fields, Settings(), "us")


async def test_a_token_of_another_region_names_the_right_one() -> None:
    """The answer of the accounts server says where the account's API is."""
    answer = {"access_token": "1000.a", "refresh_token": "1000.r", "api_domain": "https://www.zohoapis.in"}
    async with vendor([Reply(answer)]) as (server, http):
        issuer = ZohoAccounts(Masked("i"), Masked("s"), Settings(), "eu")
        request = issuer.code_request(Masked("c"), None)
        assert request.url == "https://accounts.zoho.eu/oauth/v2/token"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("stream.zoho.oauth.accounts_url", lambda *_: server.url)
            with pytest.raises(ConnectionMisset, match='is in region in, not eu: set region = "in"'):
                await changed(http, issuer, Masked("c"))


# -- what a browser may bring ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "",
        "code=abc",
        "https://evil.test/oauth/bamboohr/callback?code=abc&state=s",
        f"{BACK}/?code=abc&state=s",
        f"{BACK}?",
        f"{BACK}?code=a&code=b",
        f"{BACK}?code=%ff",
        f"{BACK}?code={'a' * LONGEST}",
        f"{BACK}?{'&'.join(f'f{n}=1' for n in range(30))}",
        "https://[half/?code=abc",
    ],
)
def test_what_was_not_sent_to_us_is_refused_in_a_sentence(address: str) -> None:
    with pytest.raises(UsageError, match="paste the whole address"):
        code_in(read_pasted(address, BACK), "BambooHR")


@given(st.text(max_size=60) | st.dictionaries(st.text(max_size=6), st.text(max_size=10), max_size=4).map(urlencode))
def test_no_query_leads_to_anything_but_a_code_or_a_sentence(query: str) -> None:
    try:
        code = code_in(read_query(query), "Zoho")
    except (Declined, UsageError):
        return
    assert code.reveal.isascii()
    assert code.reveal.isprintable()
    assert " " not in code.reveal


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "access_denied", ""])
def test_a_refusal_is_told_without_repeating_its_words(text: str) -> None:
    with pytest.raises(Declined) as declined:
        code_in(read_query(urlencode({"error": text, "state": "s"})), "Zoho")
    assert not text or text not in declined.value.message
