"""Reads the log that BambooHR keeps of the deliveries of a connection's webhook."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from stream.core.completeness import DeliveryLog
from stream.core.webhook import Listed
from stream.errors import RecordRefused


class Webhooks(Protocol):
    """What is asked of `stream/bamboohr/webhooks.py`."""

    async def listed(self) -> Sequence[Listed]: ...

    async def log(self, webhook: str) -> DeliveryLog: ...


class ReadDeliveryLog:
    """Of one connection, whether Rosterbook registered its webhook or a person made it."""

    def __init__(self, api: Webhooks, registered: Callable[[], Sequence[str]], path: str) -> None:
        """registered: ids of the webhooks that are ours now. path: of the connection's address at the gateway."""
        self._api = api
        self._registered = registered
        self._path = path

    async def read(self) -> DeliveryLog:
        """All deliveries that BambooHR still knows of. Raises RecordRefused when there is no webhook of this user that
        leads to the connection, and what the API raises.
        """
        webhooks = list(self._registered()) or [
            one.id for one in await self._api.listed() if urlsplit(one.url).path.endswith(self._path)
        ]
        logs = [await self._api.log(webhook) for webhook in webhooks]
        if not logs:
            raise RecordRefused("BambooHR lists no webhook of the connection's user that leads here.")
        return DeliveryLog.of_several(logs)
