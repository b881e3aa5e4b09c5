"""Ports that stay free until whoever chose them binds them."""

from __future__ import annotations

import random
import socket

from stream.kafka.broker_config import HOST

PORTS = range(12_000, 30_000)
"""Below the ports from which connections go out: a broker that is away for a moment finds its port free."""


def quiet_port() -> int:
    """A port that is free and that no outgoing connection takes meanwhile."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
