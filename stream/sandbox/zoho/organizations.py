"""The calls on organizations. The user of this sandbox has one."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from stream.sandbox.zoho.operations import Operation
from stream.sandbox.zoho.organization import Organization
from stream.sandbox.zoho.refusals import answer, no_such_url

_EVERYWHERE: dict[str, Any] = {
    "contact_name": "",
    "email": "",
    "is_default_org": True,
    "language_code": "en",
    "fiscal_year_start_month": 0,
    "is_org_active": True,
    "currency_id": "460000000000000097",
    "currency_code": "USD",
    "currency_symbol": "$",
    "currency_format": "###,##0.00",
    "price_precision": 2,
}
_IN_LIST: dict[str, Any] = {
    "plan_type": 0,
    "plan_name": "PROFESSIONAL",
    "plan_period": "Monthly",
    "tax_group_enabled": False,
    "zi_migration_status": 0,
}
_ALONE: dict[str, Any] = {
    "date_format": "dd MMM yyyy",
    "field_separator": " ",
    "company_id_label": "Company ID",
    "tax_id_label": "Tax ID",
    "address": dict.fromkeys(("street_address1", "street_address2", "city", "state", "country", "zip"), ""),
    "custom_fields": [],
    **dict.fromkeys(
        (
            "industry_type",
            "industry_size",
            "company_id_value",
            "tax_id_value",
            "org_address",
            "remit_to_address",
            "phone",
            "fax",
            "website",
        ),
        "",
    ),
}


class OrganizationCalls:
    """Answers about the one organization."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    def operations(self) -> list[Operation]:
        one = r"/organizations/{organization_id:\d+}"
        return [
            Operation(
                "organizations.list", "GET", "/organizations", "settings.READ", self._list, organization_needed=False
            ),
            Operation("organizations.get", "GET", one, "settings.READ", self._get, organization_needed=False),
        ]

    async def _list(self, _request: web.Request) -> web.Response:
        created = self._organization.created.astimezone(self._organization.zone)
        row = {
            **self._shown(),
            **_IN_LIST,
            "account_created_date_formatted": created.strftime("%d %b %Y"),
        }
        return answer({"code": 0, "message": "success", "organizations": [row]})

    async def _get(self, request: web.Request) -> web.Response:
        if request.match_info["organization_id"] != self._organization.organization_id:
            raise no_such_url()
        return answer({"code": 0, "message": "success", "organization": {**self._shown(), **_ALONE}})

    def _shown(self) -> dict[str, Any]:
        organization = self._organization
        return {
            **_EVERYWHERE,
            "organization_id": organization.organization_id,
            "name": organization.name,
            "time_zone": organization.zone.key,
            "account_created_date": organization.created.astimezone(organization.zone).strftime("%Y-%m-%d"),
        }
