"""The webhook keys in clear, each opened once for the record that holds it, not once a request."""

from __future__ import annotations

from collections.abc import Callable

from stream.errors import RosterbookError
from stream.records import Connection, ConnectionId
from stream.telemetry import log

logger = log("gateway")

OpenKey = Callable[[Connection], str]
"""The private key's text of a connection's webhook; raises RosterbookError when it cannot be opened."""


class Keys:
    """Opens keys and keeps them until the connection's record is another. They stay in memory only."""

    def __init__(self, open_key: OpenKey) -> None:
        self._open_key = open_key
        self._opened: dict[ConnectionId, tuple[Connection, tuple[bytes, ...]]] = {}

    def of(self, connection: Connection) -> tuple[bytes, ...]:
        """Every key that a delivery may be signed with; none when they cannot be opened.

        That is logged once and tried again each time: the vault may have been given the key since.
        """
        opened = self._opened.get(connection.connection)
        is_new = opened is None or opened[0] is not connection
        if opened is None or is_new or not opened[1]:
            opened = self._opened[connection.connection] = (connection, self._open(connection, say=is_new))
        return opened[1]

    def _open(self, connection: Connection, *, say: bool) -> tuple[bytes, ...]:
        try:
            return (self._open_key(connection).encode(),)
        except RosterbookError as error:
            if say:
                logger.error("gateway.key_unreadable", connection=connection.connection, reason=error.message)
            return ()
