"""BambooHR's own OpenAPI document as a referee: a server middleware that checks requests and answers against it.

The document is the vendor's and not part of the project: `ROSTERBOOK_VENDOR_DOCUMENTS` names its folder (default:
`shared/openapi` beside the project). Without it, tests that use this are skipped. Put `Referee.middleware` into the
sandbox under test, run anything against it, and look at `requests` and `answers`. Messages name places and rules, never
values.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from aiohttp.typedefs import Handler
from openapi_core import Config, OpenAPI
from openapi_core.contrib.aiohttp import AIOHTTPOpenAPIWebRequest, AIOHTTPOpenAPIWebResponse
from openapi_core.exceptions import OpenAPIError

_PROJECT = Path(__file__).parents[2]
_TENANT = "/acme"
_SERVED = ("/api/v1/employees", "/api/v1/meta/", "/api/v1/webhooks")


def vendor_document() -> Path:
    """Where BambooHR's document lies. Skips the test where it does not."""
    folder = Path(os.environ.get("ROSTERBOOK_VENDOR_DOCUMENTS", _PROJECT.parent / "shared" / "openapi"))
    path = folder / "bamboohr.yaml"
    if not path.is_file():
        pytest.skip("the vendor's document bamboohr.yaml is absent; ROSTERBOOK_VENDOR_DOCUMENTS names its folder")
    return path


@functools.cache
def load_document(path: Path) -> dict[str, Any]:
    """The document, cut down to what the sandbox serves, with the tenant as a path instead of a host."""
    document: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    paths = {path: item for path, item in document["paths"].items() if path.startswith(_SERVED)}
    for item in paths.values():
        for operation in item.values():
            operation.pop("security", None)  # openapi-core knows no OAuth 2; credentials have tests of their own
    listing = paths["/api/v1/employees"]["get"]
    # openapi-core leaves the texts of deepObject parameters uncast and then finds them to be no integers
    listing["parameters"] = [one for one in listing["parameters"] if one.get("style") != "deepObject"]
    return {**document, "paths": paths, "servers": [{"url": _TENANT}]}


@dataclass
class Referee:
    """requests: faults of requests that were accepted; answers: faults of answers; checked: operations seen."""

    openapi: OpenAPI
    requests: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    checked: set[tuple[str, str, int]] = field(default_factory=set)

    @classmethod
    def of_the_vendor(cls) -> Referee:
        return cls(OpenAPI.from_dict(load_document(vendor_document()), config=Config(spec_validator_cls=None)))

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        asked = AIOHTTPOpenAPIWebRequest(request, body=await request.read())
        answer = await handler(request)
        if not request.path.startswith(f"{_TENANT}/api/") or not isinstance(answer, web.Response):
            return answer
        place = f"{request.method} {request.path} {answer.status}"
        if answer.status < 400:
            _collect(self.requests, place, lambda: self.openapi.validate_request(asked))
        if answer.body is not None:
            _collect(
                self.answers, place, lambda: self.openapi.validate_response(asked, AIOHTTPOpenAPIWebResponse(answer))
            )
        self.checked.add((request.method, request.path, answer.status))
        return answer


def _collect(into: list[str], place: str, check: Any) -> None:
    try:
        check()
    except OpenAPIError as error:
        schema_errors = getattr(error.__cause__, "schema_errors", None)
        if schema_errors:
            into.extend(f"{place}: {list(one.absolute_path)} {one.validator}" for one in schema_errors)
        else:
            into.append(f"{place}: {type(error).__name__} {type(error.__cause__).__name__}")
