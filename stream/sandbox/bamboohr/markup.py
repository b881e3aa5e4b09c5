"""The older endpoints' two faces: XML unless `Accept` names application/json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

from aiohttp import web

from stream.sandbox.bamboohr.refusals import Refused


def wants_json(request: web.Request) -> bool:
    """BambooHR, response format: JSON only when `Accept` names it; `*/*` does not."""
    accepted = ",".join(request.headers.getall("Accept", []))
    return any(kind.partition(";")[0].strip().lower() == "application/json" for kind in accepted.split(","))


def xml_answer(root: ET.Element, *, content_type: str = "application/xml", status: int = 200) -> web.Response:
    body = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return web.Response(body=body, status=status, content_type=content_type, charset="utf-8")


def text_of(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def employee_xml(values: Mapping[str, Any]) -> ET.Element:
    root = ET.Element("employee", id=values["id"])
    for name, value in values.items():
        if name != "id":
            ET.SubElement(root, "field", id=name).text = text_of(value)
    return root


def fields_xml(fields: Iterable[Mapping[str, Any]]) -> ET.Element:
    root = ET.Element("fields")
    for field in fields:
        attributes = {key: text_of(field[key]) for key in ("id", "type", "alias", "deprecated") if key in field}
        ET.SubElement(root, "field", attributes).text = field["name"]
    return root


def lists_xml(lists: Iterable[Mapping[str, Any]]) -> ET.Element:
    root = ET.Element("lists")
    root.extend(list_xml(one) for one in lists)
    return root


def list_xml(one: Mapping[str, Any]) -> ET.Element:
    names = ("id", "fieldId", "alias", "manageable", "multiple")
    root = ET.Element("list", {key: text_of(one[key]) for key in names if key in one})
    ET.SubElement(root, "name").text = one["name"]
    options = ET.SubElement(root, "options")
    for option in one["options"]:
        shown = {key: text_of(value) for key, value in option.items() if key not in ("name", "frequency")}
        ET.SubElement(options, "option", shown).text = option["name"]
    return root


def directory_xml(fields: Iterable[Mapping[str, str]], employees: Iterable[dict[str, Any]]) -> ET.Element:
    root = ET.Element("directory")
    fieldset = ET.SubElement(root, "fieldset")
    for field in fields:
        ET.SubElement(fieldset, "field", id=field["id"], type=field["type"]).text = field["name"]
    people = ET.SubElement(root, "employees")
    for values in employees:
        people.append(employee_xml(values | {"canUploadPhoto": "yes" if values["canUploadPhoto"] else "no"}))
    return root


def changed_xml(latest: str, employees: Mapping[str, Mapping[str, str]]) -> ET.Element:
    root = ET.Element("employees")
    ET.SubElement(root, "latest").text = latest
    for entry in employees.values():
        ET.SubElement(root, "employee", dict(entry))
    return root


def parsed(body: bytes) -> ET.Element:
    """Raises Refused 400 for what is no XML."""
    try:
        return ET.fromstring(body)  # noqa: S314 - the sandbox parses what its own user sends it
    except ET.ParseError:
        raise Refused(400, "Malformed XML") from None


def employee_fields(body: bytes) -> dict[str, Any]:
    """`<employee><field id="firstName">Ada</field></employee>` as names and values."""
    return {field.get("id", ""): field.text or "" for field in parsed(body).iter("field")}


def list_options(body: bytes) -> list[dict[str, Any]]:
    """`<options><option id="3" archived="no">Sales</option></options>` as the JSON body has it."""
    options: list[dict[str, Any]] = []
    for element in parsed(body).iter("option"):
        option: dict[str, Any] = {"value": element.text} if element.text else {}
        if (option_id := element.get("id")) is not None:
            option["id"] = int(option_id) if option_id.isdecimal() else option_id
        if (archived := element.get("archived")) is not None:
            option["archived"] = archived
        options.append(option)
    return options
