"""Ports for a broker on loopback: the ones it had before if they are free, else others."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from stream.errors import ActionNeeded
from stream.kafka.broker_config import HOST, BrokerConfig


def with_ports(wanted: BrokerConfig) -> BrokerConfig:
    """`wanted` with its zeros replaced. Clients keep a broker's address, so a folder keeps its ports where it can.

    Raises ActionNeeded when a port that was asked for is taken or not allowed.
    """
    _must_be_free(wanted.port)
    _must_be_free(wanted.controller_port)
    before = _remembered(wanted.folder)
    port = wanted.port or before[0]
    controller_port = wanted.controller_port or before[1]
    found = replace(wanted, port=port, controller_port=controller_port)
    while not found.port or (not wanted.port and not _is_free(found.port)):
        found = replace(found, port=_free_port())
    while (
        not found.controller_port
        or found.controller_port == found.port
        or (not wanted.controller_port and not _is_free(found.controller_port))
    ):
        found = replace(found, controller_port=_free_port())
    return found


def remember(config: BrokerConfig) -> None:
    """Keep the ports for the next start."""
    _file(config.folder).write_text(f"{config.port} {config.controller_port}\n")


def forget(folder: Path) -> None:
    """Choose other ports next time."""
    _file(folder).unlink(missing_ok=True)


def _file(folder: Path) -> Path:
    return folder / "ports"


def _remembered(folder: Path) -> tuple[int, int]:
    with suppress(OSError, ValueError):
        port, controller_port = map(int, _file(folder).read_text().split())
        return port, controller_port
    return 0, 0


def _bind(port: int) -> int:
    """Bind and let go again, as the broker will bind; the port it was."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        number: int = probe.getsockname()[1]
        return number


def _free_port() -> int:
    return _bind(0)


def _is_free(port: int) -> bool:
    try:
        _bind(port)
    except OSError:
        return False
    return True


def _must_be_free(port: int) -> None:
    try:
        _bind(port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ActionNeeded(
                f"Port {port} is taken by another program: end it, or set ROSTERBOOK_KAFKA_PORT to another."
            ) from error
        raise ActionNeeded(
            f"Port {port} cannot be used ({os.strerror(error.errno or 0)}): set ROSTERBOOK_KAFKA_PORT to another."
        ) from error
