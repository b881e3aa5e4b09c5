"""Desired against actual -> the calls that are needed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream.core.contact import (
    ActualContact,
    ContactPerson,
    ContactRow,
    adoptable,
    body_to_create,
    display_names,
    email_key,
    not_kept,
    renamed,
    writes,
)
from stream.core.mapping import desired_contact
from stream.records import ContactId, DesiredContact, Mapping, Source
from tests.small_world import person

ADA = {
    "first_name": "Ada",
    "last_name": "Moreno",
    "email": "ada@acme.test",
    "designation": "Engineer",
    "department": "Operations",
}


def desired(*, active: bool = True, mapping: Mapping | None = None, **fields: str) -> DesiredContact:
    return desired_contact(person() | fields, mapping or Mapping(), active=active)


def actual(name: str = "Ada Moreno", *others: ContactPerson, active: bool = True, **fields: str) -> ActualContact:
    shown = {**ADA, **fields}
    primary = ContactPerson("p1", True, **shown, raw={"contact_person_id": "p1", **shown, "phone": "+44 1"})
    return ActualContact(ContactId("460"), name, "vendor", active, (primary, *others))


def row(number: int, *, kind: str = "vendor", active: bool = True) -> ContactRow:
    return ContactRow(ContactId(str(number)), "n", kind, active, "ada@acme.test", "", "")


@pytest.mark.parametrize("spelling", ["ada@acme.test", " Ada@Acme.test ", "ADA@ACME.TEST\n"])
def test_case_and_surrounding_space_make_no_other_address(spelling: str) -> None:
    assert email_key(spelling) == "ada@acme.test"


def test_a_plus_address_is_another_address() -> None:
    assert email_key("ada+zoho@acme.test") != email_key("ada@acme.test")


def test_nothing_is_written_to_a_contact_that_shows_the_person_already() -> None:
    assert writes(desired(), actual(), "1").none


def test_a_changed_title_is_one_update_that_keeps_all_else_of_all_persons() -> None:
    other = ContactPerson("p2", False, first_name="Bob", raw={"contact_person_id": "p2", "first_name": "Bob", "x": 1})
    found = writes(desired(jobTitle="Lead"), actual("Ada Moreno", other), "1")
    assert found.update == {
        "contact_persons": [
            {"contact_person_id": "p1", **ADA, "designation": "Lead", "phone": "+44 1", "is_primary_contact": True},
            {"contact_person_id": "p2", "first_name": "Bob"},
        ]
    }
    assert found.changes == {"designation": ("Engineer", "Lead")}


def test_portal_access_is_never_sent_back() -> None:
    raw = {"contact_person_id": "p2", "first_name": "Bob", "is_portal_enabled": True, "enable_portal": True}
    found = writes(desired(jobTitle="Lead"), actual("Ada Moreno", ContactPerson("p2", False, raw=raw)), "1")
    assert found.update is not None
    assert found.update["contact_persons"][1] == {"contact_person_id": "p2", "first_name": "Bob"}


def test_a_field_that_is_withheld_is_left_as_it_is() -> None:
    wish = desired().model_copy(update={"department": None})
    assert writes(wish, actual(department="Elsewhere"), "1").none


def test_the_display_name_follows_the_person_while_it_is_made_of_the_name() -> None:
    found = writes(desired(lastName="Lovelace"), actual(), "1")
    assert found.update is not None
    assert found.update["contact_name"] == "Ada Lovelace"
    second = writes(desired(lastName="Lovelace"), actual("Ada Moreno (1)"), "1")
    assert second.update is not None
    assert second.update["contact_name"] == "Ada Lovelace (1)"


def test_a_display_name_given_by_hand_stays() -> None:
    found = writes(desired(lastName="Lovelace"), actual("Moreno Consulting"), "1")
    assert found.update is not None
    assert "contact_name" not in found.update


def test_the_second_choice_of_a_name_is_made_of_the_names_that_are_sent() -> None:
    wish = desired(lastName="Lovelace").model_copy(update={"first_name": None})
    found = writes(wish, actual(), "1")
    assert found.update is not None
    assert renamed(found.update, wish, "1")["contact_name"] == "Ada Lovelace (1)"


def test_display_names_fit_zoho_and_are_never_empty() -> None:
    first, second = display_names("f" * 100, "l" * 100, "17")
    assert len(first) == len(second) == 200
    assert second.endswith(" (17)")
    assert display_names(" ", None, "17") == ("Employee 17",)


def test_a_leaver_is_only_made_inactive_and_a_rehire_active() -> None:
    left = writes(desired(active=False), actual(), "1")
    assert (left.deactivate, left.activate, left.update) == (True, False, None)
    assert left.changes == {"status": ("active", "inactive")}
    back = writes(desired(), actual(active=False), "1")
    assert (back.deactivate, back.activate, back.update) == (False, True, None)


def test_the_state_field_is_written_when_it_differs_and_only_then() -> None:
    wish = desired(mapping=Mapping(state_field="cf_state"))
    found = writes(wish, actual(), "1")
    assert found.update is not None
    assert found.update["custom_fields"] == [{"api_name": "cf_state", "value": "Active"}]
    assert writes(wish, replace(actual(), custom_fields={"cf_state": "Active"}), "1").none


def test_a_contact_without_persons_gets_the_person() -> None:
    bare = replace(actual(), persons=())
    found = writes(desired(), bare, "1")
    assert found.update is not None
    assert found.update["contact_persons"] == [{**ADA, "is_primary_contact": True}]


def test_a_new_contact_carries_the_person_as_primary_and_the_type() -> None:
    body = body_to_create(desired(mapping=Mapping(contact_type="customer", state_field="cf_s")), "1")
    assert body == {
        "contact_name": "Ada Moreno",
        "contact_type": "customer",
        "contact_persons": [{**ADA, "is_primary_contact": True}],
        "custom_fields": [{"api_name": "cf_s", "value": "Active"}],
    }
    assert body_to_create(desired(), "1", plain_name=False)["contact_name"] == "Ada Moreno (1)"


def test_adoption_prefers_our_type_then_active_then_the_oldest() -> None:
    rows = [row(9, kind="customer"), row(4, active=False), row(12), row(7), row(3, kind="customer")]
    found = []
    while rows:
        best = adoptable(rows, desired())
        assert best is not None
        found.append(best.contact_id)
        rows.remove(best)
    assert found == ["7", "12", "4", "3", "9"]
    assert adoptable([], desired()) is None


CENTRE = Mapping(fields={"cf_c": Source(field="location"), "notes": Source(value="")})


def centre(value: str | None, **own: str) -> ActualContact:
    return replace(actual(), custom_fields={} if value is None else {"cf_c": value}, own=own)


@pytest.mark.parametrize(
    ("sent", "before", "after", "fields"),
    [
        ("Oslo", centre(None), centre("Oslo"), ()),
        ("Oslo", None, centre("Oslo"), ()),
        ("Oslo", None, centre("OSLO "), ()),
        ("Oslo", None, centre(None), ("cf_c",)),
        ("Oslo", centre("Sofia"), centre(None), ("cf_c",)),
        ("Oslo", centre("Sofia"), centre("Sofia"), ("cf_c",)),
        ("Oslo", centre("Sofia"), centre("Something"), ()),
        ("+44 20 1", centre("+44201"), centre("+44201"), ()),
        ("R&D", centre("R&amp;D"), centre("R&amp;D"), ()),
        ("acme.test", centre("http://acme.test"), centre("http://acme.test"), ()),
        ("100", centre("10"), centre("10"), ("cf_c",)),
        ("x" * 60, centre("x" * 50), centre("x" * 50), ()),
        ("", centre("Sofia"), centre("Sofia"), ("cf_c",)),
        ("", centre("Sofia"), centre("0.00"), ()),
        ("", centre("0.00"), centre("0.00"), ()),
        ("", None, centre("filled in by Zoho"), ()),
        ("Oslo", centre("Oslo", notes="old"), centre("Oslo", notes="old"), ("notes",)),
        ("Oslo", replace(centre("Oslo"), active=False), replace(centre("Oslo"), active=False), ()),
        ("Oslo", centre("Oslo"), replace(centre("Oslo"), persons=()), tuple(sorted(ADA))),
    ],
)
def test_a_field_was_not_kept_if_it_is_empty_or_shows_what_it_did_before(
    sent: str, before: ActualContact | None, after: ActualContact, fields: tuple[str, ...]
) -> None:
    assert not_kept(desired(mapping=CENTRE, location=sent), before, after, "1") == fields


@pytest.mark.parametrize("own", [{"notes": "old"}, {}])
def test_an_update_names_all_persons_whatever_it_changes(own: dict[str, str]) -> None:
    other = ContactPerson("2", False, email="desk@acme.test", raw={"email": "desk@acme.test"})
    shown = replace(actual(), persons=(*actual().persons, other), own=own)
    found = writes(desired(mapping=Mapping(fields={"notes": Source(value="new")})), shown, "1")
    assert found.changes == {"notes": (own.get("notes"), "new")}
    assert found.update is not None
    first, second = found.update["contact_persons"]
    assert first.items() >= ADA.items()
    assert second == {"contact_person_id": "2", "email": "desk@acme.test"}
