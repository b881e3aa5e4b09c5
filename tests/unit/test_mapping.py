"""Employee and mapping -> desired contact."""

from __future__ import annotations

from stream.codec import canonical, fingerprint
from stream.core.mapping import FIELDS, desired_contact, fields_to_read, filled, with_activity
from stream.records import EmployeeId, Mapping
from tests.small_world import SmallWorld, person


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
    contact = filled(desired_contact(fields, Mapping(), active=False), shown, Mapping())
    assert (contact.designation, contact.department, contact.email) == ("Engineer", "Sales", "ada@acme.test")
    assert not contact.active


COST_CENTRES = Mapping.model_validate(
    {
        "name": "{lastName}, {firstName}",
        "fields": {
            "first_name": "preferredName",
            "phone": "workPhone",
            "company_name": {"value": "Acme"},
            "cf_cost_center": {"field": "customCostCenter", "change": ["trim", "upper", {"cut": 6}]},
            "cf_hired": {"field": "hireDate", "change": [{"date": "%d.%m.%Y"}]},
            "cf_site": {"text": "{city} / {country}"},
            "cf_kind": {
                "field": "employmentHistoryStatus",
                "change": [{"table": {"Contractor": "External"}, "other": "Staff"}],
            },
        },
    }
)


def test_a_mapping_sends_fields_constants_patterns_and_changed_texts_where_it_says() -> None:
    fields = person(
        preferredName="Addie", workPhone=" +44 20 ", customCostCenter=" ops-42-north", city="Leeds", country="UK"
    )
    contact = desired_contact(fields, COST_CENTRES, active=True)
    assert (contact.first_name, contact.last_name, contact.phone) == ("Addie", "Moreno", "+44 20")
    assert (contact.contact_name, contact.company_name) == ("Moreno, Ada", "Acme")
    assert contact.custom_fields == {
        "cf_cost_center": "OPS-42",
        "cf_hired": "01.01.2020",
        "cf_site": "Leeds / UK",
        "cf_kind": "Staff",
    }


def test_a_reading_asks_for_what_the_mapping_names_and_by_default_for_no_more() -> None:
    assert fields_to_read(Mapping()) == FIELDS
    wide = COST_CENTRES.model_copy(
        update={"missing_email": "placeholder", "placeholder": "{id}@acme.test", "scope": ('division == "North"',)}
    )
    more = ("preferredName", "workPhone", "customCostCenter", "city", "country", "id", "division")
    assert fields_to_read(wide) == (*FIELDS, *more)


def test_a_target_whose_source_is_withheld_is_not_known_whatever_is_done_to_it() -> None:
    fields = person(city="Leeds", hireDate="soon")
    del fields["employmentHistoryStatus"]
    contact = desired_contact(fields, COST_CENTRES, active=True)
    assert contact.custom_fields == {}  # no country, no cost centre, a hire date that is none
    assert contact.first_name is None


def test_an_empty_source_makes_an_empty_target_even_through_a_table() -> None:
    contact = desired_contact(person(employmentHistoryStatus="", hireDate=""), COST_CENTRES, active=True)
    assert (contact.custom_fields["cf_kind"], contact.custom_fields["cf_hired"]) == ("", "")


def test_what_was_shown_stays_known_only_while_the_mapping_sets_it() -> None:
    fields = person(preferredName="Addie", workPhone="1", customCostCenter="ops")
    shown = desired_contact(fields, COST_CENTRES, active=True)
    withheld = filled(desired_contact(person(), COST_CENTRES, active=True), shown, COST_CENTRES)
    assert (withheld.phone, withheld.custom_fields["cf_cost_center"]) == ("1", "OPS")
    dropped = filled(desired_contact(person(), Mapping(), active=True), shown, Mapping())
    assert (dropped.phone, dropped.contact_name, dropped.custom_fields) == (None, None, {})


def test_a_target_that_is_left_alone_is_never_written_and_what_was_shown_is_forgotten() -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.settle()
    (contact,) = world.zoho.contacts.values()
    (shown,) = contact.persons.values()
    world.remap(Mapping.model_validate({"fields": {"department": False}}))
    world.truth[EmployeeId("1")] = person(department="Sales", jobTitle="Lead")
    world.settle()
    (shown,) = contact.persons.values()
    assert (shown["department"], shown["designation"]) == ("Operations", "Lead")
    shown["department"] = "By hand"
    world.insist()
    world.settle()
    assert next(iter(contact.persons.values()))["department"] == "By hand"
    assert world.tables.people[EmployeeId("1")].shown.department is None  # type: ignore[union-attr]


def test_a_missing_work_email_is_replaced_as_the_mapping_says_and_a_withheld_one_is_not() -> None:
    home = Mapping(missing_email="home email")
    made = Mapping(missing_email="placeholder", placeholder="hr-{id}@acme.test")
    for missing in ("", "n/a", "x" * 95 + "@a.test"):
        fields = person(missing, homeEmail="ada@home.test", id="7")
        assert desired_contact(fields, Mapping(), active=True).email is None
        assert desired_contact(fields, home, active=True).email == "ada@home.test"
        assert desired_contact(fields, made, active=True).email == "hr-7@acme.test"
    withheld = person(None, homeEmail="ada@home.test", id="7")
    assert desired_contact(withheld, home, active=True).email is None
    assert desired_contact(withheld, made, active=True).email is None
    assert desired_contact(person("", homeEmail="none"), home, active=True).email is None


def test_a_leaver_who_is_left_alone_is_neither_active_nor_inactive() -> None:
    mapping = Mapping(leavers="leave", state_field="cf_state")
    left = desired_contact(person(), mapping, active=False)
    assert (left.active, left.custom_fields) == (None, {"cf_state": "Inactive"})
    assert desired_contact(person(), mapping, active=True).active is True


def test_a_mapping_and_a_wish_without_the_newer_parts_are_written_as_they_were_before_there_were_any() -> None:
    assert canonical(Mapping()) == b'{"contact_type":"vendor","state_field":null}'
    assert fingerprint(Mapping()) == "1b98d06de3ab87fcedc610bfc0b4367e"
    wish = desired_contact(person(), Mapping(), active=True)
    assert canonical(wish) == (
        b'{"active":true,"contact_type":"vendor","custom_fields":{},"department":"Operations",'
        b'"designation":"Engineer","email":"ada@acme.test","first_name":"Ada","last_name":"Moreno"}'
    )
    assert Mapping.model_validate_json(canonical(COST_CENTRES)) == COST_CENTRES
