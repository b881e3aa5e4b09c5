"""Feeds the fence: aiokafka keeps to itself when a heartbeat was accepted, so the request is watched here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aiokafka
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.protocol.group import HeartbeatRequest

from stream.errors import Fatal
from stream.fence import Fence

KNOWN_VERSIONS = ("0.14.",)


def watch_heartbeats(fence: Fence, group: str) -> Callable[[], None]:
    """Tell the fence of every heartbeat that this process sends for `group`; returns what undoes it.

    The moment that counts is the one before the request is sent. An answer with any error code counts as refused, one
    during a rebalance too: the partitions may be given away when it ends. No answer changes nothing; time does.
    """
    if not aiokafka.__version__.startswith(KNOWN_VERSIONS):
        raise Fatal(f"aiokafka {aiokafka.__version__} has not been checked for how it sends heartbeats.")
    original = GroupCoordinator._send_req

    async def watched(self: GroupCoordinator, request: Any) -> Any:
        if not isinstance(request, HeartbeatRequest) or self.group_id != group:
            return await original(self, request)
        sent = fence.now()
        answer = await original(self, request)
        if answer.error_code == 0:
            fence.accepted(sent)
        else:
            fence.refused()
        return answer

    def undo() -> None:
        GroupCoordinator._send_req = original

    GroupCoordinator._send_req = watched
    return undo
