"""`rosterbook sandbox`: one vendor's stand-in, for a first hour without credentials and for tests from outside."""

from __future__ import annotations

import os
from typing import Literal

import cyclopts


def register(app: cyclopts.App) -> None:
    """Add the command."""
    app.command(sandbox)


async def sandbox(vendor: Literal["bamboohr", "zoho"], /, *, port: int = 0, employees: int = 100) -> None:
    """Serve a strict stand-in on this machine; its first line of output is one JSON object with what a client needs.

    Parameters
    ----------
    vendor
        Whose API.
    port
        Port to listen on; 0 takes a free one.
    employees
        People of the BambooHR company.
    """
    from stream.errors import ActionNeeded, UsageError
    from stream.settings import load_settings
    from stream.telemetry import configure_logging

    if not 0 <= port <= 65535:
        raise UsageError("A port is a number from 0 to 65535; 0 takes a free one.")
    if employees < 0:
        raise UsageError("A company cannot have fewer than 0 people: --employees 0 or more.")
    configure_logging(load_settings())
    try:
        if vendor == "bamboohr":
            from stream.sandbox.bamboohr.serve import serve as serve_bamboohr

            await serve_bamboohr(port, employees=employees)
        else:
            from stream.sandbox.zoho.serve import serve as serve_zoho

            await serve_zoho(port)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise ActionNeeded(f"Port {port} cannot be used ({why}): choose another with --port.") from error
