"""The public address in front of the gateways, as a load balancer: it passes deliveries on, and remembers them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import aiohttp
from aiohttp import hdrs, web

KEPT = 500
"""The newest deliveries that can be sent again."""
HOP_BY_HOP = {hdrs.HOST, hdrs.CONNECTION, hdrs.TRANSFER_ENCODING, hdrs.CONTENT_LENGTH, hdrs.KEEP_ALIVE}
ANSWER_S = 9.0
"""Less than BambooHR waits."""


@dataclass(frozen=True)
class Delivery:
    """A request as it came, with the signature it had then."""

    path: str
    headers: dict[str, str]
    body: bytes


class Doorman:
    """gateways: the ports of those that should be up; they are asked in turn, and what one does not answer is 502.

    taken: digests of the deliveries that were answered 2xx, each of which must be on the log.
    """

    def __init__(self, gateways: Callable[[], Sequence[int]]) -> None:
        self.seen: list[Delivery] = []
        self.answers: Counter[int] = Counter()
        self.taken: set[str] = set()
        self._gateways = gateways
        self._turn = count()
        self._http: aiohttp.ClientSession | None = None
        self._runner: web.ServerRunner | None = None
        self.address = ""

    async def start(self) -> None:
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=ANSWER_S), connector=aiohttp.TCPConnector(limit=0, force_close=True)
        )
        self._runner = web.ServerRunner(web.Server(self._receive, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.address = f"127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._http is not None:
            await self._http.close()

    async def _receive(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name not in HOP_BY_HOP}
        delivery = Delivery(request.path_qs, headers, await request.read())
        self.seen = [*self.seen[-KEPT:], delivery]
        status = await self.pass_on(delivery)
        self.answers[status] += 1
        return web.Response(status=status)

    async def pass_on(self, delivery: Delivery) -> int:
        """The status with which a gateway answered it."""
        assert self._http is not None
        gateways = self._gateways()
        if not gateways:
            return 503
        url = f"http://127.0.0.1:{gateways[next(self._turn) % len(gateways)]}{delivery.path}"
        try:
            async with self._http.post(url, data=delivery.body, headers=delivery.headers) as answer:
                if answer.ok:
                    self.taken.add(hashlib.sha256(delivery.body).hexdigest())
                return answer.status
        except (OSError, aiohttp.ClientError, TimeoutError):
            return 502
