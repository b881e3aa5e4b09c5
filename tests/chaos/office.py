"""Both vendors of a run: the sandboxes as they are, set to sign, repeat and take what a run needs."""

from __future__ import annotations

from agents.demo.vendors import Vendors
from stream.clock import SystemClock
from stream.sandbox.bamboohr import BambooHrQuirks, BambooHrSandbox, Company, RateLimit
from tests.chaos.witness import WitnessedBook

CALLS_PER_MINUTE = 6000
MINUTE_S = 60.0
RETRY_S = (1, 2, 4, *(8,) * 20)
"""Seconds before BambooHR repeats a delivery. Really it is minutes, for 155 of them: longer than any outage here."""


class Office(Vendors):
    """`book` knows every write. Two people may have one address here, as companies that allow it do."""

    def __init__(self) -> None:
        super().__init__(calls_per_minute=CALLS_PER_MINUTE)
        self.bamboohr = BambooHrSandbox(
            Company(self.connection),
            quirks=BambooHrQuirks(
                allow_http_webhooks=True,
                duplicate_email="accepted",
                retry_minutes=tuple(seconds / MINUTE_S for seconds in RETRY_S),
            ),
            clock=SystemClock(),
            rate_limit=RateLimit(per_window=1_000_000, bad_keys=1_000_000),
        )
        self.book = self.zoho.organization.book = WitnessedBook()

    @property
    def given_up(self) -> int:
        """Deliveries that BambooHR will not repeat although nobody took them, or that met a 4xx: lost for good."""
        last = len(RETRY_S) + 1
        return sum(
            attempt.number >= last if attempt.status is None or attempt.status >= 500 else attempt.status >= 400
            for attempt in self.bamboohr.deliveries
        )
