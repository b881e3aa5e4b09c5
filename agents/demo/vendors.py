"""Both vendors' sandboxes, and what it takes to connect an installation with them, done as a person would do it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import aiohttp

from agents.child import ANSI
from stream.clock import SystemClock
from stream.core.mapping import FIELDS
from stream.errors import Fatal
from stream.records import ConnectionId
from stream.sandbox.bamboohr import BambooHrQuirks, BambooHrSandbox, Company, RateLimit
from stream.sandbox.zoho import Limits, ZohoSandbox
from stream.tether import tethered

CONNECTION = ConnectionId("acme")
CALLS_IN_FLIGHT = 10
"""As many as a paid plan allows."""

FILE = """id = "{connection}"
mode = "live"

[bamboohr]
subdomain = "{subdomain}"
api_key = {{ env = "DEMO_BAMBOO_KEY" }}
webhook_key = {{ env = "DEMO_WEBHOOK_KEY" }}

[zoho]
region = "us"
organization_id = "{organization_id}"
calls_per_minute = {calls_per_minute}
calls_in_flight = {calls_in_flight}
oauth = {{ client_id = {{ env = "DEMO_CLIENT_ID" }}, client_secret = {{ env = "DEMO_CLIENT_SECRET" }}, \
refresh_token = {{ env = "DEMO_REFRESH_TOKEN" }} }}

[guard]
people = 1000000
"""
"""Nobody is asked about leavers: here years pass within a day."""


class Vendors:
    """`bamboohr.company` is where things happen, `zoho.organization` where they must show."""

    def __init__(
        self, *, calls_per_minute: int, time_scale: float = 1.0, connection: ConnectionId = CONNECTION
    ) -> None:
        """calls_per_minute: of Zoho Books. time_scale: how much sooner than really BambooHR repeats a webhook.

        connection: its id, which is the company's subdomain too.
        """
        clock = SystemClock()
        self.connection = connection
        self.calls_per_minute = calls_per_minute
        self.bamboohr = BambooHrSandbox(
            Company(connection),
            quirks=BambooHrQuirks(allow_http_webhooks=True),
            clock=clock,
            rate_limit=RateLimit(per_window=1_000_000),
            time_scale=time_scale,
        )
        self.zoho = ZohoSandbox(
            clock=clock, limits=Limits(per_minute=calls_per_minute, per_day=1_000_000, in_flight=CALLS_IN_FLIGHT)
        )
        self._base_url = ""

    @property
    def zoho_calls(self) -> int:
        """Calls of the Books API so far, token requests not counted."""
        return sum(n for (name, _, _), n in self.zoho.calls.by_status.items() if not name.startswith("oauth."))

    async def start(self) -> None:
        self._base_url = await self.bamboohr.start()
        await self.zoho.start()

    async def stop(self) -> None:
        await self.bamboohr.stop()
        await self.zoho.stop()

    def environment(self) -> dict[str, str]:
        """What makes an installation call these sandboxes instead of the vendors."""
        return {
            "ROSTERBOOK_BAMBOOHR_URL": self._base_url.removesuffix(f"/{self.bamboohr.company.subdomain}"),
            "ROSTERBOOK_ZOHO_ACCOUNTS_URL": self.zoho.accounts_url,
            "ROSTERBOOK_ZOHO_API_URL": self.zoho.api_url,
        }

    async def connect(self, gateway: str, data: Path, environment: dict[str, str]) -> None:
        """Register the webhook, write the connection file into `data`, and add it.

        gateway: host:port. environment: the installation's. Raises Fatal with what the command said when it refused.
        """
        webhook_key = await self._register_webhook(f"http://{gateway}/webhooks/bamboohr/{self.connection}")
        file = data / f"{self.connection}.toml"
        file.write_text(
            FILE.format(
                connection=self.connection,
                subdomain=self.bamboohr.company.subdomain,
                organization_id=self.zoho.organization_id,
                calls_per_minute=self.calls_per_minute,
                calls_in_flight=CALLS_IN_FLIGHT,
            )
        )
        secrets = {
            "DEMO_BAMBOO_KEY": self.bamboohr.credentials.api_key,
            "DEMO_WEBHOOK_KEY": webhook_key,
            "DEMO_CLIENT_ID": self.zoho.credentials.client_id,
            "DEMO_CLIENT_SECRET": self.zoho.credentials.client_secret,
            "DEMO_REFRESH_TOKEN": self.zoho.credentials.refresh_token,
        }
        command = await asyncio.create_subprocess_exec(
            *tethered([sys.executable, "-m", "agents.cli", "connection", "add", str(file)]),
            env={**os.environ, **environment, **secrets},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await command.communicate()
        if command.returncode != 0:
            raise Fatal(ANSI.sub("", errors.decode(errors="replace")).strip())

    async def _register_webhook(self, target: str) -> str:
        """The private key that BambooHR shows once."""
        body = {
            "name": "Rosterbook",
            "url": target,
            "format": "json",
            "events": ["employee.created", "employee.updated", "employee.deleted"],
            "monitorFields": list(FIELDS),
        }
        headers = {"Authorization": aiohttp.encode_basic_auth(self.bamboohr.credentials.api_key, "x")}
        url = f"{self._base_url}/api/v1/webhooks"
        async with aiohttp.ClientSession(headers=headers) as http, http.post(url, json=body) as answer:
            if answer.status != 201:
                raise Fatal(f"The sandbox refused the webhook ({answer.status}).")
            return str((await answer.json())["privateKey"])
