"""The call that lists the custom fields of contacts."""

from __future__ import annotations

from aiohttp import web

from stream.sandbox.zoho.operations import Operation
from stream.sandbox.zoho.organization import Organization
from stream.sandbox.zoho.refusals import answer, invalid_value


class FieldCalls:
    """Answers about the one organization's definitions."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    def operations(self) -> list[Operation]:
        return [Operation("fields.list", "GET", "/settings/fields", "settings.READ", self._list)]

    async def _list(self, request: web.Request) -> web.Response:
        if request.query.get("entity") != "contact":
            raise invalid_value("entity")
        tells_unique = self._organization.quirks.unique_fields == "told"
        listed = self._organization.custom_fields.listed(tells_unique=tells_unique)
        return answer({"code": 0, "message": "success", "fields": listed})
