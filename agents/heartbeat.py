"""Feeds the fence: aiokafka keeps to itself when a heartbeat was accepted, so the request is watched here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.protocol.group import HeartbeatRequest

from stream.fence import Fence


def watch_heartbeats(fence: Fence, group: str) -> Callable[[], None]:
    """Tell the fence of every heartbeat that this process sends for `group`; returns what undoes it.

    The moment that counts is the one before the request is sent. An answer with any error code counts as refused, one
    during a rebalance too: the partitions may be given away when it ends. No answer changes nothing; time does.
    Versions of aiokafka that were not read for this are refused by `agents/faust_app.py`.
    """
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
