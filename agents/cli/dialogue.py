"""`connection add --interactive`: asks for what a connection file would hold, and shows what the credentials may do
before anything is saved. Who answers is behind `Asker`; questions and findings go to standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

from agents.cli.checks import show
from agents.cli.console import note, print_error
from agents.cli.first_clients import clients
from stream.bamboohr.hosts import base_url
from stream.checklist import checklist
from stream.clock import Clock
from stream.connection_file import ConnectionFile, Slug
from stream.errors import ConnectionMisset, ConnectionTrouble, UsageError
from stream.records import Api
from stream.settings import Settings
from stream.zoho.models import Organization
from stream.zoho.oauth import SCOPES
from stream.zoho.regions import REGIONS

LATER = "0"
"""In place of the organization's id until the person has chosen it from the list."""
HERE = "http://localhost:8080"
"""Where a browser is led that cannot reach the gateway: what it then shows is pasted."""


class Asker(Protocol):
    """A person at a terminal."""

    def text(self, question: str, default: str | None = None) -> str: ...

    def secret(self, question: str) -> str:
        """What is typed is not shown. Empty where nothing was given."""
        ...

    def choice(self, question: str, options: Sequence[str]) -> int:
        """The index of the option."""
        ...

    def agrees(self, question: str) -> bool: ...


class GivenUp(UsageError):
    """The person does not go on; nothing was saved."""


@dataclass(frozen=True)
class Dialogue:
    settings: Settings
    asker: Asker
    clock: Clock
    _answers: dict[str, Any] = field(default_factory=dict)

    def begun(self) -> ConnectionFile:
        """The answers to all questions but the organization, which the credentials must be known for."""
        bamboohr = self._bamboohr()
        self._answers.update(id=self._id(bamboohr["subdomain"]), mode="preview", bamboohr=bamboohr, zoho=self._zoho())
        return self._file(self._answers)

    async def consented(self, complete: Callable[[ConnectionFile], Awaitable[ConnectionFile]]) -> ConnectionFile:
        """What `complete` makes of the answers; where a vendor refuses them, the person gives those about it again.

        Raises GivenUp, and what else `complete` raises.
        """
        while True:
            try:
                return await complete(self._file(self._answers))
            except ConnectionTrouble as error:
                print_error(error.message)
            match self.asker.choice("Which answers do you give again?", ("about Zoho", "about BambooHR", "none")):
                case 0:
                    self._answers["zoho"] = self._zoho()
                case 1:
                    self._answers["bamboohr"] = self._bamboohr()
                case _:
                    raise GivenUp("Nothing was saved: make sure of the credentials, then run the command again.")

    def may_look_elsewhere(self) -> bool:
        """Whether the person lets Zoho's other regions see the credentials that this one does not know."""
        return self.asker.agrees(
            "Zoho does not know these credentials in that region. Show them to its others, to find the right one?"
        )

    async def ended(self, file: ConnectionFile) -> ConnectionFile:
        """The file with the organization that was chosen, once the person has seen what the credentials may do.

        file: with its refresh tokens. Raises GivenUp, and what the vendors' clients raise.
        """
        async with clients(file, self.settings, self.clock) as (hr, books_of, renewed):
            file = self._with_organization(file, await books_of(LATER).organizations())
            note("Trying what the credentials may do; nothing is changed.")
            chosen = file.zoho.organization_id
            checks = await checklist(hr, books_of(chosen), chosen)
            file = renewed(file)
        show(checks, sys.stderr)
        if any(check.state == "failed" for check in checks) and not self.asker.agrees(
            "Save the connection all the same?"
        ):
            raise GivenUp("Nothing was saved: mend what failed, then run the command again.")
        return file

    def _bamboohr(self) -> dict[str, Any]:
        while True:
            subdomain = self.asker.text("Your BambooHR address, or the part before .bamboohr.com").strip().lower()
            subdomain = subdomain.removeprefix("https://").split("/")[0].removesuffix(".bamboohr.com")
            try:
                base_url(self.settings, subdomain)
                break
            except ConnectionMisset as error:
                print_error(error.message)
        found: dict[str, Any] = {"subdomain": subdomain}
        if self.asker.choice("How may Rosterbook sign in to BambooHR?", ("an API key", "an OAuth app")) == 0:
            found["api_key"] = self._secret("The API key (in BambooHR: your picture, API Keys, Add New Key)")
        else:
            found["oauth"] = {**self._client("BambooHR"), "redirect_uri": self._redirect("bamboohr")}
        if self.settings.public_url is None:
            note(
                "ROSTERBOOK_PUBLIC_URL is not set, so Rosterbook cannot register its webhook: set it for the worker, "
                "or make the webhook by hand as the README says."
            )
            if key := self.asker.secret("The private key of a webhook made by hand (empty: there is none)").strip():
                found["webhook_key"] = key
        return found

    def _zoho(self) -> dict[str, Any]:
        regions = tuple(REGIONS)
        region = regions[
            self.asker.choice(
                "Where is your Zoho account?",
                [f"{name} ({REGIONS[name].accounts.removeprefix('accounts.')})" for name in regions],
            )
        ]
        note(f"In Zoho's API console of that region, make a client; it needs the scopes {','.join(SCOPES)}")
        oauth: dict[str, Any] = self._client("Zoho")
        ways = ("a code of a Self Client (quickest)", "consent in a browser (a Server-based client)")
        if self.asker.choice("How do you give consent?", ways) == 0:
            oauth["code"] = self._secret("The code, made in the console just now")
        else:
            oauth["redirect_uri"] = self._redirect("zoho")
        return {"region": region, "organization_id": LATER, "oauth": oauth}

    def _client(self, name: str) -> dict[str, Any]:
        return {
            "client_id": self._secret(f"{name} client id"),
            "client_secret": self._secret(f"{name} client secret"),
        }

    def _redirect(self, api: Api) -> str:
        uri = f"{self.settings.public_url or HERE}/oauth/{api}/callback"
        note(f"Register this redirect address for the client: {uri}")
        return uri

    def _secret(self, question: str) -> str:
        while not (given := self.asker.secret(question).strip()):
            print_error("This is needed.")
        return given

    def _id(self, default: str) -> str:
        while True:
            given = self.asker.text("A short id for the connection, for life", default[:40]).strip()
            try:
                return TypeAdapter(Slug).validate_python(given)
            except ValidationError as error:
                print_error(f"It {error.errors(include_input=False, include_url=False)[0]['msg']}.")

    def _file(self, answers: dict[str, Any]) -> ConnectionFile:
        try:
            return ConnectionFile.model_validate(answers)
        except ValidationError as error:
            fault = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, fault["loc"]))
            raise UsageError(f"{place} {fault['msg']}: run the command again.") from None

    def _with_organization(self, file: ConnectionFile, found: list[Organization]) -> ConnectionFile:
        if not found:
            raise UsageError(
                "The Zoho account has no organization in Zoho Books: make one, then run the command again."
            )
        names = [f"{one.name} ({one.organization_id})" for one in found]
        if len(found) == 1:
            chosen = found[0]
            note(f"The organization is {names[0]}.")
        else:
            chosen = found[self.asker.choice("Which organization?", names)]
        return file.model_copy(
            update={"zoho": file.zoho.model_copy(update={"organization_id": chosen.organization_id})}
        )
