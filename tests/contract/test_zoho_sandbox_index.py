"""However contacts change, the Zoho sandbox finds by index what a walk through all of them would find."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stream.sandbox.zoho.listing import ContactList
from stream.sandbox.zoho.organization import Organization
from stream.sandbox.zoho.quirks import ZohoQuirks
from tests.contract.zoho_caller import ManualClock

EMAILS = ("", "a@example.test", "A@Example.test", "b@example.test")
NAMES = ("Ada", "ada", "Bo")
persons = st.lists(
    st.fixed_dictionaries(
        {"first_name": st.just("P"), "email": st.sampled_from(EMAILS), "is_primary_contact": st.booleans()}
    ),
    max_size=3,
)


class Changes(RuleBasedStateMachine):
    """Every way in which contacts change, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        zone = ZoneInfo("UTC")
        self.organization = Organization("1", name="Any", zone=zone, quirks=ZohoQuirks(), clock=self.clock)
        self.list = ContactList(self.organization)

    def any_contact(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.organization.contacts)))

    def has_contacts(self) -> bool:
        return bool(self.organization.contacts)

    def has_persons(self) -> bool:
        return any(contact.persons for contact in self.organization.contacts.values())

    def any_person(self, data: st.DataObject) -> str:
        every = (person for contact in self.organization.contacts.values() for person in contact.persons)
        return data.draw(st.sampled_from(sorted(every)))

    @rule(name=st.sampled_from(NAMES), given=persons)
    def create(self, name: str, given: list[dict[str, Any]]) -> None:
        self.organization.create({"contact_name": name, "contact_persons": given})

    @precondition(has_contacts)
    @rule(data=st.data(), name=st.sampled_from(NAMES), given=persons)
    def update(self, data: st.DataObject, name: str, given: list[dict[str, Any]]) -> None:
        self.organization.update(self.any_contact(data), {"contact_name": name, "contact_persons": given})

    @precondition(has_contacts)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        self.organization.delete([self.any_contact(data)])

    @precondition(has_persons)
    @rule(data=st.data())
    def make_primary(self, data: st.DataObject) -> None:
        self.organization.make_primary(self.any_person(data))

    @precondition(has_persons)
    @rule(data=st.data())
    def delete_person(self, data: st.DataObject) -> None:
        self.organization.delete_person(self.any_person(data))

    @invariant()
    def lookups_agree_with_a_walk(self) -> None:
        self.clock.advance(1)
        every = list(self.organization.contacts.values())
        for email in EMAILS[1:]:
            walked = {one.contact_id for one in every if one.text_of_primary("email").lower() == email.lower()}
            assert self.ids(email=email) == walked
            assert self.ids(email_contains=email) == walked
        assert {one.contact_id for one in self.organization.book.with_name("ADA")} == {
            one.contact_id for one in every if one.name.lower() == "ada"
        }
        for contact in every:
            assert (contact.primary is None) == (not contact.persons)
            assert all(self.organization.person(person)[0] is contact for person in contact.persons)
        changed = [row["contact_id"] for row in self.page(sort_column="last_modified_time")]
        assert changed == [one.contact_id for one in sorted(every, key=lambda one: one.modified)]

    def page(self, **query: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.list.page(query)["contacts"]
        return rows

    def ids(self, **query: str) -> set[str]:
        return {row["contact_id"] for row in self.page(**query)}


TestChanges = Changes.TestCase
TestChanges.settings = settings(max_examples=25, stateful_step_count=20)
