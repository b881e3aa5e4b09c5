"""What the two clients send, held against the vendors' own API documents."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path

import pytest
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest

from stream.bamboohr.webhooks import WebhooksApi
from stream.core.contact import body_to_create, writes
from stream.core.mapping import FIELDS
from stream.records import DesiredContact
from stream.zoho.client import ZohoBooks
from tests.unit.test_bamboohr_client import ADA, FEED, RECORD, SINCE, company
from tests.unit.test_zoho_client import ADA as CONTACT_ID
from tests.unit.test_zoho_client import CONTACT, ORGANIZATIONS, books
from tests.unit.vendor import Reply, Seen

DOCUMENTS = Path(
    os.environ.get("ROSTERBOOK_VENDOR_DOCUMENTS") or Path(__file__).parents[2].parent / "shared" / "openapi"
)
pytestmark = [
    pytest.mark.vendor_documents,
    pytest.mark.skipif(
        not DOCUMENTS.is_dir(),
        reason="the vendors' OpenAPI documents are not here; name their folder in ROSTERBOOK_VENDOR_DOCUMENTS",
    ),
    # OAuth 2 is no scheme that the checker knows; the clients' credentials are tested with the clients.
    pytest.mark.filterwarnings("ignore:Unsupported scheme type"),
]

DESIRED = DesiredContact(
    active=True,
    contact_type="vendor",
    first_name="Ada",
    last_name="Moreno",
    email="ada@example.test",
    designation="Field Engineer",
    department="Operations",
    custom_fields={"cf_state": "active"},
)


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # whichever PyYAML was built with
    """Reads dates as the texts they are in JSON."""

    yaml_implicit_resolvers = {
        first: [resolver for resolver in resolvers if resolver[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


@cache
def document(name: str) -> OpenAPI:
    """The vendor's document, served from the root: its own servers are the real ones."""
    content = yaml.load((DOCUMENTS / name).read_text(), Loader=Loader)  # noqa: S506 - it extends the safe loader
    return OpenAPI.from_dict({**content, "servers": [{"url": "/"}]}, config=Config(spec_validator_cls=None))


def faults(name: str, seen: Seen, path: str) -> list[str]:
    """What the document finds wrong with a request; empty when it is right."""
    request = MockRequest(
        "http://127.0.0.1",
        seen.method.lower(),
        path,
        args=seen.query,
        headers=seen.headers,
        data=seen.body or None,
        content_type=seen.headers.get("content-type", ""),
    )
    try:
        document(name).validate_request(request)
    except OpenAPIError as error:
        causes = getattr(error.__cause__, "schema_errors", None) or [error]
        return [getattr(cause, "message", None) or repr(cause) for cause in causes]
    return []


async def test_an_employee_is_asked_for_as_bamboohr_documents_it() -> None:
    async with company([Reply(RECORD)]) as (client, server, _):
        await client.employee(ADA, FIELDS)
    (seen,) = server.seen
    assert faults("bamboohr.yaml", seen, seen.path.removeprefix("/acme")) == []


async def test_the_change_feed_is_asked_for_as_bamboohr_documents_it() -> None:
    async with company([Reply(FEED)]) as (client, server, _):
        await client.changed(SINCE)
    (seen,) = server.seen
    assert faults("bamboohr.yaml", seen, seen.path.removeprefix("/acme")) == []


async def test_the_log_of_a_webhook_is_asked_for_as_bamboohr_documents_it() -> None:
    async with company([Reply([])]) as (client, server, _):
        await WebhooksApi(client).log("12")
    (seen,) = server.seen
    assert faults("bamboohr.yaml", seen, seen.path.removeprefix("/acme")) == []


CALLS: dict[str, Callable[[ZohoBooks], Awaitable[object]]] = {
    "find": lambda client: client.find_by_email("ada@example.test"),
    "contact": lambda client: client.contact(CONTACT_ID),
    "create": lambda client: client.create(body_to_create(DESIRED, "42")),
    "upsert": lambda client: client.upsert("cf_employee_id", "42", body_to_create(DESIRED, "42")),
    "activate": lambda client: client.mark_active(CONTACT_ID),
    "deactivate": lambda client: client.mark_inactive(CONTACT_ID),
    "organizations": lambda client: client.organizations(),
}


def answer(seen: Seen) -> Reply:
    return Reply({**ORGANIZATIONS, "contact": CONTACT, "contacts": []})


@pytest.mark.parametrize("name", CALLS)
async def test_zoho_books_is_called_as_it_documents(name: str) -> None:
    async with books(answer) as fake:
        await CALLS[name](fake.client)
    (seen,) = fake.calls
    file = "zoho/organizations.yml" if name == "organizations" else "zoho/contacts.yml"
    assert faults(file, seen, seen.path.removeprefix("/books/v3")) == []


async def test_a_partial_update_lacks_only_what_zoho_documents_as_required_and_does_not_require() -> None:
    async with books(answer) as fake:
        actual = await fake.client.contact(CONTACT_ID)
        update = writes(DESIRED, actual, "42").update
        assert update is not None
        await fake.client.update(CONTACT_ID, update)
    seen = fake.calls[-1]
    assert {person["contact_person_id"] for person in seen.json["contact_persons"]} == {
        person.contact_person_id for person in actual.persons
    }
    found = faults("zoho/contacts.yml", seen, seen.path.removeprefix("/books/v3"))
    assert {fault for fault in found if "is a required property" not in fault} == set()
    assert all(fault.startswith(("'contact_name'", "'contact_type'")) for fault in found)


async def test_the_documents_do_find_faults() -> None:
    async with books(answer) as fake:
        await fake.client.create({"contact_type": 7})
    (seen,) = fake.calls
    assert len(faults("zoho/contacts.yml", seen, "/contacts")) == 2
    assert faults("zoho/contacts.yml", seen, "/nowhere")
