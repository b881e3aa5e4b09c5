"""A strict stand-in for BambooHR's API: one company, served on loopback, with webhooks, limits and faults.

The company's subdomain is the first path segment: `http://127.0.0.1:PORT/acme/api/v1/employees/42`. What the vendor
would refuse is refused; where the vendor leaves a question open, `BambooHrQuirks` has a switch. In a test, build it,
`start`, change the company by its methods or by HTTP, and `stop`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta

from aiohttp import web
from aiohttp.typedefs import Middleware

from stream.clock import Clock, SystemClock
from stream.sandbox.bamboohr import control_routes, employee_routes, list_routes, oauth_routes, webhook_routes
from stream.sandbox.bamboohr.accounts import Accounts, Credentials
from stream.sandbox.bamboohr.calls import Calls
from stream.sandbox.bamboohr.company import Company
from stream.sandbox.bamboohr.delivery import Attempt, Deliveries, Disorder
from stream.sandbox.bamboohr.desk import Desk
from stream.sandbox.bamboohr.middleware import around
from stream.sandbox.bamboohr.quirks import BambooHrQuirks
from stream.sandbox.bamboohr.registrations import Registrations
from stream.sandbox.bamboohr.throttle import RateLimit, Throttle
from stream.sandbox.faults import Faults


class BambooHrSandbox:
    """Serves one company. time_scale: the minutes before a webhook's retry are divided by it.

    middlewares: put around everything else, for a test that looks at requests and answers.
    """

    def __init__(
        self,
        company: Company,
        *,
        quirks: BambooHrQuirks | None = None,
        clock: Clock | None = None,
        rate_limit: RateLimit | None = None,
        time_scale: float = 1.0,
        deliveries_in_flight: int = 8,
        middlewares: Sequence[Middleware] = (),
    ) -> None:
        self.company = company
        self.quirks = quirks or BambooHrQuirks()
        self.clock = clock or SystemClock()
        company.quirks, company.clock = self.quirks, self.clock
        self.accounts = Accounts(clock=self.clock, quirks=self.quirks)
        self.registrations = Registrations(clock=self.clock, quirks=self.quirks)
        self.throttle = Throttle(rate_limit or RateLimit(), quirks=self.quirks, clock=self.clock)
        self.faults = Faults()
        self.calls = Calls()
        self._delivery = Deliveries(
            company,
            self.registrations,
            quirks=self.quirks,
            clock=self.clock,
            time_scale=time_scale,
            in_flight=deliveries_in_flight,
        )
        self._desk = Desk(company, self.accounts, self.registrations, self.throttle, self.quirks)
        self._runner: web.AppRunner | None = None
        self._days: asyncio.Task[None] | None = None
        self._middlewares = middlewares
        self.root_url = ""

    @property
    def credentials(self) -> Credentials:
        """Of the admin and the OAuth app."""
        return self.accounts.issued

    @property
    def base_url(self) -> str:
        """With the subdomain; empty before `start`."""
        return f"{self.root_url}/{self.company.subdomain}" if self.root_url else ""

    @property
    def deliveries(self) -> tuple[Attempt, ...]:
        """The attempts at webhooks so far, oldest first; the last 20,000."""
        return tuple(self._delivery.attempts)

    @property
    def unsent(self) -> int:
        """Deliveries whose first attempt is still to come or under way."""
        return self._delivery.unsent

    @property
    def idle(self) -> bool:
        """Whether no delivery is under way and none waits to be sent again."""
        return self._delivery.idle

    def misbehave(self, disorder: Disorder) -> None:
        """Deliver webhooks with this disorder from now on."""
        self._delivery.misbehave(disorder)

    def app(self) -> web.Application:
        """The application, for whoever serves it; webhooks go out between `start` and `stop` only."""
        prefix = f"/{self.company.subdomain}"
        api = f"{prefix}/api/v1"
        app = web.Application(middlewares=[*self._middlewares, around(self._desk, self.faults, self.calls)])
        app.add_routes(oauth_routes.routes(self._desk, prefix))
        for part in (employee_routes, list_routes):
            app.add_routes(part.routes(self._desk, api))
        app.add_routes(webhook_routes.routes(self._desk, api, self._delivery.logbook))
        app.add_routes(control_routes.routes(self._desk, self.faults, self.calls, self._delivery))
        return app

    async def start(self, port: int = 0) -> str:
        """Serve on 127.0.0.1; the base URL, with the subdomain. Port 0 takes a free one."""
        self._runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.root_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._delivery.start()
        self._days = asyncio.get_running_loop().create_task(self._turn_days())
        return self.base_url

    async def stop(self) -> None:
        """Stop serving and cut off every delivery."""
        if self._days is not None:
            self._days.cancel()
            with suppress(asyncio.CancelledError):
                await self._days
        await self._delivery.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = self._days = None
        self.root_url = ""

    async def _turn_days(self) -> None:
        """Let planned changes take effect at midnight UTC; a call in between sees to it too."""
        while True:
            self.company.take_effect()
            now = self.clock.now().astimezone(UTC)
            midnight = datetime.combine(now.date() + timedelta(days=1), time.min, tzinfo=UTC)
            await asyncio.sleep((midnight - now).total_seconds())
