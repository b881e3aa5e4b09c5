"""`/employees/{id}`, `/employees`, the change feed and the directory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from yarl import URL

from stream.sandbox.bamboohr import listing
from stream.sandbox.bamboohr.accounts import READ_SCOPES, Caller
from stream.sandbox.bamboohr.desk import Desk, calling, json_body
from stream.sandbox.bamboohr.fields import DIRECTORY_WORDS, RECORD_WORDS, find
from stream.sandbox.bamboohr.markup import (
    changed_xml,
    directory_xml,
    employee_fields,
    employee_xml,
    wants_json,
    xml_answer,
)
from stream.sandbox.bamboohr.reading import Reading
from stream.sandbox.bamboohr.refusals import Refused
from stream.sandbox.bamboohr.writing import meant

MAX_FIELDS = 400
_WRITE_SCOPES = ("employee.write", "employee", "employee:job", *(f"{s}.write" for s in READ_SCOPES if ":" in s))
_LIST_SCOPES = ("employee", "employee:name", "employee:job", "employee_directory", "sensitive_employee:protected_info")


def routes(desk: Desk, prefix: str) -> list[web.RouteDef]:
    company = desk.company

    async def read(request: web.Request) -> web.Response:
        caller = calling(request, *READ_SCOPES, "sensitive_employee:protected_info", "employee:job.write")
        asked = [name.strip() for name in _last(request, "fields").split(",") if name.strip()]
        if len(asked) > MAX_FIELDS:
            raise Refused(400, f"No more than {MAX_FIELDS} fields per request")
        employee_id = request.match_info["id"]
        if employee_id == "0":
            if caller.user.employee is None:
                return _record(request, {"id": "0"})
            employee_id = caller.user.employee
        ahead = _last(request, "onlyCurrent").lower() in ("false", "0")
        return _record(request, _values(desk, caller, employee_id, asked, ahead=ahead))

    async def create(request: web.Request) -> web.Response:
        caller = calling(request, *_WRITE_SCOPES)
        fields = await _submitted(request)
        if not caller.user.may_write:
            raise Refused(403, "No permission to add employees")
        employee_id = company.hire(_permitted(caller, fields, None))
        location = str(request.url.with_path(f"/{company.subdomain}/employees/{employee_id}"))
        answer = web.json_response(_values(desk, caller, employee_id, RECORD_WORDS), status=201)
        answer.headers["Location"] = location
        return answer

    async def update(request: web.Request) -> web.Response:
        caller = calling(request, *_WRITE_SCOPES)
        fields = await _submitted(request)
        employee_id = request.match_info["id"]
        company.employee(employee_id)
        if not caller.sees(employee_id) or not caller.user.may_write:
            raise Refused(403, "No permission to change this employee")
        company.change(employee_id, _permitted(caller, fields, employee_id))
        return web.json_response(_values(desk, caller, employee_id, RECORD_WORDS))

    async def delete(request: web.Request) -> web.Response:
        caller = calling(request, "employee.write")
        if caller.scopes is None or not caller.user.may_write:
            raise Refused(403, "Deleting takes an OAuth token with the scope employee.write")
        employee_id = request.match_info["id"]
        company.employee(employee_id)
        if not caller.sees(employee_id):
            raise Refused(403, "No permission to delete this employee")
        company.delete(employee_id)
        return web.Response(status=204)

    async def list_people(request: web.Request) -> web.Response:
        caller = calling(request, *_LIST_SCOPES)
        query = listing.parse(request.query.items())
        page = listing.page(company, caller, query)
        links = {"self": {"href": str(request.url)}}
        if page.next_cursor is not None:
            links["next"] = {"href": str(_turned(request.url, "after", page.next_cursor, query.limit))}
        if page.prev_cursor is not None:
            links["prev"] = {"href": str(_turned(request.url, "before", page.prev_cursor, query.limit))}
        pages = {"limit": query.limit, "nextCursor": page.next_cursor, "prevCursor": page.prev_cursor}
        return web.json_response({"data": page.rows, "meta": {"total": page.total, "page": pages}, "_links": links})

    async def changed(request: web.Request) -> web.Response:
        caller = calling(request, "public.user", "public.integration")
        since = _instant(_last(request, "since"))
        kind = _last(request, "type") or "all"
        if kind not in ("inserted", "updated", "deleted", "all"):
            raise Refused(400, "type must be inserted, updated, deleted or all")
        entries = {
            employee_id: {"id": employee_id, "action": change.action, "lastChanged": _iso(change.at)}
            for employee_id, change in company.changes.items()
            if change.at > since and kind in ("all", change.action.lower()) and caller.sees(employee_id)
        }
        latest = max((company.changes[employee_id].at for employee_id in entries), default=since)
        if not wants_json(request):
            return xml_answer(changed_xml(_iso(latest), entries))
        return web.json_response({"latest": _iso(latest), "employees": entries})

    async def directory(request: web.Request) -> web.Response:
        caller = calling(request, "employee_directory")
        if not company.directory_shared:
            raise Refused(403, "Directory disabled for this account")
        today = company.today().isoformat()
        only_current = _last(request, "onlyCurrent").lower() not in ("false", "0")
        words = [word for word in DIRECTORY_WORDS if (f := find(word)) and f.key not in caller.user.denied]
        people: list[dict[str, Any]] = []
        for employee in company.people.values():
            starts_later = employee.values.get("hireDate", "") > today
            listed = employee.values.get("status") == "Active" or (starts_later and not only_current)
            if listed and employee.id not in company.hidden and caller.sees(employee.id):
                reading = Reading(company, employee)
                shown = {word: reading.text(field) for word in words if (field := find(word)) is not None}
                people.append({"id": employee.id} | shown | {"canUploadPhoto": 1})
        if not people:
            raise Refused(404, "The directory is empty")
        columns = [_directory_field(word) for word in words]
        if not wants_json(request):
            return xml_answer(directory_xml(columns, people))
        return web.json_response({"fields": columns, "employees": people})

    return [
        web.get(f"{prefix}/employees", list_people),
        web.post(f"{prefix}/employees", create),
        web.get(f"{prefix}/employees/changed", changed),
        web.get(f"{prefix}/employees/directory", directory),
        web.get(f"{prefix}/employees/{{id}}", read),
        web.post(f"{prefix}/employees/{{id}}", update),
        web.delete(f"{prefix}/employees/{{id}}", delete),
    ]


def _values(
    desk: Desk, caller: Caller, employee_id: str, names: list[str] | tuple[str, ...], *, ahead: bool = False
) -> dict[str, Any]:
    """`id` and whatever of `names` exists and may be read, under the names as they were asked for."""
    employee = desk.company.employee(employee_id)
    if not caller.sees(employee_id):
        raise Refused(403, "No permission to view this employee")
    reading = Reading(desk.company, employee, ahead=ahead)
    values: dict[str, Any] = {"id": employee.id}
    for name in names:
        field = find(name)
        if field is None or not caller.reads(field, employee_id):
            continue
        value = reading.text(field)
        if value is None and field.type == "date" and desk.quirks.empty_date != "null":
            value = desk.quirks.empty_date
        values[name] = value
    return values


def _record(request: web.Request, values: dict[str, Any]) -> web.Response:
    return web.json_response(values) if wants_json(request) else xml_answer(employee_xml(values))


def _last(request: web.Request, name: str) -> str:
    """Of repeated keys the last one counts."""
    return request.query.getall(name, [""])[-1]


async def _submitted(request: web.Request) -> dict[str, Any]:
    """The body's names and values, from JSON or XML. Raises Refused 400."""
    if request.content_type in ("application/xml", "text/xml"):
        return employee_fields(await request.read())
    body = await json_body(request)
    if not isinstance(body, dict):
        raise Refused(400, "The body must be an object of fields")
    return body


def _permitted(caller: Caller, fields: dict[str, Any], employee_id: str | None) -> dict[str, Any]:
    """Without the fields that the caller may not see. Raises Refused 403 when none is left of those that exist."""
    known = meant(fields)
    allowed = {
        key: value for key, value in known.items() if (f := find(key)) is not None and caller.reads(f, employee_id)
    }
    if known and not allowed:
        raise Refused(403, "No permission to change any of these fields")
    return allowed


def _turned(url: URL, direction: str, cursor: str, limit: int) -> URL:
    kept = [(key, value) for key, value in url.query.items() if not key.startswith("page[")]
    return url.with_query([*kept, ("page[limit]", str(limit)), (f"page[{direction}]", cursor)])


def _instant(text: str) -> datetime:
    """An unescaped plus sign arrives as a space, which ISO 8601 does not know. Raises Refused 400."""
    try:
        parsed = datetime.fromisoformat(text if " " not in text else "")
    except ValueError:
        raise Refused(400, "since must be an ISO 8601 time") from None
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _directory_field(word: str) -> dict[str, str]:
    field = find(word)
    assert field is not None
    kind = {"photoUploaded": "bool", "canUploadPhoto": "bool", "photoUrl": "url", "supervisor": "employee"}
    return {"id": word, "type": kind.get(word, field.type), "name": field.name}
