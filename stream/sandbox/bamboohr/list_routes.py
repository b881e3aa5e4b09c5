"""`/meta/fields` and `/meta/lists`."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from stream.sandbox.bamboohr.desk import Desk, calling, json_body
from stream.sandbox.bamboohr.fields import FIELDS, Field
from stream.sandbox.bamboohr.lists import ListField
from stream.sandbox.bamboohr.markup import fields_xml, list_options, list_xml, lists_xml, wants_json, xml_answer
from stream.sandbox.bamboohr.refusals import Refused


def routes(desk: Desk, prefix: str) -> list[web.RouteDef]:
    async def fields(request: web.Request) -> web.Response:
        calling(request, "field", "employee")
        shown = [_field_json(field) for field in FIELDS]
        return web.json_response(shown) if wants_json(request) else xml_answer(fields_xml(shown))

    async def lists(request: web.Request) -> web.Response:
        if not calling(request, "field").user.may_see_fields:
            raise Refused(403, "No permission to view employee fields")
        shown = [one.to_json(desk.quirks) for one in desk.company.lists.values()]
        return web.json_response(shown) if _asks_json(request) else xml_answer(lists_xml(shown))

    async def edit(request: web.Request) -> web.Response:
        caller = calling(request, "field.write")
        target = _list_of(desk, request.match_info["field_id"])
        if not caller.user.may_edit_lists:
            raise Refused(403, "No permission to edit this list")
        desk.company.edit_list(target.key, await _submitted(request))
        shown = target.to_json(desk.quirks)
        if _asks_json(request):
            return web.json_response(shown)
        return xml_answer(list_xml(shown), content_type="text/xml")

    return [
        web.get(f"{prefix}/meta/fields", fields),
        web.get(f"{prefix}/meta/lists", lists),
        web.put(f"{prefix}/meta/lists/{{field_id}}", edit),
    ]


def _field_json(field: Field) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": int(field.id) if field.id.removeprefix("-").isdecimal() else field.id,
        "name": field.name,
        "type": field.type,
    }
    if field.alias is not None:
        shown["alias"] = field.alias
    if field.deprecated:
        shown["deprecated"] = True
    return shown


def _asks_json(request: web.Request) -> bool:
    return wants_json(request) or request.query.get("format") == "json"


def _list_of(desk: Desk, field_id: str) -> ListField:
    """By the field's id; the list's own id is another number and finds nothing."""
    for one in desk.company.lists.values():
        if str(one.field_id) == field_id:
            return one
    raise Refused(404, "No list field has this id")


async def _submitted(request: web.Request) -> list[dict[str, Any]]:
    if request.content_type in ("text/xml", "application/xml"):
        return list_options(await request.read())
    body = await json_body(request)
    options = body.get("options") if isinstance(body, dict) else None
    if not isinstance(options, list) or not options or not all(isinstance(option, dict) for option in options):
        raise Refused(400, "options must be an array of objects")
    return options
