"""The secrets that a connection's owner writes to the log itself: one write at a time for a connection, so that sealing
a secret anew never puts an older one over a newer.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

from stream.fence import Fence
from stream.kafka.event_log import EventLog
from stream.kafka.view import CompactedView
from stream.records import ConnectionId, Tokens
from stream.vault.places import keys_of, resealed
from stream.vault.vault import Vault


@dataclass
class OwnSecrets:
    """tokens: the view of their topic."""

    log: EventLog
    tokens: CompactedView
    vault: Vault
    fence: Fence
    _turns: defaultdict[ConnectionId, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def save(self, tokens: Tokens) -> None:
        """Append. Raises LogUnavailable."""
        async with self._turns[tokens.connection]:
            await self.log.append(tokens)

    async def give_up(self, connection: ConnectionId) -> None:
        """Take all that is kept of the connection out of the log, by tombstones. Raises LogUnavailable."""
        async with self._turns[connection]:
            await self.tokens.read_to_end()
            for record in [one for one in self.tokens.records.values() if one.connection == connection]:
                await self.fence.wait_open()
                await self.log.delete(record)

    async def seal_anew(self, connection: ConnectionId) -> int:
        """Seal with the newest vault key what another one sealed; how many records that were. Safe to repeat.

        Waits while Kafka is away. Raises LogUnavailable, VaultLocked.
        """
        async with self._turns[connection]:
            await self.tokens.read_to_end()
            ours = [record for record in self.tokens.records.values() if record.connection == connection]
            old = [record for record in ours if keys_of(record) - {self.vault.newest}]
            for record in old:
                anew = resealed(record, self.vault)
                await self.fence.wait_open()
                await self.log.append(anew)
            return len(old)
