"""The Zoho sandbox: Zoho Accounts and the Zoho Books API of one data centre and one organization, on one local port.

This is the composition root of the package: it holds the state, which outlives the server, and puts the parts in order.
Stopping and starting it again on the same port is an outage, not a loss.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from stream.clock import Clock
from stream.sandbox.faults import Fault, Faults
from stream.sandbox.zoho.access import Access
from stream.sandbox.zoho.calls import Calls
from stream.sandbox.zoho.contact_persons import ContactPersonCalls
from stream.sandbox.zoho.contacts import ContactCalls
from stream.sandbox.zoho.control import Control
from stream.sandbox.zoho.field_calls import FieldCalls
from stream.sandbox.zoho.limits import LimitLedger, Limits
from stream.sandbox.zoho.oauth import AccountsServer
from stream.sandbox.zoho.operations import API
from stream.sandbox.zoho.organization import Organization
from stream.sandbox.zoho.organizations import OrganizationCalls
from stream.sandbox.zoho.quirks import ZohoQuirks
from stream.sandbox.zoho.refusals import Refused, answer, no_such_url, refusal
from stream.sandbox.zoho.tokens import Credentials, TokenStore
from stream.telemetry import log

SCOPES = ("ZohoBooks.contacts.ALL", "ZohoBooks.settings.ALL")
HOST = "127.0.0.1"

_log = log("sandbox.zoho")


class ZohoSandbox:
    """A strict stand-in. Tests may read and change `organization`, `calls`, `faults`, `ledger` and `tokens`."""

    def __init__(
        self,
        *,
        clock: Clock,
        quirks: ZohoQuirks = ZohoQuirks(),  # noqa: B008 - a frozen value
        limits: Limits = Limits(),  # noqa: B008 - a frozen value
        organization_id: str | None = None,
        time_zone: str = "America/New_York",
        location: str = "us",
        scopes: tuple[str, ...] = SCOPES,
        middlewares: Sequence[Middleware] = (),
    ) -> None:
        """`middlewares` stand outside of everything else: a test can look at each request and its answer.

        Without an `organization_id` one is drawn, so that two sandboxes are two organizations.
        """
        self.organization_id = organization_id or str(60_000_000_000 + secrets.randbelow(10**9))
        zone = ZoneInfo(time_zone)
        self.organization = Organization(self.organization_id, name="Sandbox", zone=zone, quirks=quirks, clock=clock)
        self.tokens = TokenStore(clock)
        self.credentials = Credentials(
            f"1000.{secrets.token_hex(15).upper()}", secrets.token_hex(21), self.tokens.grant(scopes)
        )
        self.ledger = LimitLedger(limits, quirks=quirks, clock=clock, zone=zone)
        self.calls = Calls(clock)
        self.faults = Faults()
        self._quirks = quirks
        self._location = location
        self._middlewares = tuple(middlewares)
        self._runner: web.AppRunner | None = None
        self._origin: str | None = None

    @property
    def accounts_url(self) -> str:
        """The origin that stands for accounts.zoho.com. Only after `start`."""
        assert self._origin is not None, "start the sandbox first"
        return self._origin

    @property
    def api_url(self) -> str:
        """What stands for https://www.zohoapis.com/books/v3. Only after `start`."""
        return self.accounts_url + API

    def app(self) -> web.Application:
        """The application over this state, from the client inward: look, count, guard, go wrong, handle."""
        calls = (
            ContactPersonCalls(self.organization),
            ContactCalls(self.organization),
            OrganizationCalls(self.organization),
            FieldCalls(self.organization),
        )
        operations = {operation.name: operation for part in calls for operation in part.operations()}
        access = Access(self.organization_id, self.tokens, self.ledger, quirks=self._quirks)
        accounts = AccountsServer(self.tokens, self.credentials, quirks=self._quirks, location=self._location)
        app = web.Application(
            middlewares=[
                *self._middlewares,
                self.calls.counting(),
                access.middleware(operations),
                self.faults.middleware(_planted),
                _speak_zoho,
                self.calls.measuring(operations),
            ]
        )
        app.add_routes([operation.route() for operation in operations.values()])
        app.add_routes(accounts.routes())
        app.add_routes(self.faults.routes())
        app.add_routes(Control(self.organization, self.ledger, self.calls).routes())
        return app

    async def start(self, port: int = 0) -> None:
        """Serve on this port of this machine; 0 takes a free one."""
        runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self._origin = f"http://{HOST}:{runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close the port and every connection. The state stays."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


@web.middleware
async def _speak_zoho(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever goes wrong inside becomes an answer in Zoho's words."""
    try:
        return await handler(request)
    except Refused as refused:
        return refusal(refused)
    except web.HTTPNotFound:
        return refusal(no_such_url())
    except web.HTTPMethodNotAllowed:
        return refusal(Refused(405, 37, f"The HTTP method {request.method} is not allowed for the requested resource"))
    except (web.HTTPException, ConnectionError):  # the latter: the caller is gone, and nothing here is wrong
        raise
    except Exception:
        _log.exception("sandbox.handler_failed", method=request.method, route=request.match_info.route.name)
        return refusal(_internal_error())


def _planted(fault: Fault) -> web.Response:
    """A planted status in Zoho's words: the API's envelope, or an `error` of Zoho Accounts where the code is a text."""
    headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
    status = fault.status or 500
    if isinstance(fault.code, str):
        return answer({"error": fault.code}, status=status, headers=headers)
    said = _LIKELY.get(status, _internal_error())
    code = said.code if fault.code is None else fault.code
    return answer({"code": code, "message": fault.message or said.message}, status=status, headers=headers)


def _internal_error() -> Refused:
    return Refused(500, 1000, "Internal Error")


_LIKELY = {
    401: Refused(401, 57, "You are not authorized to perform this operation"),
    404: no_such_url(),
    429: Refused(429, 44, "This organization has been blocked as it has exceeded the maximum number of requests."),
}
"""What Zoho most likely means by a status whose code was not planted."""
