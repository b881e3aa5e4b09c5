"""The webhook keys in clear, each opened once for the records that hold it, not once a request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hmac import HMAC

from stream.bamboohr.signature import keyed
from stream.errors import RosterbookError
from stream.records import Connection, ConnectionId, Sealed, WebhookRegistration
from stream.telemetry import log

logger = log("gateway")

OpenKey = Callable[[ConnectionId, Sealed], str]
"""The private key's text of a connection's webhook; raises RosterbookError when it cannot be opened."""


@dataclass(frozen=True)
class Opened:
    """Every key that a delivery may be signed with. whole: all that are stored could be opened.

    pending: a webhook is being registered, or none has been yet: there may be a key that is not stored.
    """

    keys: tuple[HMAC, ...]
    whole: bool
    pending: bool


class Keys:
    """Opens keys and keeps them until the connection's records are others. They stay in memory only."""

    def __init__(self, open_key: OpenKey) -> None:
        self._open_key = open_key
        self._opened: dict[ConnectionId, tuple[Connection, WebhookRegistration | None, Opened]] = {}

    def of(self, connection: Connection, registration: WebhookRegistration | None) -> Opened:
        """By the settings and what Rosterbook registered itself.

        What cannot be opened is logged once and tried again each time: the vault may have been given the key since.
        """
        kept = self._opened.get(connection.connection)
        is_new = kept is None or kept[0] is not connection or kept[1] is not registration
        if kept is None or is_new or not kept[2].whole:
            opened = self._open(connection, registration, say=is_new)
            kept = self._opened[connection.connection] = (connection, registration, opened)
        return kept[2]

    def _open(self, connection: Connection, registration: WebhookRegistration | None, *, say: bool) -> Opened:
        sealed = [] if connection.webhook_key is None else [connection.webhook_key]
        sealed += [] if registration is None else [webhook.key for webhook in registration.webhooks]
        keys = []
        for one in sealed:
            try:
                keys.append(keyed(self._open_key(connection.connection, one).encode()))
            except RosterbookError as error:
                if say:
                    logger.error("gateway.key_unreadable", connection=connection.connection, reason=error.message)
        pending = not sealed or (registration is not None and registration.pending)
        return Opened(tuple(keys), len(keys) == len(sealed), pending)
