"""`connection add --interactive` against both sandboxes, with a person whose answers are known."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from agents.cli.dialogue import LATER, Dialogue, GivenUp
from stream.clock import SystemClock
from stream.connection_file import ConnectionFile, with_refresh_token
from stream.errors import CredentialsRefused
from stream.sandbox.bamboohr import BambooHrQuirks, BambooHrSandbox, Company
from stream.sandbox.zoho import ZohoSandbox
from stream.settings import Settings
from stream.telemetry import Masked

CLOCK = SystemClock()
API_KEY, OAUTH = 0, 1
EU, SELF_CLIENT, BROWSER = 1, 0, 1


class Person:
    """Answers in the order of the questions. asked: what was asked; refuses: does not save what failed."""

    def __init__(self, *answers: str | int, agrees: bool = False) -> None:
        self._answers = list(answers)
        self._agrees = agrees
        self.asked: list[str] = []

    def _next(self, question: str) -> str | int:
        self.asked.append(question)
        return self._answers.pop(0)

    def text(self, question: str, default: str | None = None) -> str:
        return str(self._next(question)) or default or ""

    def secret(self, question: str) -> str:
        return str(self._next(question))

    def choice(self, question: str, options: Sequence[str]) -> int:
        return int(self._next(question))

    def agrees(self, question: str) -> bool:
        self.asked.append(question)
        return self._agrees

    @property
    def done(self) -> bool:
        return not self._answers


@dataclass
class Vendors:
    bamboohr: BambooHrSandbox
    zoho: ZohoSandbox
    settings: Settings

    def completed(self, file: ConnectionFile) -> ConnectionFile:
        """As if consent had been given."""
        file = with_refresh_token(file, "zoho", Masked(self.zoho.credentials.refresh_token))
        if file.bamboohr.oauth is not None:
            file = with_refresh_token(file, "bamboohr", Masked(self.bamboohr.credentials.refresh_token))
        return file

    def dialogue(self, person: Person, public_url: str | None = "https://books.example.test") -> Dialogue:
        return Dialogue(self.settings.model_copy(update={"public_url": public_url}), person, CLOCK)


@asynccontextmanager
async def both() -> AsyncIterator[Vendors]:
    """Both sandboxes; BambooHR's replaces its refresh token with each use."""
    quirks = BambooHrQuirks(refresh_token="rotated")
    bamboohr = BambooHrSandbox(Company.seeded("acme", employees=12), clock=CLOCK, quirks=quirks)
    zoho = ZohoSandbox(clock=CLOCK)
    await bamboohr.start()
    await zoho.start()
    settings = Settings(bamboohr_url=bamboohr.base_url, zoho_accounts_url=zoho.accounts_url, zoho_api_url=zoho.api_url)
    try:
        yield Vendors(bamboohr, zoho, settings)
    finally:
        await bamboohr.stop()
        await zoho.stop()


@pytest.fixture
async def vendors() -> AsyncIterator[Vendors]:
    async with both() as found:
        yield found


def of_zoho(vendors: Vendors, *how: str | int) -> tuple[str | int, ...]:
    known = vendors.zoho.credentials
    return EU, known.client_id, known.client_secret, *how


async def test_answers_become_a_connection_in_preview_with_the_organization_that_is_reached(
    vendors: Vendors, capsys: pytest.CaptureFixture[str]
) -> None:
    key = vendors.bamboohr.credentials.api_key
    person = Person("https://Acme.bamboohr.com/home", API_KEY, key, "", *of_zoho(vendors, SELF_CLIENT, "1000.code"))
    dialogue = vendors.dialogue(person)
    file = dialogue.begun()
    assert (file.id, file.mode, file.bamboohr.subdomain) == ("acme", "preview", "acme")
    assert (file.zoho.region, file.zoho.organization_id) == ("eu", LATER)
    assert file.zoho.oauth.code is not None
    assert file.zoho.oauth.code.reveal == "1000.code"
    file = await dialogue.ended(vendors.completed(file))
    assert file.zoho.organization_id == vendors.zoho.organization.organization_id
    assert person.done
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "12 people, 12 of them active." in shown.err
    assert "FAILED" not in shown.err
    assert not any(secret in shown.err for secret in (key, vendors.zoho.credentials.client_secret))


async def test_an_address_or_id_that_does_not_do_is_asked_for_again(vendors: Vendors) -> None:
    person = Person("no.such/place", "acme", API_KEY, "", "k", "Not A Slug", "a1", *of_zoho(vendors, BROWSER))
    file = vendors.dialogue(person).begun()
    assert (file.id, file.bamboohr.subdomain) == ("a1", "acme")
    assert file.zoho.oauth.redirect_uri == "https://books.example.test/oauth/zoho/callback"
    assert person.done


async def test_a_refresh_token_that_was_replaced_while_trying_is_the_one_that_is_kept(vendors: Vendors) -> None:
    known = vendors.bamboohr.credentials
    person = Person("acme", OAUTH, known.client_id, known.client_secret, "", *of_zoho(vendors, SELF_CLIENT, "c"))
    dialogue = vendors.dialogue(person)
    before = vendors.completed(dialogue.begun())
    file = await dialogue.ended(before)
    assert before.bamboohr.oauth is not None
    assert before.bamboohr.oauth.refresh_token is not None
    assert file.bamboohr.oauth is not None
    assert file.bamboohr.oauth.refresh_token is not None
    assert file.bamboohr.oauth.refresh_token.reveal != before.bamboohr.oauth.refresh_token.reveal


async def test_what_failed_is_saved_only_if_the_person_says_so(
    vendors: Vendors, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = ("acme", API_KEY, "wrong", "", *of_zoho(vendors, SELF_CLIENT, "c"))
    dialogue = vendors.dialogue(Person(*answers))
    with pytest.raises(GivenUp, match="Nothing was saved"):
        await dialogue.ended(vendors.completed(dialogue.begun()))
    assert "BambooHR does not accept the API key." in capsys.readouterr().err
    dialogue = vendors.dialogue(Person(*answers, agrees=True))
    assert (await dialogue.ended(vendors.completed(dialogue.begun()))).id == "acme"


async def test_without_a_public_address_a_webhook_made_by_hand_is_asked_for(vendors: Vendors) -> None:
    person = Person("acme", API_KEY, "k", "0123", "", *of_zoho(vendors, BROWSER))
    file = vendors.dialogue(person, None).begun()
    assert file.bamboohr.webhook_key is not None
    assert file.zoho.oauth.redirect_uri == "http://localhost:8080/oauth/zoho/callback"


async def test_answers_that_a_vendor_refuses_are_given_again_and_no_others(
    vendors: Vendors, capsys: pytest.CaptureFixture[str]
) -> None:
    zoho, bamboohr, none = 0, 1, 2
    first = ("acme", API_KEY, "k", "", *of_zoho(vendors, SELF_CLIENT, "old"))
    again = (zoho, *of_zoho(vendors, SELF_CLIENT, "older"), bamboohr, "acme", API_KEY, "k2")
    tried: list[tuple[str, str]] = []

    async def complete(file: ConnectionFile) -> ConnectionFile:
        assert file.zoho.oauth.code is not None
        assert file.bamboohr.api_key is not None
        tried.append((file.zoho.oauth.code.reveal, file.bamboohr.api_key.reveal))
        if len(tried) == 3:
            return vendors.completed(file)
        raise CredentialsRefused("The code is not accepted: make another.")

    person = Person(*first, *again)
    dialogue = vendors.dialogue(person)
    dialogue.begun()
    file = await dialogue.consented(complete)
    assert tried == [("old", "k"), ("older", "k"), ("older", "k2")]
    assert file.id == "acme"
    assert person.done
    assert capsys.readouterr().err.count("The code is not accepted: make another.\n") == 2

    tried.clear()
    dialogue = vendors.dialogue(Person(*first, none))
    dialogue.begun()
    with pytest.raises(GivenUp, match="Nothing was saved"):
        await dialogue.consented(complete)


@pytest.mark.parametrize("agrees", [True, False])
async def test_zohos_other_regions_are_asked_only_if_the_person_agrees(vendors: Vendors, agrees: bool) -> None:
    person = Person(agrees=agrees)
    assert vendors.dialogue(person).may_look_elsewhere() is agrees
    assert "to find the right one?" in person.asked[0]
