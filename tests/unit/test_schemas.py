"""A mapping against the fields that both vendors have."""

from __future__ import annotations

from typing import Any

import pytest

from stream.core.schemas import CustomField, faults
from stream.records import Mapping

HR = {"firstName": "text", "department": "list", "hireDate": "date", "customCostCenter": "text", "4103": "text"}
CUSTOM = {
    one.api_name: one
    for one in (
        CustomField("cf_text", "string", unique=False),
        CustomField("cf_kind", "dropdown", ("Staff", "External")),
        CustomField("cf_day", "date"),
        CustomField("cf_count", "number"),
        CustomField("cf_key", "string", unique=True),
        CustomField("cf_untold", "string"),
    )
}


@pytest.mark.parametrize(
    ("mapping", "place", "told"),
    [
        ({"fields": {"phone": "workFone"}}, ("fields", "phone"), "BambooHR has no field workFone"),
        ({"fields": {"notes": {"text": "{town}"}}}, ("fields", "notes"), "no field town"),
        ({"name": "{nick}"}, ("name",), "no field nick"),
        ({"missing_email": "home email"}, ("missing_email",), "no field homeEmail"),
        ({"scope": ['department == "A"', 'divison == "B"']}, ("scope", 1), "no field divison"),
        (
            {"fields": {"cf_text": {"field": "department", "change": [{"date": "%Y"}]}}},
            ("fields", "cf_text"),
            "no date",
        ),
        (
            {"fields": {"cf_day": {"value": "tomorrow", "change": [{"date": "%Y-%m-%d"}]}}},
            ("fields", "cf_day"),
            "its value is no date",
        ),
        ({"fields": {"cf_nothing": "department"}}, ("fields", "cf_nothing"), "no such custom field"),
        ({"fields": {"cf_count": "4103"}}, ("fields", "cf_count"), "is of type number"),
        ({"fields": {"cf_day": "hireDate"}}, ("fields", "cf_day"), 'date = "%Y-%m-%d"'),
        ({"fields": {"cf_kind": "department"}}, ("fields", "cf_kind"), "is a list in Zoho Books"),
        ({"fields": {"cf_kind": {"value": "staff"}}}, ("fields", "cf_kind"), "'staff' is no option"),
        (
            {"fields": {"cf_kind": {"field": "department", "change": [{"table": {"X": "Extern"}, "other": "Staff"}]}}},
            ("fields", "cf_kind"),
            "'Extern' is no option",
        ),
        ({"fields": {"cf_key": "4103"}}, ("fields", "cf_key"), "takes each value once"),
        ({"match": "cf_nothing"}, ("match",), "no such custom field"),
        ({"match": "cf_text"}, ("match",), "prevent duplicate values"),
        ({"match": "cf_kind"}, ("match",), "it must be a text"),
        ({"state_field": "cf_nothing"}, ("state_field",), "no such custom field"),
        ({"state_field": "cf_kind"}, ("state_field",), "the options Active and Inactive"),
        ({"state_field": "cf_key"}, ("state_field",), "that many contacts may share"),
    ],
)
def test_each_misfit_is_told_with_its_place(mapping: dict[str, Any], place: tuple[Any, ...], told: str) -> None:
    (fault,) = faults(Mapping.model_validate(mapping), HR, CUSTOM)
    assert fault.place == place
    assert told in fault.says


def test_what_both_vendors_have_fits() -> None:
    mapping = Mapping.model_validate(
        {
            "name": "{firstName} ({id})",
            "fields": {
                "company_name": "customCostCenter",
                "cf_day": {"field": "hireDate", "change": [{"date": "%Y-%m-%d"}]},
                "cf_kind": {
                    "field": "department",
                    "change": [{"table": {"Board": "external"}, "other": "staff"}, "title"],
                },
                "cf_key": "id",
                "cf_text": {"text": "{hireDate}", "change": [{"date": "%d.%m.%Y"}]},
                "cf_untold": "4103",
                "notes": "supervisor",
            },
        }
    )
    assert faults(mapping, HR, CUSTOM) == []
    constant = {"cf_day": {"value": "2026-01-31", "change": [{"date": "%Y-%m-%d"}]}}
    assert faults(Mapping.model_validate({"fields": constant}), HR, CUSTOM) == []


def test_a_day_before_the_start_is_known_only_where_the_start_is() -> None:
    hidden = {name: kind for name, kind in HR.items() if name != "hireDate"}
    (fault,) = faults(Mapping(days_before_start=3), hidden, CUSTOM)
    assert (fault.place, "no field hireDate" in fault.says) == (("days_before_start",), True)


def test_custom_fields_that_zoho_does_not_list_are_not_missed() -> None:
    mapping = Mapping.model_validate({"state_field": "cf_a", "fields": {"cf_b": "workFone"}})
    (fault,) = faults(mapping, HR, None)
    assert "workFone" in fault.says
