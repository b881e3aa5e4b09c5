"""What happens around every call: it is counted, faults hit it, it is admitted, and refusals become answers."""

from __future__ import annotations

import secrets
from functools import partial

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from stream.sandbox.bamboohr.calls import Calls
from stream.sandbox.bamboohr.control_routes import is_control
from stream.sandbox.bamboohr.desk import CALLER, Desk
from stream.sandbox.bamboohr.refusals import Refused
from stream.sandbox.faults import Fault, Faults


def around(desk: Desk, faults: Faults, calls: Calls) -> Middleware:
    """All of it, in order; the control paths are spared."""
    subdomain = desk.company.subdomain
    count = calls.middleware(f"/{subdomain}/api/v1", desk.throttle.clock)
    misbehave = faults.middleware(partial(_refusal, desk))
    admit = _admitting(desk, f"/{subdomain}/api/")

    @web.middleware
    async def stand_in(request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_control(request.path, subdomain):
            try:
                return await handler(request)
            except Refused as refused:
                return refused.answer()
        return await count(request, partial(misbehave, handler=partial(admit, handler=handler)))

    return stand_in


def _admitting(desk: Desk, api: str) -> Middleware:
    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        desk.company.take_effect()
        answer: web.StreamResponse
        try:
            if request.path.startswith(api):
                request[CALLER] = desk.admit(request)
            answer = await handler(request)
        except Refused as refused:
            answer = refused.answer()
        except web.HTTPClientError as unknown:
            answer = web.Response(status=unknown.status)
        answer.headers["x-request-id"] = secrets.token_hex(8)
        return answer

    return admit


def _refusal(desk: Desk, fault: Fault) -> web.Response:
    """A planted status, as the vendor words an outage or a limit: no body, a message header."""
    headers = {"X-BambooHR-Error-Message": fault.message or "Planted fault"}
    if fault.retry_after is not None:
        headers["Retry-After"] = desk.throttle.retry_after(fault.retry_after)
    return web.Response(status=fault.status or 503, headers=headers)
