"""A person consents in a browser: command, gateway, log and both vendors' stand-ins, and what others try meanwhile."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from agents.cli import consents
from agents.cli.consents import ConsentDesk
from stream.clock import SystemClock
from stream.connection_file import ConnectionFile, load_connection, seal
from stream.consent_state import COMMAND, new_state, written
from stream.errors import ConnectionMisset, CredentialsRefused
from stream.gateway.consent import NOT_EXPECTED, THANKS
from stream.kafka.scan import LogScan
from stream.records import Command, ConnectionId
from stream.sandbox.bamboohr import BambooHrQuirks, BambooHrSandbox, Company
from stream.sandbox.zoho import ZohoSandbox
from stream.settings import Settings
from stream.topics import COMMANDS
from tests.gateway_client import VAULT, Client, event_log, gateway, make_topics

CLOCK = SystemClock()
FILE = """
id = "{id}"
mode = "preview"
[bamboohr]
subdomain = "acme"
oauth = {{ client_id = "{bamboohr.client_id}", client_secret = "{bamboohr.client_secret}", {bamboohr_back} }}
webhook_key = "0123456789abcdef0123456789abcdef"
[zoho]
region = "eu"
organization_id = "1"
oauth = {{ client_id = "{zoho.client_id}", client_secret = "{zoho.client_secret}", {zoho_back} }}
"""


@dataclass
class Office:
    client: Client
    desk: ConsentDesk
    bamboohr: BambooHrSandbox
    zoho: ZohoSandbox
    said: list[str]
    id: ConnectionId
    folder: Path
    url: str

    def file(self, **ways: str) -> ConnectionFile:
        """ways: how the tokens of a vendor are come by, where not in a browser."""
        back = {
            f"{api}_back": ways.get(api) or f'redirect_uri = "{self.url}/oauth/{api}/callback"'
            for api in ("bamboohr", "zoho")
        }
        path = self.folder / "acme.toml"
        path.write_text(FILE.format(id=self.id, bamboohr=self.bamboohr.credentials, zoho=self.zoho.credentials, **back))
        return load_connection(path)

    async def address(self, number: int) -> str:
        """The one that the command has asked to open as its nth."""
        async with asyncio.timeout(10):
            while len(found := [line for line in self.said if line.startswith("Open this address")]) < number:
                await asyncio.sleep(0.01)
        return found[number - 1].rpartition(" ")[2]

    async def agreed(self, address: str) -> str:
        """Where the vendor sends the browser."""
        async with self.client.session.get(address, allow_redirects=False) as answer:
            assert answer.status == 302
            return answer.headers["Location"]


@pytest.fixture
async def office(kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    await make_topics(kafka)
    said: list[str] = []
    for name in ("note", "print_error"):
        monkeypatch.setattr(consents, name, said.append)
    bamboohr = BambooHrSandbox(Company("acme"), clock=CLOCK, quirks=BambooHrQuirks(allow_http_redirects=True))
    zoho = ZohoSandbox(clock=CLOCK)
    await bamboohr.start()
    await zoho.start()
    settings = Settings(bamboohr_url=bamboohr.root_url, zoho_accounts_url=zoho.accounts_url, zoho_api_url=zoho.api_url)
    name = ConnectionId(f"acme-{tmp_path.name[-20:].replace('_', '-').strip('-')}")
    try:
        async with gateway(tmp_path, kafka) as client, event_log(kafka) as log:
            url = f"http://{(tmp_path / 'gateway' / 'address').read_text().strip()}"
            bamboohr.accounts.app.redirect_uris.add(f"{url}/oauth/bamboohr/callback")
            desk = ConsentDesk(settings, VAULT, LogScan(kafka), log.partition_of(name), CLOCK, lambda: False)
            yield Office(client, desk, bamboohr, zoho, said, name, tmp_path, url)
    finally:
        await bamboohr.stop()
        await zoho.stop()


async def page(office: Office, address: str, method: str = "GET") -> tuple[int, str]:
    async with office.client.session.request(method, address) as answer:
        if answer.status in (200, 400):
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.content_type == "text/plain"
        return answer.status, (await answer.text()).strip()


async def kept(office: Office) -> list[Command]:
    found = await office.client.records(COMMANDS, office.id)
    return [record for record in found if isinstance(record, Command) and record.command == COMMAND]


async def test_a_person_consents_to_both_and_the_connection_gets_its_tokens(office: Office) -> None:
    running = asyncio.create_task(office.desk.completed(office.file(), None, anew=False))
    codes = []
    for number in (1, 2):
        back = await office.agreed(await office.address(number))
        codes.append(back.partition("code=")[2].partition("&")[0])
        assert await page(office, back) == (200, THANKS)
        assert await page(office, back) == (400, NOT_EXPECTED)  # once
    done = await running
    assert done.zoho.oauth.refresh_token is not None
    assert done.bamboohr.oauth is not None
    assert done.bamboohr.oauth.refresh_token is not None
    records = await kept(office)
    assert [record.arguments["api"] for record in records] == ["bamboohr", "zoho"]
    assert not any(code in repr(records) for code in codes)

    connection = seal(done, VAULT, CLOCK.now())
    again = await office.desk.completed(office.file(), connection, anew=False)  # nobody is asked again
    assert again.zoho.oauth.refresh_token is not None
    assert again.zoho.oauth.refresh_token.reveal == done.zoho.oauth.refresh_token.reveal
    assert len([line for line in office.said if line.startswith("Open this address")]) == 2
    assert office.said[-1] == "The consent to Zoho is kept as it is; --consent takes a new one."


async def test_hostile_callbacks_get_one_plain_page_and_leave_nothing_on_the_log(office: Office) -> None:
    state = written(new_state(office.id, "zoho", CLOCK.now()), VAULT)
    stranger = written(new_state(office.id, "bamboohr", CLOCK.now()), VAULT)
    for query in (
        "",
        "?code=abc",
        "?state=&code=abc",
        "?state=<script>alert(1)</script>&code=abc",
        f"?state={state}",
        f"?state={state}&code=a&code=b",
        f"?state={state}&state={state}&code=a",
        f"?state={stranger}&code=abc",
        f"?state={state[:-8]}&code=abc",
        f"?state={state}&code={'a' * 5000}",
        f"?state={state}&code=%ff%fe",
        f"?state={state}&" + "&".join(f"f{n}=1" for n in range(50)),
        "?%00=%0d%0aSet-Cookie:x",
    ):
        assert await page(office, f"/oauth/zoho/callback{query}") == (400, NOT_EXPECTED)
    assert (await page(office, f"/oauth/zoho/callback?state={state}&code=abc", "HEAD"))[0] == 405
    assert (await page(office, f"/oauth/zoho/callback?state={state}&code=abc", "POST"))[0] == 405
    assert await kept(office) == []


async def test_a_person_who_declines_is_told_what_to_do(office: Office) -> None:
    running = asyncio.create_task(office.desk.completed(office.file(bamboohr='refresh_token = "r"'), None, anew=False))
    back = await office.agreed(await office.address(1))
    state = back.partition("state=")[2].partition("&")[0]
    assert await page(office, f"/oauth/zoho/callback?error=access_denied&state={state}") == (200, THANKS)
    with pytest.raises(CredentialsRefused, match="Zoho did not give consent: open the address again"):
        await running


async def test_the_address_may_be_pasted_where_the_gateway_is_not_reached(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = os.openpty()
    with os.fdopen(ours, "w", buffering=1) as keyboard, os.fdopen(theirs) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        file = office.file(zoho=f'refresh_token = "{office.zoho.credentials.refresh_token}"')
        running = asyncio.create_task(office.desk.completed(file, None, anew=False))
        back = await office.agreed(await office.address(1))
        other = written(new_state(office.id, "bamboohr", CLOCK.now()), VAULT)
        for line in ("nonsense", f"{back.partition('?')[0]}?code=a&state={other}", back):
            keyboard.write(f"{line}\n")
        async with asyncio.timeout(10):
            done = await running
    assert done.bamboohr.oauth is not None
    assert done.bamboohr.oauth.refresh_token is not None
    hints = [line for line in office.said if not line.startswith("Open")]
    assert [hint.partition(":")[0] for hint in hints] == [
        "If the browser then shows an error instead of thanks, paste the address it shows here",
        "This is not the address that the consent led to",
        "This address belongs to another consent",
    ]


async def test_a_code_of_a_self_client_is_used_once_and_its_token_kept(office: Office) -> None:
    code = office.zoho.tokens.authorize(("ZohoBooks.contacts.READ",), "", offline=True, consent=True)
    file: Any = office.file(bamboohr='refresh_token = "r"', zoho=f'code = "{code}"')
    done = await office.desk.completed(file, None, anew=False)
    assert done.zoho.oauth.refresh_token is not None
    connection = seal(done, VAULT, CLOCK.now())
    again = await office.desk.completed(file, connection, anew=False)
    assert again.zoho.oauth.refresh_token is not None
    assert again.zoho.oauth.refresh_token.reveal == done.zoho.oauth.refresh_token.reveal
    with pytest.raises(CredentialsRefused, match="does not accept the code"):
        await office.desk.completed(file, connection, anew=True)


async def test_a_token_that_zoho_does_not_know_is_refused_before_its_region_is_bound_for_life(office: Office) -> None:
    way = {"bamboohr": 'refresh_token = "r"'}
    good = office.file(**way, zoho=f'refresh_token = "{office.zoho.credentials.refresh_token}"')
    assert await office.desk.completed(good, None, anew=False) == good
    revoked = office.file(**way, zoho='refresh_token = "1000.revoked"')
    with pytest.raises(
        CredentialsRefused, match="does not know the refresh token: connect Zoho Books again, or set its"
    ):
        await office.desk.completed(revoked, None, anew=False)
    connection = seal(good, VAULT, CLOCK.now())
    assert await office.desk.completed(revoked, connection, anew=False) == revoked  # the worker says so
    await office.zoho.stop()
    assert await office.desk.completed(good, None, anew=False) == good  # nothing is known about it now


@pytest.mark.parametrize("way", ["refresh_token", "code"])
async def test_the_right_region_is_named_where_zohos_others_may_be_asked(
    office: Office, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The account is in Australia, the file says Europe."""
    given = office.zoho.credentials.refresh_token
    if way == "code":
        given = office.zoho.tokens.authorize(("ZohoBooks.contacts.READ",), "", offline=True, consent=True)
    file = office.file(bamboohr='refresh_token = "r"', zoho=f'{way} = "{given}"')
    stranger, asked = ZohoSandbox(clock=CLOCK), list[str]()
    await stranger.start()

    def accounts_url(_: Settings, region: str) -> str:
        asked.append(region)
        return office.zoho.accounts_url if region == "au" else stranger.accounts_url

    monkeypatch.setattr("stream.zoho.oauth.accounts_url", accounts_url)
    try:
        with pytest.raises(CredentialsRefused, match="does not know the client in this region"):
            await office.desk.completed(file, None, anew=False)
        assert asked == ["eu"]
        with pytest.raises(ConnectionMisset, match='is in region au, not eu: set region = "au"'):
            await replace(office.desk, may_look=lambda: True).completed(file, None, anew=False)
        assert asked == ["eu", "eu", "us", "in", "au"]
        asked.clear()
        await office.zoho.stop()
        with pytest.raises(CredentialsRefused, match="does not know the client in this region"):
            await replace(office.desk, may_look=lambda: True).completed(file, None, anew=False)
        assert len(asked) == 8
    finally:
        await stranger.stop()
