"""One organization of Zoho Books with its limits, in virtual time: the sandbox's own ledger decides what is refused,
the product's reads the refusals, and a lane keeps a backlog of contacts. Another program may call as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from stream.due import EDIT
from stream.fence import Fence
from stream.http import Answer, Request
from stream.lane import Lane, Owed, Paid
from stream.pace import Pace
from stream.quota import Quota, QuotaLedger
from stream.records import LaneOutcome
from stream.sandbox.zoho.limits import LimitLedger, Limits
from stream.sandbox.zoho.quirks import ZohoQuirks
from stream.sandbox.zoho.refusals import Refused
from stream.zoho.errors import accepted
from stream.zoho.models import budget_in
from tests.small_world import ACME, OUTCOMES, at
from tests.virtual_time import VirtualTime, run

ZONE = ZoneInfo("America/New_York")
MINUTE = 60.0
CALLS = 2
"""Of each contact: it is read, and written."""


@dataclass
class LimitedZoho:
    """got, refused: moments of the calls of ours that got through, and that did not, with Zoho's code."""

    loop: VirtualTime
    quirks: ZohoQuirks = field(default_factory=ZohoQuirks)
    limits: Limits = field(default_factory=Limits)
    quota: Quota = field(default_factory=lambda: Quota(per_minute=100, in_flight=5))
    lasting: float = 0.3
    got: list[float] = field(default_factory=list)
    refused: list[tuple[float, int]] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    owed: dict[str, int] = field(default_factory=dict)
    paid: list[str] = field(default_factory=list)
    said: list[LaneOutcome] = field(default_factory=list)
    crashed: list[BaseException] = field(default_factory=list)
    folded: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sandbox = LimitLedger(self.limits, quirks=self.quirks, clock=self.loop, zone=ZONE)
        self.ledger = QuotaLedger(self.quota, self.loop)
        self.fence = Fence(self.loop, session_timeout=8.0, call_deadline=5.0)
        self.lane = Lane(
            ACME,
            "zoho",
            ledger=self.ledger,
            fence=self.fence,
            token_pace=Pace(self.loop, 0.2),
            clock=self.loop,
            append=self._append,
            crashed=self._crash,
        )

    def _crash(self, error: BaseException) -> None:
        self.crashed.append(error)
        raise error  # a worker would end: the key is not tried again

    async def _append(self, outcome: LaneOutcome) -> None:
        self.said.append(outcome)

    def owe(self, contacts: int, priority: int = EDIT) -> None:
        for number in range(len(self.owed), len(self.owed) + contacts):
            self.owed[str(number)] = priority
            self.lane.notice(str(number))

    def look(self, key: str) -> Owed:
        owed = key in self.owed and key not in self.folded
        return Owed(owed, self.owed.get(key, EDIT), {OUTCOMES: self.folded.get(key, -1)})

    async def pay(self, key: str, *, last: bool = False) -> Paid:
        for number in range(CALLS):
            await self.call(changes=number > 0)
        self.paid.append(key)
        self.folded[key] = len(self.paid)
        self.loop.call_soon(self.lane.notice, key)
        return Paid(at(OUTCOMES, len(self.paid)), "accepted")

    async def call(self, *, changes: bool = False) -> dict[str, Any]:
        """One call through the lane, as the client of Zoho Books makes it."""
        request = Request("zoho", "update", "PUT" if changes else "GET", "", {})
        async with self.lane.admit(request.operation, changes):
            answer = await self._answer()
            if answer.status != 429 and (budget := budget_in(answer.headers)) is not None:
                self.ledger.told(budget)
            return accepted(request, answer, self.loop.now())

    async def _answer(self) -> Answer:
        try:
            self.sandbox.enter()
        except Refused as refused:
            self.refused.append((self.loop.monotonic(), refused.code))
            body = orjson.dumps({"code": refused.code, "message": refused.message})
            headers = {**refused.headers, **self.sandbox.headers()}
            return Answer(refused.status, {name.lower(): value for name, value in headers.items()}, body)
        self.got.append(self.loop.monotonic())
        try:
            await asyncio.sleep(self.lasting)
        finally:
            self.sandbox.leave()
        headers = {name.lower(): value for name, value in self.sandbox.headers().items()}
        return Answer(200, headers, b'{"code":0}')

    async def another_program(self, per_minute: float) -> None:
        """Makes so many calls, evenly; what is refused is not repeated."""
        while True:
            try:
                self.sandbox.enter()
            except Refused:
                pass
            else:
                self.others.append(self.loop.monotonic())
                self.sandbox.leave()
            await asyncio.sleep(MINUTE / per_minute)

    async def heartbeats(self) -> None:
        while True:
            self.fence.accepted(self.loop.monotonic())
            await asyncio.sleep(0.5)

    async def idle(self) -> None:
        async with asyncio.timeout(60 * MINUTE):
            while not self.lane.idle:
                await asyncio.sleep(1.0)

    async def until(self, moment: float) -> None:
        await asyncio.sleep(moment - self.loop.monotonic())

    def rate(self, since: float, until: float) -> float:
        """Calls of ours a minute that got through."""
        return sum(since <= moment < until for moment in self.got) / (until - since) * MINUTE


def played(scene: Callable[[LimitedZoho], Coroutine[Any, Any, None]], **zoho: Any) -> LimitedZoho:
    """Play the scene with an open lane, close it, and return what was seen."""
    loop = VirtualTime()

    async def main() -> LimitedZoho:
        found = LimitedZoho(loop, **zoho)
        beating = asyncio.create_task(found.heartbeats())
        found.lane.open(found)
        await scene(found)
        await found.lane.close()
        beating.cancel()
        assert found.crashed == []
        return found

    return run(main(), loop)
