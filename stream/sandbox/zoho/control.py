"""The control endpoints under `/_sandbox/`, for tests and operators in another process. They need no token.

| endpoint | what it does |
|---|---|
| GET calls, DELETE calls | what was asked so far; start counting anew |
| GET contacts | every contact whole, whatever the limits |
| GET limits, POST limits | show or change the limits; `used_today` are calls that other integrations made |
| GET fields, POST fields | show the custom fields of contacts; define one, unique or not |
| DELETE fields/{api_name} | take a definition away, and with it what contacts hold there |
| faults | see `stream.sandbox.faults` |
"""

from __future__ import annotations

import dataclasses
from typing import Any

from aiohttp import web

from stream.sandbox.faults import CONTROL
from stream.sandbox.zoho.calls import Calls
from stream.sandbox.zoho.custom_fields import CustomField
from stream.sandbox.zoho.limits import LimitLedger, Limits
from stream.sandbox.zoho.organization import Organization
from stream.sandbox.zoho.refusals import answer


class Control:
    """Shows and changes one sandbox from outside."""

    def __init__(self, organization: Organization, ledger: LimitLedger, calls: Calls) -> None:
        self._organization = organization
        self._ledger = ledger
        self._calls = calls

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{CONTROL}calls", self._show_calls),
            web.delete(f"{CONTROL}calls", self._reset_calls),
            web.get(f"{CONTROL}contacts", self._show_contacts),
            web.get(f"{CONTROL}fields", self._show_fields),
            web.post(f"{CONTROL}fields", self._define_field),
            web.delete(f"{CONTROL}fields/{{api_name}}", self._remove_field),
            web.get(f"{CONTROL}limits", self._show_limits),
            web.post(f"{CONTROL}limits", self._change_limits),
        ]

    async def _show_calls(self, _request: web.Request) -> web.Response:
        return answer({**self._calls.shown(), "peak_in_flight": self._ledger.peak_in_flight})

    async def _reset_calls(self, _request: web.Request) -> web.Response:
        self._calls.reset()
        return answer(self._calls.shown())

    async def _show_contacts(self, _request: web.Request) -> web.Response:
        shown = self._organization.answers.contact
        return answer({"contacts": [shown(contact) for contact in self._organization.contacts.values()]})

    async def _show_fields(self, _request: web.Request) -> web.Response:
        return answer({"fields": self._organization.custom_fields.listed(tells_unique=True)})

    async def _define_field(self, request: web.Request) -> web.Response:
        try:
            field = _definition(await request.json())
        except ValueError as error:
            return answer({"error": str(error)}, status=400)
        return answer(self._organization.define_custom_field(field).listed(tells_unique=True))

    async def _remove_field(self, request: web.Request) -> web.Response:
        if not self._organization.custom_fields.remove(request.match_info["api_name"]):
            return answer({"error": "there is no such field"}, status=404)
        return await self._show_fields(request)

    async def _show_limits(self, _request: web.Request) -> web.Response:
        return answer(self._limits())

    async def _change_limits(self, request: web.Request) -> web.Response:
        try:
            wanted = _numbers(await request.json())
        except ValueError as error:
            return answer({"error": str(error)}, status=400)
        self._ledger.spend(int(wanted.pop("used_today", self._ledger.used_today)) - self._ledger.used_today)
        self._ledger.limits = dataclasses.replace(self._ledger.limits, **wanted)
        return answer(self._limits())

    def _limits(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self._ledger.limits), "used_today": self._ledger.used_today}


def _definition(asked: object) -> CustomField:
    """A custom field. Raises ValueError naming what is wrong."""
    shape = "an object with api_name (cf_…) and label, and perhaps data_type, options (texts), unique (true or false)"
    if not isinstance(asked, dict) or not set(asked) <= {field.name for field in dataclasses.fields(CustomField)}:
        raise ValueError(shape)
    options, unique = asked.get("options", []), asked.get("unique", False)
    texts = [asked.get("api_name"), asked.get("label"), asked.get("data_type", "string")]
    said = isinstance(options, list) and isinstance(unique, bool)
    if not said or not all(isinstance(text, str) and text for text in (*texts, *options)):
        raise ValueError(shape)
    if not texts[0].startswith("cf_"):
        raise ValueError(shape)
    return CustomField(texts[0], texts[1], texts[2], tuple(options), unique)


def _numbers(asked: object) -> dict[str, Any]:
    """Limits by name. Raises ValueError naming what is wrong."""
    known = {field.name for field in dataclasses.fields(Limits)} | {"used_today"}
    if not isinstance(asked, dict) or not set(asked) <= known:
        raise ValueError(f"an object with some of: {', '.join(sorted(known))}")
    for name, value in asked.items():
        kinds = (int, float) if name == "latency_s" else (int,)
        if isinstance(value, bool) or not isinstance(value, kinds) or value < 0:
            raise ValueError(f"{name} must be a number, and not below 0")
    return asked
