"""What a mapping may say."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from stream.core.targets import faults
from stream.records import Mapping


@pytest.mark.parametrize(
    ("mapping", "place", "told"),
    [
        ({"fields": {"departmnet": "department"}}, ("fields", "departmnet"), "did you mean department?"),
        ({"fields": {"iban": "bankAccount"}}, ("fields", "iban"), "a custom field (cf_…)"),
        ({"fields": {"email": "homeEmail"}}, ("fields", "email"), "missing_email"),
        ({"fields": {"contact_name": "firstName"}}, ("fields", "contact_name"), "is set by `name`"),
        ({"fields": {"cf_a": "city", "cf_A": "country"}}, ("fields", "cf_A"), "is set by cf_a already"),
        ({"state_field": "cf_a", "fields": {"cf_a": "city"}}, ("fields", "cf_a"), "is set by state_field already"),
        ({"state_field": "department"}, ("state_field",), "the API name of a custom field"),
        ({"match": "phone"}, ("match",), "a custom field that no two contacts share"),
        ({"match": "cf_a", "state_field": "cf_a"}, ("match",), "is set by state_field already"),
        ({"match": "cf_a", "fields": {"cf_A": "id"}}, ("fields", "cf_A"), "is set by match already"),
        ({"fields": {"cf_a": "city,salary"}}, ("fields", "cf_a"), "must name a BambooHR field"),
        ({"fields": {"cf_a": ""}}, ("fields", "cf_a"), "must name a BambooHR field"),
        ({"fields": {"cf_a": {"text": "{city} {"}}}, ("fields", "cf_a", "text"), "fields in braces"),
        ({"fields": {"cf_a": {"text": "{a b}"}}}, ("fields", "cf_a", "text"), "{a b} is no name"),
        ({"fields": {"cf_a": {"text": "{}"}}}, ("fields", "cf_a", "text"), "{} is no name"),
        ({"fields": {"cf_a": {"text": "{city} {cf_b}"}, "cf_b": "city"}}, ("fields", "cf_a"), "in circles"),
        ({"fields": {"cf_a": "cf_a"}}, ("fields", "cf_a"), "in circles"),
        ({"name": "Somebody"}, ("name",), "fields in braces"),
        (
            {"fields": {"cf_a": {"field": "hireDate", "change": ["trim", {"date": "%B %d"}]}}},
            ("fields", "cf_a", "change", 1),
            "%d.%m.%Y",
        ),
        ({"fields": {"cf_a": {"field": "city", "change": [{"table": {}}]}}}, ("fields", "cf_a", "change", 0), "empty"),
        ({"missing_email": "placeholder"}, ("missing_email",), "needs a pattern beside it"),
        ({"placeholder": "{id}@acme.test"}, ("placeholder",), "counts only with"),
        ({"missing_email": "placeholder", "placeholder": "hr@acme.test"}, ("placeholder",), "{id}"),
        ({"missing_email": "placeholder", "placeholder": "{id}{city}@acme.test"}, ("placeholder",), "no other"),
        ({"missing_email": "placeholder", "placeholder": "{id}" + "x" * 90 + "@a.b"}, ("placeholder",), "an address"),
        ({"scope": ['city == "Leeds"', "city = 1"]}, ("scope", 1), "the expression is wrong at character 6"),
    ],
)
def test_each_fault_is_told_with_its_place(mapping: dict[str, Any], place: tuple[str | int, ...], told: str) -> None:
    (fault,) = faults(Mapping.model_validate(mapping))
    assert fault.place == place
    assert told in fault.says


def test_a_mapping_without_fault_has_none() -> None:
    mapping = {
        "name": "{firstName} {lastName}",
        "missing_email": "placeholder",
        "placeholder": "hr-{id}@acme.test",
        "state_field": "cf_state",
        "fields": {"cf_cost_center": "4101", "notes": {"text": "{city}, {country}", "change": ["upper", {"cut": 40}]}},
        "scope": 'department != "Board"',
    }
    assert faults(Mapping.model_validate(mapping)) == []
    assert faults(Mapping()) == []


def test_the_mapping_that_the_readme_shows_has_no_fault() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (shown,) = [block for block in readme.split("```toml")[1:] if "[mapping.fields]" in block.partition("```")[0]]
    mapping = Mapping.model_validate(tomllib.loads(shown.partition("```")[0])["mapping"])
    assert mapping.fields["cf_cost_center"].field == "customCostCenter"
    assert faults(mapping) == []
