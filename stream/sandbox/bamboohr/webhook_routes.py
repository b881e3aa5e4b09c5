"""`/webhooks`: always JSON, but for the answer to a deletion. Too many questions for a log are told so inside a 200."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from stream.sandbox.bamboohr.accounts import Caller
from stream.sandbox.bamboohr.desk import Desk, calling
from stream.sandbox.bamboohr.fields import FIELDS
from stream.sandbox.bamboohr.logbook import Logbook
from stream.sandbox.bamboohr.refusals import refused_webhook

_PAGES = [{"id": 1, "name": "Personal"}, {"id": 2, "name": "Job"}, {"id": 3, "name": "Custom"}]
_TABLES = [{"id": 1, "name": "Job Information"}, {"id": 2, "name": "Employment Status"}]
_TABLE_IDS = {"jobInfo": 1, "employmentStatus": 2}


def routes(desk: Desk, prefix: str, logbook: Logbook) -> list[web.RouteDef]:
    webhooks = desk.registrations

    async def list_own(request: web.Request) -> web.Response:
        caller = calling(request, "webhooks")
        return web.json_response({"webhooks": [webhook.summary() for webhook in webhooks.of(caller)]})

    async def create(request: web.Request) -> web.Response:
        webhook = webhooks.create(_writer(request), await _body(request))
        return web.json_response(webhook.to_json() | {"privateKey": webhook.private_key}, status=201)

    async def get(request: web.Request) -> web.Response:
        caller = calling(request, "webhooks")
        return web.json_response(webhooks.get(caller, request.match_info["id"]).to_json())

    async def replace(request: web.Request) -> web.Response:
        webhook_id = request.match_info["id"]
        return web.json_response(webhooks.replace(_writer(request), webhook_id, await _body(request)).to_json())

    async def delete(request: web.Request) -> web.Response:
        webhooks.delete(_writer(request), request.match_info["id"])
        return web.Response(text="Web hook has been deleted.")

    async def log(request: web.Request) -> web.Response:
        caller = calling(request, "webhooks")
        webhook = webhooks.get(caller, request.match_info["id"])
        if not desk.throttle.admit_log():
            error = {"code": 429, "message": "Over rate limit, please try again in 60 seconds"}
            return web.json_response({"error": error})
        return web.json_response(logbook.shown(webhook.id, desk.throttle.clock.now()))

    async def monitor_fields(request: web.Request) -> web.Response:
        caller = calling(request, "webhooks")
        fields = [field for field in FIELDS if field.monitored and caller.reads(field)]
        return web.json_response({"fields": [{"id": f.id, "name": f.name, "alias": f.alias} for f in fields]})

    async def post_fields(request: web.Request) -> web.Response:
        caller = calling(request, "webhooks")
        fields = [
            {
                "id": int(field.id),
                "alias": field.alias,
                "name": field.name,
                "type": field.type,
                "pageId": 3 if field.custom else 2 if field.group == "job" else 1,
                "tableId": _TABLE_IDS.get(field.table or ""),
            }
            for field in FIELDS
            if "." not in field.id and not field.deprecated and caller.reads(field)
        ]
        return web.json_response({"fields": fields, "tables": _TABLES, "pages": _PAGES})

    return [
        web.get(f"{prefix}/webhooks", list_own),
        web.post(f"{prefix}/webhooks", create),
        web.get(f"{prefix}/webhooks/monitor_fields", monitor_fields),
        web.get(f"{prefix}/webhooks/post-fields", post_fields),
        web.get(f"{prefix}/webhooks/{{id}}", get),
        web.get(f"{prefix}/webhooks/{{id}}/log", log),
        web.put(f"{prefix}/webhooks/{{id}}", replace),
        web.delete(f"{prefix}/webhooks/{{id}}", delete),
    ]


def _writer(request: web.Request) -> Caller:
    return calling(request, "webhooks", "webhooks.write")


async def _body(request: web.Request) -> Any:
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise refused_webhook(400, "Invalid request body", issues=["The body is no JSON"]) from None
