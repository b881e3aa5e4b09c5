"""What the Zoho sandbox answers agrees with the vendor's OpenAPI documents, and carries every property they list."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from aiohttp.typedefs import Handler
from openapi_core import Config, OpenAPI
from openapi_core.contrib.aiohttp import AIOHTTPOpenAPIWebRequest, AIOHTTPOpenAPIWebResponse
from openapi_core.exceptions import OpenAPIError

from stream.sandbox.zoho import CustomField
from stream.sandbox.zoho.operations import API
from tests.contract.zoho_caller import Caller, person, running_sandbox

DOCUMENTS = Path(
    os.environ.get("ROSTERBOOK_VENDOR_DOCUMENTS") or Path(__file__).parents[2].parent / "shared" / "openapi"
)
pytestmark = [
    # OAuth 2 is no scheme that the checker knows; who may call is tested by test_zoho_sandbox_access.py.
    pytest.mark.filterwarnings("ignore:Unsupported scheme type"),
    pytest.mark.vendor_documents,
    pytest.mark.skipif(
        not (DOCUMENTS / "zoho").is_dir(),
        reason="the vendors' OpenAPI documents are not here; name their folder in ROSTERBOOK_VENDOR_DOCUMENTS",
    ),
]


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # whichever PyYAML was built with
    """Reads dates as the texts they are in JSON."""

    yaml_implicit_resolvers = {
        first: [resolver for resolver in resolvers if resolver[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


@cache
def document(name: str) -> dict[str, Any]:
    with (DOCUMENTS / "zoho" / name).open(encoding="utf-8") as file:
        loaded: dict[str, Any] = yaml.load(file, Loader=Loader)  # noqa: S506 - it extends the safe loader
    return loaded


@cache
def contract(name: str) -> OpenAPI:
    """The document with our server in place of the vendor's."""
    return OpenAPI.from_dict({**document(name), "servers": [{"url": API}]}, config=Config(spec_validator_cls=None))


def document_of(path: str) -> str:
    """Contact persons are in two documents; theirs is the one that lists properties."""
    if "/contactpersons" in path:
        return "contact-persons.yml"
    return "organizations.yml" if "/organizations" in path else "contacts.yml"


class Checked:
    """Checks every call that passes the sandbox; `faults` tells what disagreed, without the values."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.calls = 0

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if not request.path.startswith(API):
            return answer
        self.calls += 1
        assert isinstance(answer, web.Response)
        asked = AIOHTTPOpenAPIWebRequest(request, body=await request.read())
        api = contract(document_of(request.path))
        try:
            api.validate_request(asked)
            api.validate_response(asked, AIOHTTPOpenAPIWebResponse(answer))
        except OpenAPIError as error:
            found = getattr(error.__cause__, "schema_errors", None) or [error]
            self.faults += [
                f"{request.method} {request.path} {list(getattr(one, 'absolute_path', []))} {type(one).__name__}"
                for one in found
            ]
        return answer


@pytest.fixture
async def zoho() -> AsyncIterator[Caller]:
    checked = Checked()
    async with running_sandbox(middlewares=[checked.middleware]) as caller:
        yield caller
    assert checked.calls
    assert checked.faults == []


def listed(schema: Mapping[str, Any], root: Mapping[str, Any], shown: Any, where: str = "") -> list[str]:
    """Properties that the schema lists and the answer lacks, lists looked at by their first item."""
    while "$ref" in schema:
        found: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    if isinstance(shown, list):
        return listed(schema["items"], root, shown[0], f"{where}[]") if shown else []
    lacking = []
    for name, inner in schema.get("properties", {}).items():
        if name not in shown:
            lacking.append(f"{where}.{name}")
        elif isinstance(shown[name], dict | list):
            lacking += listed(inner, root, shown[name], f"{where}.{name}")
    return lacking


def lacking(name: str, path: str, method: str, status: str, shown: Any) -> list[str]:
    root = document(name)
    answer = root["paths"][path][method]["responses"][status]
    return listed(answer["content"]["application/json"]["schema"], root, shown)


FULL = {
    "contact_name": "Ada Moreno",
    "contact_type": "vendor",
    "notes": "From HR",
    "custom_fields": [{"index": 1, "value": "1042"}],
    "billing_address": {"city": "Leeds"},
    "contact_persons": [
        person(
            "ada@example.test",
            phone="+44 20",
            mobile="+44 70",
            designation="Engineer",
            department="Operations",
            is_primary_contact=True,
        )
    ],
}


async def test_contacts_agree_with_their_document(zoho: Caller) -> None:
    zoho.sandbox.organization.define_custom_field(CustomField("cf_number", "Number"))
    created = await zoho.call("POST", "/contacts", FULL)
    assert lacking("contacts.yml", "/contacts", "post", "201", created.body) == []
    path = f"/contacts/{created.body['contact']['contact_id']}"
    got = await zoho.call("GET", path)
    assert lacking("contacts.yml", "/contacts/{contact_id}", "get", "200", got.body) == []
    updated = await zoho.call("PUT", path, FULL | {"notes": ""})
    assert lacking("contacts.yml", "/contacts/{contact_id}", "put", "200", updated.body) == []
    for state in ("inactive", "active"):
        assert (await zoho.call("POST", f"{path}/{state}")).status == 200
    query = {"email": "ada@example.test", "sort_column": "created_time", "per_page": "25", "page": "1"}
    page = await zoho.call("GET", "/contacts", query=query)
    assert len(page.body["contacts"]) == 1
    assert lacking("contacts.yml", "/contacts", "get", "200", page.body) == []
    assert (await zoho.call("DELETE", path)).status == 200


async def test_a_bare_contact_has_every_property_too(zoho: Caller) -> None:
    created = await zoho.call("POST", "/contacts", {"contact_name": "Ada"})
    assert lacking("contacts.yml", "/contacts", "post", "201", created.body) == []
    several = {"contact_ids": created.body["contact"]["contact_id"]}
    assert (await zoho.call("DELETE", "/contacts", query=several)).status == 200


async def test_contact_persons_agree_with_their_document(zoho: Caller) -> None:
    contact = await zoho.create()
    contact_id, own, every = contact["contact_id"], "/contacts/{contact_id}/contactpersons", "/contacts/contactpersons"
    name, one = "contact-persons.yml", "/{contact_person_id}"
    created = await zoho.call("POST", every, {"contact_id": contact_id, **person("ada@example.test")})
    assert lacking(name, every, "post", "201", created.body) == []
    person_id = created.body["contact_person"][0]["contact_person_id"]
    change = {"contact_id": contact_id, "first_name": "Ada", "department": "Sales"}
    updated = await zoho.call("PUT", f"{every}/{person_id}", change)
    assert lacking(name, every + one, "put", "200", updated.body) == []
    got = await zoho.call("GET", f"/contacts/{contact_id}/contactpersons/{person_id}")
    assert lacking(name, own + one, "get", "200", got.body) == []
    page = await zoho.call("GET", f"/contacts/{contact_id}/contactpersons")
    assert lacking(name, own, "get", "200", page.body) == []
    assert (await zoho.call("POST", f"{every}/{person_id}/primary")).status == 200
    assert (await zoho.call("DELETE", f"{every}/{person_id}")).status == 200


async def test_organizations_agree_with_their_document(zoho: Caller) -> None:
    page = await zoho.call("GET", "/organizations")
    assert lacking("organizations.yml", "/organizations", "get", "200", page.body) == []
    one = await zoho.call("GET", f"/organizations/{zoho.sandbox.organization_id}")
    assert lacking("organizations.yml", "/organizations/{organization_id}", "get", "200", one.body) == []
