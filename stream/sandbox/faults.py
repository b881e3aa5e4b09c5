"""Faults on demand: what a sandbox does wrong, on purpose, to the requests that match.

A test or an operator plants a `Fault`; the middleware of `Faults` applies it to the next matching requests and then
forgets it. Faults never touch the control paths under `/_sandbox/`, where they are planted over HTTP with the same
words as the fields here. How a vendor words a refusal is its sandbox's affair: it hands the middleware a function.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

CONTROL = "/_sandbox/"

_TYPES: Mapping[str, tuple[type, ...]] = {
    "method": (str,),
    "path": (str,),
    "status": (int,),
    "code": (int, str),
    "message": (str,),
    "skip": (int,),
    "times": (int,),
    "retry_after": (int, float),
    "delay_s": (int, float),
    "hold_s": (int, float),
    "body": (str,),
    "drop": (str,),
    "applied": (bool,),
}


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong. What is left at its default does not go wrong.

    | field | what happens |
    |---|---|
    | method | which requests: any method when None |
    | path | a regular expression that matches from the start of the path; a plain prefix will do |
    | skip, times | the first `skip` matching requests are spared, the next `times` are hit (None: all from then on) |
    | delay_s | seconds before the request is handled; it is handled even if the client has gone by then |
    | hold_s | seconds between handling and answering: applied, and too late for an impatient client |
    | status, code, message, retry_after | the vendor's refusal; the request is not handled unless `applied` |
    | body | "half": the answer breaks off in the middle; any other text is sent in place of the answer |
    | drop | "before": connection closed, nothing handled; "after": handled, connection closed before the answer |
    """

    method: str | None = None
    path: str = ""
    status: int | None = None
    code: int | str | None = None
    message: str | None = None
    skip: int = 0
    times: int | None = 1
    retry_after: float | None = None
    delay_s: float = 0.0
    hold_s: float = 0.0
    body: str | None = None
    drop: Literal["before", "after"] | None = None
    applied: bool = False

    @classmethod
    def from_json(cls, value: object) -> Fault:
        """Read the words of the control endpoint. Raises ValueError naming what is wrong."""
        if not isinstance(value, dict):
            raise ValueError("a fault is a JSON object")  # noqa: TRY004 - one kind of error for all that can be wrong
        known = {field.name for field in fields(cls)}
        if unknown := set(value) - known:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")
        for name, item in value.items():
            fits = isinstance(item, _TYPES[name]) and isinstance(item, bool) == (name == "applied")
            if item is not None and not fits:
                raise ValueError(f"{name} has the wrong type")
        fault = cls(**value)
        if fault.drop not in (None, "before", "after"):
            raise ValueError('drop is "before" or "after"')
        try:
            re.compile(fault.path)
        except re.error as error:
            raise ValueError(f"path is no regular expression: {error}") from None
        return fault

    def matches(self, method: str, path: str) -> bool:
        return (self.method is None or self.method.upper() == method) and re.match(self.path, path) is not None


@dataclass
class _Planted:
    fault: Fault
    seen: int = 0
    hits: int = 0

    @property
    def spent(self) -> bool:
        return self.fault.times is not None and self.hits >= self.fault.times


Refusal = Callable[[Fault], web.Response]


class Faults:
    """The faults planted in one sandbox. The earliest planted that matches a request is the one that hits it."""

    def __init__(self) -> None:
        self._planted: list[_Planted] = []

    def plant(self, fault: Fault) -> None:
        self._planted.append(_Planted(fault))

    def clear(self) -> None:
        self._planted.clear()

    def left(self, fault: Fault) -> int:
        """How many more requests this very fault, which has a number of times, will hit."""
        return sum((fault.times or 0) - planted.hits for planted in self._planted if planted.fault is fault)

    def lift(self, fault: Fault) -> None:
        """Spare what it has not hit yet."""
        self._planted = [planted for planted in self._planted if planted.fault is not fault]

    def pending(self) -> list[dict[str, Any]]:
        """What is still planted, with how often it hit so far."""
        return [{**asdict(planted.fault), "hits": planted.hits} for planted in self._planted]

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that hits this request, counted as used; None when it is spared."""
        for planted in self._planted:
            if not planted.fault.matches(method, path):
                continue
            planted.seen += 1
            if planted.seen <= planted.fault.skip:
                continue
            planted.hits += 1
            if planted.spent:
                self._planted.remove(planted)
            return planted.fault
        return None

    def middleware(self, refuse: Refusal) -> Middleware:
        """An aiohttp middleware that applies the faults; `refuse` words a fault's status as the vendor would."""

        @web.middleware
        async def misbehave(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path.startswith(CONTROL):
                return await handler(request)
            fault = self.take(request.method, request.path)
            return await (handler(request) if fault is None else _apply(fault, request, handler, refuse))

        return misbehave

    def routes(self) -> list[web.RouteDef]:
        """`POST` (an object or a list of them), `GET` and `DELETE /_sandbox/faults`."""

        async def plant(request: web.Request) -> web.Response:
            try:
                asked = await request.json()
                faults = [Fault.from_json(one) for one in (asked if isinstance(asked, list) else [asked])]
            except ValueError as error:
                return web.json_response({"error": str(error)}, status=400)
            for fault in faults:
                self.plant(fault)
            return web.json_response({"pending": self.pending()}, status=201)

        async def show(_request: web.Request) -> web.Response:
            return web.json_response({"pending": self.pending()})

        async def clear(_request: web.Request) -> web.Response:
            self.clear()
            return web.json_response({"pending": []})

        path = f"{CONTROL}faults"
        return [web.post(path, plant), web.get(path, show), web.delete(path, clear)]


async def _apply(fault: Fault, request: web.Request, handler: Handler, refuse: Refusal) -> web.StreamResponse:
    if fault.delay_s and request.content_type != "multipart/form-data":
        await request.read()  # it is kept: when the client has gone the body cannot be read any more
    await asyncio.sleep(fault.delay_s)
    if fault.drop == "before":
        return _hang_up(request)
    if fault.status is not None and not fault.applied:
        return refuse(fault)
    answer = await handler(request)
    await asyncio.sleep(fault.hold_s)
    if fault.drop == "after":
        return _hang_up(request)
    if fault.status is not None:
        return refuse(fault)
    if fault.body == "half":
        return await _break_off(request, answer)
    if fault.body is not None:
        return web.Response(status=answer.status, text=fault.body, content_type="application/json")
    return answer


def _hang_up(request: web.Request) -> web.Response:
    """Reset the connection. aiohttp finds it closed and discards the answer that a handler must return."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _break_off(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    """Announce the whole answer, send its first half, close."""
    whole = bytes(answer.body) if isinstance(answer, web.Response) and isinstance(answer.body, bytes) else b""
    broken = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
    broken.content_length = max(len(whole), 1)
    broken.force_close()
    await broken.prepare(request)
    await broken.write(whole[: len(whole) // 2])
    if request.transport is not None:
        request.transport.close()
    return broken
