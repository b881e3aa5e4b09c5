"""What an API call is to the sandbox: a name, a route, the scope it needs and the function that answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

API = "/books/v3"


@dataclass(frozen=True)
class Operation:
    """One call of the API. `path` is below `API`; `scope` such as `contacts.READ`."""

    name: str
    method: str
    path: str
    scope: str
    answer: Callable[[web.Request], Awaitable[web.Response]]
    organization_needed: bool = True

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    def route(self) -> web.RouteDef:
        return web.route(self.method, API + self.path, self.answer, name=self.name)
