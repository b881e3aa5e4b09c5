"""Whatever a subdomain, a region, an answer or a callback holds: credentials go to the vendors' own hosts alone."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream.bamboohr.client import BambooHr
from stream.bamboohr.hosts import base_url
from stream.bamboohr.oauth import BambooHrAccounts
from stream.consent import exchange
from stream.errors import ConnectionMisset, RosterbookError
from stream.http import Answer, Request
from stream.settings import Settings
from stream.telemetry import Masked
from stream.tokens import AccessTokens, HeldTokens
from stream.zoho.client import ZohoBooks
from stream.zoho.elsewhere import region_elsewhere
from stream.zoho.oauth import ZohoAccounts, region_in
from stream.zoho.regions import REGIONS, region_told_by
from tests.unit.vendor import Door, HandClock

ZOHO_HOSTS = {host for region in REGIONS.values() for host in (region.accounts, region.api)}
SETTINGS = Settings()

labels = st.sampled_from(["acme", "Acme", "evil.test", "www.zohoapis.com", "127.0.0.1", "", "bamboohr.com"])
glue = st.sampled_from(
    [
        ".",
        "/",
        "\\",
        "@",
        ":",
        "#",
        "?",
        "%2e",
        "%00",
        "\n",
        "\r\n",
        "\t",
        " ",
        "\u3002",
        "\uff0e",
        "-",
        "\uff41",
        "\ufb00",
        "xn--",
    ]
)
hostile = st.text(max_size=12) | st.lists(labels | glue, max_size=5).map("".join)
hosts = st.sampled_from(sorted(ZOHO_HOSTS))
addresses = (
    hostile
    | hosts.map(lambda host: f"https://{host}")
    | st.builds(
        lambda scheme, before, host, after: f"{scheme}://{before}{host}{after}",
        st.sampled_from(["https", "http", "HTTPS", "ftp", "javascript"]),
        st.sampled_from(["", "evil.test@", "evil.test#", "evil.test/", "evil.test?", "evil.test\\", "a:b@", "x."]),
        hosts,
        st.sampled_from(
            ["", "/", ".", ".evil.test", ":443", ":8443", "@evil.test", "/../", "?x", "#x", "%2eevil.test", " "]
        ),
    )
)


@given(hostile)
@example("acme.evil.test/")
@example("acme\n")
@example("acme@evil.test#")
@example("a" * 64)
@example("-acme")
@example("\uff41cme")
@example("\u212aacme")
@example("acme%2eevil")
def test_a_subdomain_is_one_dns_label_or_is_refused(subdomain: str) -> None:
    try:
        url = base_url(SETTINGS, subdomain)
    except ConnectionMisset:
        return
    parts = urlsplit(url)
    assert re.fullmatch(r"https://[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.bamboohr\.com", url)
    assert parts.hostname == f"{subdomain.lower()}.bamboohr.com"
    assert (parts.username, parts.port, parts.path) == (None, None, "")


@given(addresses)
@example("https://accounts.zoho.ca")  # looks right, is not Zoho's for Canada
@example("https://accounts.zoho.eu.evil.test")
def test_no_address_but_zohos_own_tells_a_region(address: str) -> None:
    for told in (region_told_by(SETTINGS, accounts_server=address), region_told_by(SETTINGS, api_domain=address)):
        if told is not None:
            region = REGIONS[told]
            assert address in (f"https://{region.accounts}", f"https://{region.api}")


@given(
    st.fixed_dictionaries(
        {}, optional={"accounts-server": addresses, "location": st.sampled_from([*REGIONS, "uk", ""])}
    )
)
def test_a_callback_leads_to_a_host_of_the_table_or_is_refused(fields: dict[str, str]) -> None:
    try:
        region = region_in(fields, SETTINGS, "eu")
    except ConnectionMisset:
        assert "accounts-server" in fields
        return
    assert fields.get("accounts-server", "https://accounts.zoho.eu") == f"https://{REGIONS[region].accounts}"


def test_a_stand_in_is_never_left_for_what_an_answer_names() -> None:
    stand_in = Settings(zoho_accounts_url="http://127.0.0.1:9", zoho_api_url="http://127.0.0.1:9")
    assert region_in({"accounts-server": "https://accounts.zoho.in"}, stand_in, "eu") == "eu"
    assert region_told_by(stand_in, accounts_server="https://accounts.zoho.in") is None


# What a vendor may answer to any request: tokens beside addresses of others, redirects, refusals.
bodies = st.fixed_dictionaries(
    {},
    optional={
        "access_token": st.just("1000.token"),
        "refresh_token": st.just("1000.refresh"),
        "api_domain": addresses,
        "companyDomain": hostile,
        "error": st.sampled_from(["invalid_code", "invalid_client", "invalid_grant", "Access Denied"]),
        "code": st.sampled_from([0, 14, 57]),
        "id": st.just("42"),
        "organizations": st.just([]),
    },
).map(orjson.dumps)
answers = st.builds(
    Answer,
    st.sampled_from([200, 301, 302, 307, 308, 400, 401, 403, 500]),
    st.fixed_dictionaries({}, optional={"location": addresses, "refresh": addresses, "link": addresses}),
    bodies,
)


class Asked:
    """In place of the wire: gives the answers in turn, and notes where each request went."""

    def __init__(self, given: list[Answer]) -> None:
        self.hosts: list[str | None] = []
        self._given = given

    async def call(self, _: Any, request: Request, **__: Any) -> Answer:
        self.hosts.append(urlsplit(request.url).hostname)
        return self._given[(len(self.hosts) - 1) % len(self._given)]


def tokens(issuer: Any) -> AccessTokens:
    async def save(_: HeldTokens) -> None: ...

    return AccessTokens(
        None,  # type: ignore[arg-type]
        issuer,
        refresh_token=Masked("r"),
        held=None,
        save=save,
        admit=Door().admit,
        deadline=1.0,
        clock=HandClock(),
    )


@pytest.mark.parametrize("vendor", ["zoho", "bamboohr"])
@given(
    given_answers=st.lists(answers, min_size=1, max_size=4),
    region=st.sampled_from([*REGIONS, "uk", "evil.test"]),
    subdomain=hostile,
)
def test_no_answer_leads_credentials_elsewhere(
    vendor: str, given_answers: list[Answer], region: str, subdomain: str
) -> None:
    asked, door = Asked(given_answers), Door()

    async def talk() -> None:
        code, http, clock = Masked("c"), None, HandClock()
        try:
            if vendor == "zoho":
                zoho = ZohoAccounts(Masked("i"), Masked("s"), SETTINGS, region)
                api = f"https://{REGIONS[region].api}/books/v3" if region in REGIONS else "https://www.zohoapis.com"
                books = ZohoBooks(http, api, "1", tokens(zoho), admit=door.admit, deadline=1.0, clock=clock)  # type: ignore[arg-type]
                await exchange(http, zoho, code, redirect_uri=None, deadline=1.0, clock=clock)  # type: ignore[arg-type]
                await books.organizations()
            else:
                url = base_url(SETTINGS, subdomain)
                accounts = BambooHrAccounts(Masked("i"), Masked("s"), url)
                people = BambooHr(http, url, tokens(accounts), admit=door.admit, deadline=1.0, clock=clock)  # type: ignore[arg-type]
                await exchange(http, accounts, code, redirect_uri="https://x.test/", deadline=1.0, clock=clock)  # type: ignore[arg-type]
                await people.fields()
        except RosterbookError:
            pass

    with (
        mock.patch("stream.tokens.call", asked.call),
        mock.patch("stream.consent.call", asked.call),
        mock.patch("stream.zoho.client.call", asked.call),
        mock.patch("stream.bamboohr.client.call", asked.call),
    ):
        asyncio.run(talk())
    ours = ZOHO_HOSTS if vendor == "zoho" else {f"{subdomain.lower()}.bamboohr.com"}
    assert set(asked.hosts) <= ours
    if vendor == "zoho" and region in REGIONS:
        assert set(asked.hosts) <= {REGIONS[region].accounts, REGIONS[region].api}


@given(st.lists(answers, min_size=1, max_size=4), st.sampled_from([*REGIONS]))
def test_who_looks_for_a_region_asks_zohos_other_accounts_servers_alone(
    given_answers: list[Answer], region: str
) -> None:
    asked, zoho = Asked(given_answers), ZohoAccounts(Masked("i"), Masked("s"), SETTINGS, region)
    with mock.patch("stream.zoho.elsewhere.call", asked.call):
        found = asyncio.run(
            region_elsewhere(None, zoho, lambda other: other.request(Masked("r")), deadline=1.0, clock=HandClock())  # type: ignore[arg-type]
        )
    others = [one.accounts for name, one in REGIONS.items() if name != region]
    assert asked.hosts == others[: len(asked.hosts)]
    assert asked.hosts == others if found is None else REGIONS[found].accounts == asked.hosts[-1]
