"""`rosterbook sandbox bamboohr`: a stand-in company as a process of its own, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import asdict
from urllib.parse import urlsplit

import orjson

from stream.sandbox.bamboohr.company import Company
from stream.sandbox.bamboohr.quirks import BambooHrQuirks
from stream.sandbox.bamboohr.sandbox import BambooHrSandbox
from stream.sandbox.bamboohr.throttle import RateLimit
from stream.telemetry import log

SUBDOMAIN = "acme"
LOCAL = BambooHrQuirks(allow_http_webhooks=True, allow_http_redirects=True)
"""What one machine needs: webhooks and redirects to its own addresses without https."""


async def serve(
    port: int,
    employees: int = 100,
    *,
    seed: int = 1,
    quirks: BambooHrQuirks = LOCAL,
    rate_limit: RateLimit | None = None,
    time_scale: float = 1.0,
) -> None:
    """Serve until SIGTERM or SIGINT. Once ready, print one line of JSON: the base URL and all credentials."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    company = Company.seeded(SUBDOMAIN, employees=employees, seed=seed)
    sandbox = BambooHrSandbox(company, quirks=quirks, rate_limit=rate_limit, time_scale=time_scale)
    try:
        base_url = await sandbox.start(port)
        ready = {"base_url": base_url, "subdomain": SUBDOMAIN, **asdict(sandbox.credentials)}
        sys.stdout.write(orjson.dumps(ready).decode() + "\n")
        sys.stdout.flush()
        log("sandbox.bamboohr").info("sandbox.started", port=urlsplit(base_url).port, employees=employees)
        await stopped.wait()
    finally:
        await sandbox.stop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
