"""The sandbox's own endpoints, below `/_sandbox/` and `/{subdomain}/_sandbox/`. BambooHR has nothing of the kind.

| call | what |
|---|---|
| `POST`, `GET`, `DELETE faults` | plant, show, forget faults (`stream/sandbox/faults.py`) by whole paths |
| `GET`, `DELETE calls` | counts by method, route and status, and seconds in handlers; start again |
| `POST rate_limit` | any of `per_window, window_s, logs_per_window, bad_keys, lock_s`; ends a lock |
| `GET deliveries` | attempts at webhooks, and how many deliveries have not been tried yet |
| `POST disorder` | any of `lost, duplicated, overtaken, delay_s, seed`; what is left out goes right |
| `POST changes` | `employee_id, fields, effective`: a change that takes effect on a later day |
| `POST users` | any of `employee, denied, hidden, may_write, may_edit_lists`: a new user; answers their `api_key` |
| `POST app` | `redirect_uris` to register with the OAuth app |
| `DELETE tokens` | end all access tokens |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from datetime import date
from typing import Any

from aiohttp import web

from stream.sandbox.bamboohr.accounts import User
from stream.sandbox.bamboohr.calls import Calls
from stream.sandbox.bamboohr.delivery import Deliveries, Disorder
from stream.sandbox.bamboohr.desk import Desk
from stream.sandbox.faults import CONTROL, Faults

Answer = Callable[[dict[str, Any]], Any]


def routes(desk: Desk, faults: Faults, calls: Calls, deliveries: Deliveries) -> list[web.RouteDef]:
    """Both sets of paths."""
    own = [*faults.routes(), *_routes(desk, calls, deliveries)]
    prefix = f"/{desk.company.subdomain}"
    return [*own, *(web.RouteDef(route.method, prefix + route.path, route.handler, {}) for route in own)]


def is_control(path: str, subdomain: str) -> bool:
    return path.removeprefix(f"/{subdomain}").startswith(CONTROL)


def _routes(desk: Desk, calls: Calls, deliveries: Deliveries) -> list[web.RouteDef]:
    def limit(body: dict[str, Any]) -> Any:
        if not all(isinstance(value, int | float) for value in body.values()):
            raise ValueError("every limit is a number")
        desk.throttle.limit = replace(desk.throttle.limit, **body)
        desk.throttle.unlock()
        return asdict(desk.throttle.limit)

    def disorder(body: dict[str, Any]) -> Any:
        sets: dict[str, Any] = {key: tuple(value) if key == "delay_s" else value for key, value in body.items()}
        wanted = replace(Disorder(), **sets)
        deliveries.misbehave(wanted)
        return asdict(wanted)

    def change(body: dict[str, Any]) -> Any:
        day = date.fromisoformat(body["effective"]) if body.get("effective") else None
        desk.company.change(str(body["employee_id"]), body["fields"], effective=day)
        return {}

    def user(body: dict[str, Any]) -> Any:
        sets: dict[str, Any] = {
            key: frozenset(value) if key in ("denied", "hidden") else value for key, value in body.items()
        }
        return {"api_key": desk.accounts.new_key(replace(User("added"), **sets))}

    def app(body: dict[str, Any]) -> Any:
        desk.accounts.app.redirect_uris.update(body["redirect_uris"])
        return {"redirect_uris": sorted(desk.accounts.app.redirect_uris)}

    def clear_calls(_body: dict[str, Any]) -> Any:
        calls.clear()
        return calls.to_json()

    def end_tokens(_body: dict[str, Any]) -> Any:
        desk.accounts.revoke("access")
        return {}

    def attempts(_body: dict[str, Any]) -> Any:
        made = [asdict(attempt) | {"at": attempt.at.isoformat()} for attempt in deliveries.attempts]
        return {"attempts": made, "unsent": deliveries.unsent}

    return list(
        _handled(
            ("GET", "calls", lambda _body: calls.to_json()),
            ("DELETE", "calls", clear_calls),
            ("POST", "rate_limit", limit),
            ("GET", "deliveries", attempts),
            ("POST", "disorder", disorder),
            ("POST", "changes", change),
            ("POST", "users", user),
            ("POST", "app", app),
            ("DELETE", "tokens", end_tokens),
        )
    )


def _handled(*table: tuple[str, str, Answer]) -> Iterable[web.RouteDef]:
    for method, name, answer in table:
        yield web.RouteDef(method, f"{CONTROL}{name}", _handler(answer), {})


def _handler(answer: Answer) -> Callable[[web.Request], Any]:
    async def handle(request: web.Request) -> web.Response:
        try:
            body = await request.json() if request.can_read_body else {}
            return web.json_response(answer(body))
        except (KeyError, TypeError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)

    return handle
