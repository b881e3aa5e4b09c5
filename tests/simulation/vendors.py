"""Both vendors, in process: the sandboxes' own handlers behind an object that stands where the client session stands.

A request travels, is handled by the sandbox and is answered, in virtual time and outside of every worker: what was sent
is handled whatever becomes of the sender. `trouble` says what goes wrong with the next calls.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Literal, cast

import aiohttp
import orjson
from aiohttp import web
from aiohttp.http import HttpVersion11, RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from stream.records import ConnectionId
from stream.sandbox.bamboohr import BambooHrSandbox, Company, RateLimit
from stream.sandbox.bamboohr.quirks import BambooHrQuirks
from stream.sandbox.faults import Fault
from stream.sandbox.zoho import Limits, ZohoSandbox
from stream.sandbox.zoho.quirks import ZohoQuirks
from tests.simulation.edges import Life
from tests.simulation.loop import OUTSIDE, SimulatedTime

Trouble = Literal[
    "unreachable", "dropped", "applied and lost", "late answer", "applied late", "half", "429", "500", "503", "401"
]
TROUBLES: tuple[Trouble, ...] = (
    "unreachable",
    "dropped",
    "applied and lost",
    "late answer",
    "applied late",
    "half",
    "429",
    "500",
    "503",
    "401",
)
LATE_S = (6.0, 40.0)
"""How late an answer, or the arrival of a request, may be: within the settle time."""
UNINDEXED_S = 30.0
"""How long a contact may be missing from searches by address after it was created or changed."""

BAMBOOHR_PORT, ZOHO_PORT = 1, 2
"""Nobody listens there: requests go no further than `Session`."""

_TRANSPORT = SimpleNamespace(is_closing=lambda: False)
_PROTOCOL = cast(Any, SimpleNamespace(transport=_TRANSPORT, ssl_context=None, peername=None, sockname=None))


@dataclass
class Exchange:
    """A request on its way. life: who sent it."""

    life: Life
    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None
    answer: asyncio.Future[Answer]
    task: Any

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    @property
    def for_token(self) -> bool:
        return self.url.path == "/oauth/v2/token"


@dataclass(frozen=True)
class Answer:
    """What a client reads of a response. broken: the body ends before its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    broken: bool = False

    @property
    def content(self) -> Answer:
        return self

    async def iter_any(self) -> Any:
        yield self.body[: len(self.body) // 2] if self.broken else self.body
        if self.broken:
            raise aiohttp.ClientPayloadError("not all of the body came")


@dataclass
class Office:
    """What one connection is connected to."""

    connection: ConnectionId
    company: Company
    bamboohr: BambooHrSandbox
    zoho: ZohoSandbox
    quota: int
    apps: dict[str, web.Application] = field(default_factory=dict)
    trouble: dict[str, list[Trouble]] = field(default_factory=lambda: {"bamboohr": [], "zoho": [], "token": []})


class Vendors:
    """All offices. sent, handled: told of each exchange with Zoho's API, when it is sent and when it was handled."""

    def __init__(self, loop: SimulatedTime, chance: random.Random) -> None:
        self.loop = loop
        self.chance = chance
        self.offices: dict[ConnectionId, Office] = {}
        self.sent: Callable[[Office, Exchange], None] = lambda office, exchange: None
        self.handled: Callable[[Office, Exchange, Answer], None] = lambda office, exchange, answer: None
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, connection: ConnectionId, *, quota: int, hr: BambooHrQuirks, books: ZohoQuirks) -> Office:
        company = Company(connection, clock=self.loop)
        bamboohr = BambooHrSandbox(
            company,
            clock=self.loop,
            rate_limit=RateLimit(per_window=10**9),
            quirks=hr,
        )
        limits = Limits(per_minute=10**9, per_day=10**9, in_flight=10**6)
        zoho = ZohoSandbox(clock=self.loop, quirks=books, limits=limits, organization_id=f"6{len(self.offices):010d}")
        office = self.offices[connection] = Office(connection, company, bamboohr, zoho, quota)
        office.apps = {"bamboohr": bamboohr.app(), "zoho": zoho.app()}
        for app in office.apps.values():
            app.pre_freeze()
        return office

    def session(self, life: Life) -> Session:
        return Session(self, life)

    def send(self, exchange: Exchange) -> None:
        """Let the request travel; `exchange.answer` is done when the client knows the end, if it ever does."""
        office, api = self._whose(exchange)
        queue = office.trouble["token" if exchange.for_token else api]
        trouble = queue.pop() if queue else None
        delay = 0.005 + 0.15 * self.chance.random() ** 2
        if trouble == "unreachable":
            self.loop.outside(delay, _fail, exchange.answer, _unreachable())
            return
        if api == "zoho" and not exchange.for_token:
            self.sent(office, exchange)
        if trouble == "dropped":
            self.loop.outside(delay, _fail, exchange.answer, aiohttp.ServerDisconnectedError())
            return
        if trouble == "applied late":
            delay = self.chance.uniform(*LATE_S)
        self.loop.outside(delay, self._arrive, office, api, exchange, trouble)

    def _whose(self, exchange: Exchange) -> tuple[Office, str]:
        if exchange.url.port == BAMBOOHR_PORT:
            return self.offices[ConnectionId(exchange.url.parts[1])], "bamboohr"
        organization = exchange.url.query.get("organization_id")
        token = exchange.headers.get("Authorization", "").removeprefix("Zoho-oauthtoken ")
        for office in self.offices.values():
            zoho = office.zoho
            client = zoho.credentials.client_id.encode()
            if (
                organization == zoho.organization_id
                or (organization is None and zoho.tokens.issued(token))
                or (exchange.for_token and client in (exchange.body or b""))
            ):
                return office, "zoho"
        raise AssertionError("a call to nobody")

    def _arrive(self, office: Office, api: str, exchange: Exchange, trouble: Trouble | None) -> None:
        task = self.loop.create_task(self._handle(office, api, exchange, trouble), context=OUTSIDE.copy())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, office: Office, api: str, exchange: Exchange, trouble: Trouble | None) -> None:
        if trouble is not None and trouble.isdigit():
            sandbox = office.bamboohr if api == "bamboohr" else office.zoho
            sandbox.faults.plant(Fault(status=int(trouble), retry_after=2 if trouble in ("429", "503") else None))
        app = office.apps[api]
        response = cast(web.Response, await app._handle(_request(app, exchange, self.loop)))
        body = response.body if isinstance(response.body, bytes) else b""
        answer = Answer(response.status, response.headers, body, broken=trouble == "half")
        if api == "zoho" and exchange.url.query.get("email") and answer.status == 200:
            answer = self._as_indexed(office, answer)
        if api == "zoho" and not exchange.for_token:
            self.handled(office, exchange, answer)
        back = 0.005 + 0.15 * self.chance.random() ** 2
        if trouble == "late answer":
            back = self.chance.uniform(*LATE_S)
        if trouble == "applied and lost":
            self.loop.outside(back, _fail, exchange.answer, aiohttp.ServerDisconnectedError())
        else:
            self.loop.outside(back, _done, exchange.answer, answer)

    def _as_indexed(self, office: Office, answer: Answer) -> Answer:
        """Searches lag behind: who was created or changed just now may not be found yet."""
        found = orjson.loads(answer.body)
        contacts = office.zoho.organization.contacts
        now = self.loop.now()
        rows = [
            row
            for row in found["contacts"]
            if (now - contacts[row["contact_id"]].created).total_seconds() > UNINDEXED_S or self.chance.random() < 0.5
        ]
        if len(rows) == len(found["contacts"]):
            return answer
        return Answer(answer.status, answer.headers, orjson.dumps({**found, "contacts": rows}))


class Session:
    """In place of `aiohttp.ClientSession`: the one method that the clients use."""

    def __init__(self, vendors: Vendors, life: Life) -> None:
        self._vendors = vendors
        self._life = life

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str],
        data: aiohttp.BytesPayload | None,
        headers: Mapping[str, str],
        **_: Any,
    ) -> _Call:
        return _Call(
            self._vendors, self._life, method, URL(url).with_query(params) if params else URL(url), headers, data
        )


class _Wire:
    """In place of aiohttp's writer: what was handed to it."""

    def __init__(self) -> None:
        self.written = b""

    async def write(self, chunk: bytes) -> None:
        self.written += chunk


class _Call:
    def __init__(
        self,
        vendors: Vendors,
        life: Life,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: aiohttp.BytesPayload | None,
    ) -> None:
        answer: asyncio.Future[Answer] = vendors.loop.create_future()
        self._vendors = vendors
        self._body = body
        self._exchange = Exchange(life, method, url, headers, None, answer, asyncio.current_task())

    async def __aenter__(self) -> Answer:
        exchange, vendors = self._exchange, self._vendors
        if vendors.chance.random() < 0.1:  # no connection is kept: one is made first
            made: asyncio.Future[None] = vendors.loop.create_future()
            vendors.loop.outside(0.01, _done, made, None)
            await made
        if exchange.life.over:
            raise asyncio.CancelledError
        if self._body is not None:
            await exchange.life.before_change()
            wire = _Wire()
            await self._body.write_with_length(cast(Any, wire), None)
            exchange.body = wire.written
        vendors.send(exchange)
        answer = await exchange.answer
        await exchange.life.step()
        return answer

    async def __aexit__(self, *_: object) -> None:
        return None


def _request(app: web.Application, exchange: Exchange, loop: SimulatedTime) -> web.Request:
    message = RawRequestMessage(
        exchange.method,
        exchange.url.raw_path_qs,
        HttpVersion11,
        CIMultiDictProxy(CIMultiDict({"Host": "vendor.test", **exchange.headers})),
        (),
        False,
        None,
        False,
        False,
        URL(exchange.url.raw_path_qs, encoded=True),
    )
    nothing_left = cast(Any, SimpleNamespace(at_eof=lambda: True))
    request = web.Request(message, nothing_left, _PROTOCOL, cast(Any, None), cast(Any, None), loop)
    request._read_bytes = exchange.body or b""
    return request


def _unreachable() -> Exception:
    return aiohttp.ClientConnectorError(cast(Any, SimpleNamespace(ssl=None, host="", port=0)), OSError("no route"))


def _done(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
