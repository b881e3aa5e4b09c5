"""The demo's stage: both sandboxes, a whole installation on a new folder, and the connection between them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from agents.demo.vendors import Vendors
from agents.installation import Installation
from stream.settings import Settings

CALLS_PER_MINUTE = 6000
"""Of the demo's Zoho Books: sixty times what a real organization allows, so that nobody has to wait for a story."""


class Stage:
    """Set up on entry, with everything connected; cleared on exit."""

    def __init__(self, data: Path, *, say: Callable[[str], None]) -> None:
        self.data = data
        self.vendors = Vendors(calls_per_minute=CALLS_PER_MINUTE)
        self._say = say
        self._installation: Installation | None = None

    @property
    def installation(self) -> Installation:
        assert self._installation is not None, "the stage is not set"
        return self._installation

    async def __aenter__(self) -> Self:
        try:
            await self._set_up()
        except BaseException:
            await self._clear()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._clear()

    async def _set_up(self) -> None:
        await self.vendors.start()
        self._say(f"BambooHR's sandbox answers at {self.vendors.bamboohr.base_url}")
        self._say(f"Zoho's sandbox answers at {self.vendors.zoho.api_url}")
        environment = {
            **self.vendors.environment(),
            "ROSTERBOOK_DATA": str(self.data),
            "ROSTERBOOK_GATEWAY_PORT": "0",
            "ROSTERBOOK_METRICS_PORT": "0",
        }
        settings = Settings(data=self.data, kafka=None, kafka_port=0)
        installation = self._installation = Installation(settings, say=self._say, environment=environment)
        await installation.start()
        gateway = installation.address("gateway")
        assert gateway is not None
        await self.vendors.connect(gateway, self.data, environment)

    async def _clear(self) -> None:
        if self._installation is not None:
            await self._installation.stop()
        await self.vendors.stop()
