"""Employee and mapping -> desired contact."""

from __future__ import annotations

from stream.core.mapping import FIELDS, desired_contact, filled, with_activity
from stream.records import Mapping
from tests.small_world import person


def test_default_mapping_takes_the_legal_first_name_and_the_work_address() -> None:
    fields = person(" Ada@Acme.test ", preferredName="Addie", homeEmail="ada@home.test")
    contact = desired_contact(fields, Mapping(), active=True)
    assert contact.model_dump() == {
        "active": True,
        "contact_type": "vendor",
        "first_name": "Ada",
        "last_name": "Moreno",
        "email": "Ada@Acme.test",
        "designation": "Engineer",
        "department": "Operations",
        "custom_fields": {},
    }


def test_a_reading_asks_for_every_field_that_decides_something() -> None:
    assert set(FIELDS) >= {"firstName", "lastName", "workEmail", "jobTitle", "department"}
    assert {"status", "employmentHistoryStatus", "hireDate"} <= set(FIELDS)


def test_over_long_texts_are_cut_to_what_zoho_takes() -> None:
    contact = desired_contact(
        person(firstName="f" * 150, lastName="l" * 150, jobTitle="j" * 51, department="d" * 120), Mapping(), active=True
    )
    lengths = [
        len(text or "") for text in (contact.first_name, contact.last_name, contact.designation, contact.department)
    ]
    assert lengths == [100, 100, 50, 50]


def test_an_over_long_address_is_no_address_rather_than_another_one() -> None:
    assert desired_contact(person("a" * 92 + "@acme.test"), Mapping(), active=True).email is None
    assert desired_contact(person("a" * 90 + "@acme.test"), Mapping(), active=True).email == "a" * 90 + "@acme.test"


def test_a_withheld_field_is_unknown_and_an_empty_one_is_empty() -> None:
    fields = person(department="")
    del fields["jobTitle"]
    contact = desired_contact(fields, Mapping(), active=True)
    assert contact.designation is None
    assert contact.department == ""


def test_the_state_goes_to_a_custom_field_too_when_one_is_named() -> None:
    mapping = Mapping(state_field="cf_employment")
    active = desired_contact(person(), mapping, active=True)
    assert active.custom_fields == {"cf_employment": "Active"}
    left = with_activity(active, mapping, active=False, email=active.email)
    assert left.custom_fields == {"cf_employment": "Inactive"}
    assert not left.active


def test_what_is_unknown_is_taken_from_what_was_shown_and_nothing_else_is() -> None:
    shown = desired_contact(person(jobTitle="Engineer", department="Operations"), Mapping(), active=True)
    fields = person("", department="Sales")
    del fields["jobTitle"]
    contact = filled(desired_contact(fields, Mapping(), active=False), shown)
    assert (contact.designation, contact.department, contact.email) == ("Engineer", "Sales", "ada@acme.test")
    assert not contact.active
