"""What a short command finds around it: the settings, the running broker, the gateway and the worker.

Processes that run on this machine leave their addresses (host:port) in the data folder, which is how every command
finds them whatever ports they took; elsewhere the settings say where they are.
"""

from __future__ import annotations

import getpass
import os
import socket
from contextlib import suppress
from pathlib import Path

from stream.errors import LogUnavailable
from stream.settings import Settings, load_settings
from stream.telemetry import configure_logging

ANY_HOST = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # read, not bound to
"""Addresses that a process binds to but nobody can call -> where to call it on this machine."""


def command_settings() -> Settings:
    """The settings, with logs sent to `logs/commands.log` of the data folder, which leaves the terminal to the answer.

    Where `up` has made no such folder, as on a machine that only commands a cluster, logs go to standard error.
    """
    settings = load_settings()
    logs = settings.data / "logs"
    configure_logging(settings, file=logs / "commands.log" if os.access(logs, os.W_OK) else None)
    return settings


def bootstrap_servers(settings: Settings) -> str:
    """The brokers' addresses. Raises LogUnavailable when none are set and no embedded broker runs here."""
    from stream.kafka.embedded import running_broker

    found = settings.kafka or running_broker(settings.data)
    if found is None:
        raise LogUnavailable(f"Rosterbook is not running in {settings.data}: start it with `rosterbook up`.")
    return found


def gateway_url(settings: Settings) -> str | None:
    """Where the gateway listens, as `http://host:port`, or https where it has a certificate; None when nothing says
    where.
    """
    url = _url(settings.data / "gateway" / "address", settings.gateway_host, settings.gateway_port)
    return url.replace("http:", "https:") if url is not None and settings.gateway_cert is not None else url


def worker_url(settings: Settings) -> str | None:
    """Where the worker answers questions about itself; None when nothing says where."""
    return _url(settings.data / "worker" / "address", settings.metrics_host, settings.metrics_port)


def _url(address: Path, host: str, port: int) -> str | None:
    with suppress(FileNotFoundError, NotADirectoryError):
        found_host, _, found_port = address.read_text().strip().rpartition(":")
        if found_port.isdigit():
            host, port = found_host.strip("[]"), int(found_port)
    if not port:
        return None
    host = ANY_HOST.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def who() -> str:
    """Who gives a command, for the record: login name and machine."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # no such name, as in a container
        name = f"uid {os.getuid()}"
    return f"{name}@{socket.gethostname()}"
