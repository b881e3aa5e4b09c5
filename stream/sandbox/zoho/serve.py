"""`rosterbook sandbox zoho`: one sandbox as a process of its own.

The first line on standard output, written once the port takes calls, is one JSON object with what a client needs. Logs
must have been sent elsewhere by then.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import orjson

from stream.clock import Clock, SystemClock
from stream.sandbox.zoho.app import ZohoSandbox
from stream.sandbox.zoho.limits import Limits
from stream.sandbox.zoho.quirks import ZohoQuirks


async def serve(
    port: int,
    *,
    limits: Limits = Limits(),  # noqa: B008 - a frozen value
    quirks: ZohoQuirks = ZohoQuirks(),  # noqa: B008 - a frozen value
    organization_id: str | None = None,
    clock: Clock | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; port 0 takes a free one. Raises OSError when the port is taken."""
    sandbox = ZohoSandbox(clock=clock or SystemClock(), quirks=quirks, limits=limits, organization_id=organization_id)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    await sandbox.start(port)
    try:
        sys.stdout.write(orjson.dumps(introduction(sandbox)).decode() + "\n")
        sys.stdout.flush()
        await ended.wait()
    finally:
        await sandbox.stop()


def introduction(sandbox: ZohoSandbox) -> dict[str, str]:
    """What a client needs to come in; the first line of the process."""
    return {
        "accounts_url": sandbox.accounts_url,
        "api_url": sandbox.api_url,
        "organization_id": sandbox.organization_id,
        "client_id": sandbox.credentials.client_id,
        "client_secret": sandbox.credentials.client_secret,
        "refresh_token": sandbox.credentials.refresh_token,
    }
