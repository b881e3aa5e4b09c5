"""BambooHR's webhooks of our user: list, read, create, change, delete, and the log of each. What an answer says is
taken only in the form that it must have; a creation without a key in its answer counts as one whose answer was lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import orjson

from stream.bamboohr.signature import instant
from stream.core.completeness import Delivery, DeliveryLog
from stream.core.webhook import Listed
from stream.errors import CredentialsRefused, NotFound, RateLimited, RecordRefused
from stream.http import Answer, Method, Request, unanswered
from stream.records import EmployeeId, WebhookConfiguration
from stream.telemetry import Masked

PATH = "webhooks"
LOG_LINES = 200
LOG_WAIT_S = 60.0
DELIVERIES = "/webhooks/bamboohr"
"""Where the gateway takes deliveries: a POST to the address of a connection, one step below."""


class Api(Protocol):
    """What is asked of the client of the whole API (`stream/bamboohr/client.py`)."""

    def request(self, operation: str, method: Method, path: str, body: bytes | None = None) -> Request: ...

    async def ask(self, request: Request) -> Answer: ...


class OthersWebhook(RecordRefused):
    """The webhook belongs to another user or other credentials."""


class WebhooksApi:
    """All methods raise CredentialsRefused, RateLimited, Unavailable; those that change something AnswerLost too."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def monitored(self) -> dict[str, str]:
        """Id and alias of each field that a webhook of ours may watch -> its alias, or its id where it has none."""
        request = self._request("webhooks.fields", "GET", "/monitor_fields")
        answer = await self._answer(request)
        fields = _items((answer.object() or {}).get("fields"))
        if fields is None:
            raise unanswered(request, status=answer.status)
        names: dict[str, str] = {}
        for field in fields:
            number, alias = str(field.get("id")), field.get("alias")
            names[number] = alias if isinstance(alias, str) and alias else number
        return names | {name: name for name in names.values()}

    async def listed(self) -> list[Listed]:
        """Those that our user made."""
        request = self._request("webhooks.list", "GET")
        answer = await self._answer(request)
        webhooks = _items((answer.object() or {}).get("webhooks"))
        if webhooks is None or any(_id(one) is None for one in webhooks):
            raise unanswered(request, status=answer.status)
        return [
            Listed(_id(one) or "", _text(one.get("name")), _text(one.get("url")), _text(one.get("created")), _sent(one))
            for one in webhooks
        ]

    async def shown(self, webhook: str, names: Mapping[str, str]) -> WebhookConfiguration:
        """One in full. names: as `monitored` tells them. Raises NotFound, OthersWebhook."""
        request = self._request("webhooks.get", "GET", f"/{webhook}")
        answer = await self._answer(request, one_of_ours=True)
        found = answer.object()
        if found is None or _id(found) != webhook:
            raise unanswered(request, status=answer.status)
        return WebhookConfiguration(
            name=_text(found.get("name")),
            url=_text(found.get("url")),
            format=_text(found.get("format")),
            events=_texts(found.get("events")),
            fields=tuple(sorted(names.get(field, field) for field in _texts(found.get("monitorFields")))),
        )

    async def log(self, webhook: str) -> DeliveryLog:
        """Its deliveries of the last 14 days, 200 at most. Raises NotFound, OthersWebhook.

        That the log was asked for too often is told inside a 200 (BambooHR API, webhook logs).
        """
        request = self._request("webhooks.log", "GET", f"/{webhook}/log")
        answer = await self._answer(request, one_of_ours=True)
        lines = _items(answer.array())
        if lines is not None:
            return DeliveryLog(tuple(map(_delivery, lines)), full=len(lines) >= LOG_LINES)
        error = (answer.object() or {}).get("error")
        if isinstance(error, dict) and error.get("code") == 429:
            raise RateLimited("BambooHR shows the log of a webhook only so often.", retry_after=LOG_WAIT_S, status=429)
        raise unanswered(request, status=answer.status)

    async def create(self, asked: WebhookConfiguration) -> tuple[str, str, Masked]:
        """Id, time of creation as BambooHR writes it, and the private key. Raises RecordRefused."""
        request = self._request("webhooks.create", "POST", body=_body(asked))
        answer = await self._answer(request)
        found = answer.object() or {}
        key, made = found.get("privateKey"), _id(found)
        if answer.status != 201 or made is None or not isinstance(key, str) or not key:
            raise unanswered(request, status=answer.status)
        return made, _text(found.get("created")), Masked(key)

    async def change(self, webhook: str, asked: WebhookConfiguration) -> None:
        """Replace all but the key. Raises RecordRefused, NotFound, OthersWebhook."""
        request = self._request("webhooks.change", "PUT", f"/{webhook}", _body(asked))
        answer = await self._answer(request, one_of_ours=True)
        if answer.status != 200:
            raise unanswered(request, status=answer.status)

    async def delete(self, webhook: str) -> None:
        """Raises NotFound, OthersWebhook."""
        request = self._request("webhooks.delete", "DELETE", f"/{webhook}")
        answer = await self._answer(request, one_of_ours=True)
        if not 200 <= answer.status < 300:
            raise unanswered(request, status=answer.status)

    def _request(self, operation: str, method: Method, below: str = "", body: bytes | None = None) -> Request:
        return self._api.request(operation, method, f"{PATH}{below}", body)

    async def _answer(self, request: Request, *, one_of_ours: bool = False) -> Answer:
        """one_of_ours: the request is about one webhook, which a 403 or 404 speaks of."""
        answer = await self._api.ask(request)
        match answer.status:
            case 403 if request.method != "GET" and _names_fields(answer):
                raise RecordRefused("BambooHR does not let the connection's user watch these fields.", status=403)
            case 403 if one_of_ours:
                raise OthersWebhook("The webhook belongs to another user of BambooHR.", status=403)
            case 403:
                raise CredentialsRefused(
                    "BambooHR does not let the connection's user keep webhooks: let it, or make one by hand and give "
                    "its private key as bamboohr.webhook_key.",
                    status=403,
                )
            case 404 if one_of_ours:
                raise NotFound("There is no such webhook in BambooHR any more.", status=404)
            case status if 400 <= status < 500:
                raise RecordRefused(
                    "BambooHR refuses the webhook: check that ROSTERBOOK_PUBLIC_URL is an https address.", status=status
                )
        return answer


def _body(asked: WebhookConfiguration) -> bytes:
    """`events` and `monitorFields` always: BambooHR takes their absence for the older, field-based kind of webhook."""
    return orjson.dumps(
        {
            "name": asked.name,
            "url": asked.url,
            "format": asked.format,
            "events": asked.events,
            "monitorFields": asked.fields,
        }
    )


def _delivery(line: Mapping[str, Any]) -> Delivery:
    """Words stand in place of a time where there is none."""
    employees, attempted, succeeded = (line.get(name) for name in ("employeeIds", "lastAttempted", "lastSuccess"))
    return Delivery(
        tuple(EmployeeId(one) for one in _texts(employees)),
        instant(_text(attempted)),
        instant(_text(succeeded)),
        accepted=str(line.get("statusCode")).startswith("2"),
    )


def _names_fields(answer: Answer) -> bool:
    """`errors` may be an array or an object (BambooHR API, webhooks)."""
    errors = (answer.object() or {}).get("errors")
    one = errors[0] if isinstance(errors, list) and errors else errors
    return isinstance(one, dict) and not {"monitorFields", "postFields", "unknownFields"}.isdisjoint(one)


def _items(value: Any) -> list[dict[str, Any]] | None:
    return value if isinstance(value, list) and all(isinstance(one, dict) for one in value) else None


def _id(webhook: Mapping[str, Any]) -> str | None:
    """Digits only: it becomes part of a path."""
    found = webhook.get("id")
    text = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
    return text if text.isascii() and text.isdigit() else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _sent(webhook: Mapping[str, Any]) -> str | None:
    return _text(webhook.get("lastSent")) or None


def _texts(value: Any) -> tuple[str, ...]:
    """Sorted; null where BambooHR shows nothing. Ids of fields may be numbers."""
    return tuple(sorted(str(one) for one in value)) if isinstance(value, list) else ()
