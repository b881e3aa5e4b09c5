"""Seals the log's secrets anew with the newest vault key, each by who writes it: settings here, for the command line,
and what the owner of a connection writes by the owner, who is asked for it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from stream.clock import Clock
from stream.errors import LogUnavailable, VaultLocked
from stream.kafka.event_log import EventLog
from stream.kafka.scan import LogScan
from stream.kafka.view import CompactedView
from stream.live_secrets import LiveRecords, live_records
from stream.records import AnyRecord, Command, Connection
from stream.telemetry import log
from stream.topics import CONNECTIONS
from stream.vault.places import keys_of, resealed
from stream.vault.vault import Vault

logger = log("vault")

RESEAL = "reseal"
"""The command that a connection's owner is asked by."""
READ_S = 15.0
OWNERS_S = 30.0
"""Seconds within which the owners' secrets should be sealed anew."""
LOOK_AGAIN_S = 0.3


@dataclass(frozen=True)
class Resealing:
    """by: who asks, for the record."""

    bootstrap: str
    log: EventLog
    vault: Vault
    clock: Clock
    by: str

    async def run(self) -> LiveRecords:
        """Seal anew what the newest key did not seal; what the log holds after that. Safe to repeat.

        What no key of ours opens is left as it is. Raises LogUnavailable.
        """
        await self._settings()
        scan = LogScan(self.bootstrap)
        live = await live_records(scan)
        for connection in sorted({record.connection for record in self.old(live) if not _is_ours(record)}):
            await self.log.append(
                Command(connection=connection, command=RESEAL, asked_by=self.by, work=True, at=self.clock.now())
            )
        end = self.clock.monotonic() + OWNERS_S
        while any(not _is_ours(record) for record in self.old(live)) and self.clock.monotonic() < end:
            await asyncio.sleep(LOOK_AGAIN_S)
            live = await live_records(scan)
        return live

    def old(self, live: LiveRecords) -> list[AnyRecord]:
        """The records that could be sealed anew: other keys than the newest are in use there, and we hold them."""
        newest, held = self.vault.newest, self.vault.key_ids
        return [record for record in live.records.values() if (keys := keys_of(record)) - {newest} and keys <= held]

    async def _settings(self) -> None:
        saved, tried = Saved(), set[tuple[str, datetime]]()
        view = CompactedView(self.bootstrap, CONNECTIONS, saved.hear)
        await view.start()
        try:
            await _read(view)
            while left := self._left(saved, view, tried):
                for key, settings in left:
                    tried.add((key, settings.saved_at))
                    try:
                        anew = resealed(settings, self.vault)
                    except VaultLocked as error:
                        logger.warning("resealing.left", reason=error.message, **error.context)
                    else:
                        await self.log.append(anew)
                await _read(view)
        finally:
            await view.stop()

    def _left(
        self, saved: Saved, view: CompactedView, tried: set[tuple[str, datetime]]
    ) -> list[tuple[str, Connection]]:
        newest = self.vault.newest
        return [
            (key, settings)
            for key, settings in saved.latest.items()
            if (view.records.get(key) != settings or keys_of(settings) != {newest})
            and (key, settings.saved_at) not in tried
        ]


class Saved:
    """What was saved last of each connection, even where an older saving, sealed anew meanwhile, lies behind it."""

    def __init__(self) -> None:
        self.latest: dict[str, Connection] = {}

    def hear(self, key: str, record: AnyRecord | None) -> None:
        """A record of the topic, in its order."""
        if not isinstance(record, Connection):
            self.latest.pop(key, None)
        elif key not in self.latest or record.saved_at >= self.latest[key].saved_at:
            self.latest[key] = record


def _is_ours(record: AnyRecord) -> bool:
    """Whether the command line writes it."""
    return isinstance(record, Connection)


async def _read(view: CompactedView) -> None:
    try:
        async with asyncio.timeout(READ_S):
            await view.read_to_end()
    except TimeoutError:
        raise LogUnavailable(f"The connections could not be read within {READ_S:g} s: check that Kafka runs.") from None
