"""Whatever a mapping says that passes the checks, and whatever BambooHR has of people: Zoho Books takes the contact."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.codec import canonical
from stream.core import schemas, targets
from stream.core.contact import body_to_create, writes
from stream.core.mapping import desired_contact, fields_to_read, filled
from stream.core.schemas import CustomField
from stream.records import DesiredContact, Mapping
from stream.sandbox.zoho import CustomField as Definition
from stream.sandbox.zoho.organization import Organization
from stream.sandbox.zoho.quirks import ZohoQuirks
from stream.zoho import models
from tests.fake_clock import FakeClock

DEFINED = (
    Definition("cf_text", "Text"),
    Definition("cf_list", "List", "dropdown", ("Staff", "External")),
    Definition("cf_day", "Day", "date"),
    Definition("cf_key", "Key", unique=True),
    Definition("cf_number", "Number", "number"),
    Definition("cf_state", "State", "dropdown", ("Active", "Inactive")),
)
CUSTOM = {one.api_name: CustomField(one.api_name, one.data_type, one.options, one.unique) for one in DEFINED}
HR = {
    "firstName": "text",
    "lastName": "text",
    "jobTitle": "list",
    "city": "text",
    "hireDate": "date",
    "homeEmail": "email",
    "workEmail": "email",
    "4103": "text",
}
TEXTS = (
    "",
    " ",
    "Ada",
    "a  b",
    "x" * 300,
    "ß" * 60,
    "Zoë\n",
    "2026-02-30",
    "2026-01-31",
    "0999-12-01",
    "9 {x}",
    "Staff",
)
ADDRESSES = ("ada@acme.test", " Ada@Acme.test ", "", "n/a", "@", "a b@c", "x" * 120 + "@a.test")

fields = st.sampled_from([*HR, "id"])
changes = st.sampled_from(
    [
        *("trim", "upper", "lower", "title"),
        *({"cut": 1}, {"cut": 60}, {"date": "%Y-%m-%d"}, {"date": "%d.%m.%y"}),
        *({"table": {"Ada": "Staff"}, "other": "External"}, {"table": {"Ada": "Bob", "": "none"}}),
    ]
)
sources = st.one_of(
    fields,
    st.builds(lambda field, change: {"field": field, "change": change}, fields, st.lists(changes, max_size=3)),
    st.sampled_from(["Staff", "staff", "", "x" * 200]).map(lambda value: {"value": value}),
    st.sampled_from(["{city}, {jobTitle}", "{id}/{4103}"]).map(lambda text: {"text": text}),
)
named = st.dictionaries(
    st.sampled_from([*targets.LIMITS, *CUSTOM, "cf_unknown", "email"]), sources, min_size=2, max_size=9
)
settings_of_mappings = st.fixed_dictionaries(
    {
        "state_field": st.sampled_from([None, "cf_state", "cf_text", "cf_day"]),
        "name": st.sampled_from([None, "{lastName}, {firstName}", "{city}", "{id} {4103}"]),
        "missing_email": st.sampled_from(["skip", "home email", "placeholder"]),
        "leavers": st.sampled_from(["inactive", "leave"]),
        "contact_type": st.sampled_from(["vendor", "customer"]),
    }
)


def passing(parts: dict[str, Any], fields: dict[str, Any]) -> Mapping:
    """Without what the checks object to."""
    if parts["missing_email"] == "placeholder":
        parts = {**parts, "placeholder": "hr-{id}@acme.test"}
    while True:
        mapping = Mapping.model_validate({**parts, "fields": fields})
        found = [*targets.faults(mapping), *schemas.faults(mapping, HR, CUSTOM)]
        if not found:
            return mapping
        wrong = {fault.place[:2] for fault in found}
        fields = {name: source for name, source in fields.items() if ("fields", name) not in wrong}
        parts = {name: value for name, value in parts.items() if (name,) not in wrong}


mappings = st.builds(passing, settings_of_mappings, named)
records = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(TEXTS) for name in HR if "Email" not in name}
).flatmap(
    lambda record: st.fixed_dictionaries(
        {}, optional={"workEmail": st.sampled_from(ADDRESSES), "homeEmail": st.sampled_from(ADDRESSES)}
    ).map(lambda addresses: {**record, **addresses})
)


def organization() -> Organization:
    found = Organization("1", name="A", zone=ZoneInfo("UTC"), quirks=ZohoQuirks(), clock=FakeClock())
    for field in DEFINED:
        found.define_custom_field(field)
    return found


def with_id(record: dict[str, str], employee: str) -> dict[str, str]:
    return {**record, "id": employee}


@settings(max_examples=150)
@given(mappings, st.lists(st.tuples(records, st.booleans()), min_size=1, max_size=3), records)
def test_a_mapping_that_passes_the_checks_makes_contacts_that_zoho_accepts_and_then_shows(
    mapping: Mapping, people: list[tuple[dict[str, str], bool]], later: dict[str, str]
) -> None:
    zoho = organization()
    for number, (record, active) in enumerate(people, 1):
        employee = str(number)
        desired = desired_contact(with_id(record, employee), mapping, active=True)
        shown = zoho.answers.contact(zoho.create(body_to_create(desired, employee)))
        assert writes(desired, models.contact(shown), employee).none, "what was sent is shown"
        changed = filled(desired_contact(with_id(later, employee), mapping, active=active), desired, mapping)
        wanted = writes(changed, models.contact(shown), employee)
        if wanted.update is not None:
            shown = zoho.answers.contact(zoho.update(shown["contact_id"], wanted.update))
        assert writes(changed, models.contact(shown), employee).update is None, "one update is enough"


def told(desired: DesiredContact) -> dict[str, str]:
    shown = desired.model_dump(exclude={"active", "contact_type", "custom_fields"})
    return {**{name: text for name, text in shown.items() if text is not None}, **desired.custom_fields}


@settings(max_examples=150)
@given(mappings, records, st.data())
def test_a_withheld_field_never_changes_a_target_let_alone_blanks_it(
    mapping: Mapping, record: dict[str, str], data: st.DataObject
) -> None:
    withheld = data.draw(st.sets(st.sampled_from(sorted(record)), max_size=4) if record else st.just(set()))
    full = desired_contact(record, mapping, active=True)
    part = {name: text for name, text in record.items() if name not in withheld}
    for name, text in told(desired_contact(part, mapping, active=True)).items():
        assert text == told(full)[name]
    assert told(filled(desired_contact(part, mapping, active=True), full, mapping)) == told(full)


@settings(max_examples=50)
@given(mappings, records, st.randoms())
def test_the_same_person_under_the_same_mapping_is_the_same_bytes(
    mapping: Mapping, record: dict[str, str], random: Any
) -> None:
    def shuffled(given: dict[str, Any]) -> dict[str, Any]:
        return dict(random.sample(list(given.items()), len(given)))

    again = Mapping.model_validate_json(canonical(mapping.model_copy(update={"fields": shuffled(mapping.fields)})))
    assert canonical(again) == canonical(mapping)
    assert sorted(fields_to_read(again)) == sorted(fields_to_read(mapping))
    one, other = (desired_contact(shuffled(record), each, active=True) for each in (mapping, again))
    assert canonical(one) == canonical(other)
