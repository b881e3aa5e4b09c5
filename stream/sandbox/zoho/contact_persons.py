"""The calls on contact persons.

The answers to a create and an update carry `contact_person` as a list of one, the answer to a get as an object: so say
Zoho's documents.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from stream.sandbox.zoho.bodies import read_body
from stream.sandbox.zoho.contact import Contact, ContactPerson
from stream.sandbox.zoho.listing import PER_PAGE, count
from stream.sandbox.zoho.operations import Operation
from stream.sandbox.zoho.organization import Organization
from stream.sandbox.zoho.refusals import answer, does_not_exist

ALL = "/contacts/contactpersons"
ONE = ALL + r"/{contact_person_id:\d+}"
OF_CONTACT = r"/contacts/{contact_id:\d+}/contactpersons"


class ContactPersonCalls:
    """Answers for the contact persons of one organization."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    def operations(self) -> list[Operation]:
        one_of_contact = OF_CONTACT + r"/{contact_person_id:\d+}"
        return [
            Operation("contact_persons.create", "POST", ALL, "contacts.CREATE", self._create),
            Operation("contact_persons.list_all", "GET", ALL, "contacts.READ", self._list_all),
            Operation("contact_persons.update", "PUT", ONE, "contacts.UPDATE", self._update),
            Operation("contact_persons.delete", "DELETE", ONE, "contacts.DELETE", self._delete),
            Operation("contact_persons.get_any", "GET", ONE, "contacts.READ", self._get),
            Operation("contact_persons.make_primary", "POST", f"{ONE}/primary", "contacts.CREATE", self._make_primary),
            Operation("contact_persons.list", "GET", OF_CONTACT, "contacts.READ", self._list),
            Operation("contact_persons.get", "GET", one_of_contact, "contacts.READ", self._get),
        ]

    async def _create(self, request: web.Request) -> web.Response:
        contact, person = self._organization.add_person(await read_body(request))
        shown = [self._organization.answers.person(contact, person)]
        return answer({"code": 0, "message": "The contact person has been added.", "contact_person": shown}, status=201)

    async def _update(self, request: web.Request) -> web.Response:
        contact_person_id = request.match_info["contact_person_id"]
        contact, person = self._organization.update_person(contact_person_id, await read_body(request))
        shown = [self._organization.answers.person(contact, person)]
        return answer({"code": 0, "message": "The contact person has been saved.", "contact_person": shown})

    async def _delete(self, request: web.Request) -> web.Response:
        self._organization.delete_person(request.match_info["contact_person_id"])
        return answer({"code": 0, "message": "The contact person has been deleted."})

    async def _make_primary(self, request: web.Request) -> web.Response:
        self._organization.make_primary(request.match_info["contact_person_id"])
        return answer({"code": 0, "message": "The contact person is now the primary one."})

    async def _get(self, request: web.Request) -> web.Response:
        contact, person = self._organization.person(request.match_info["contact_person_id"])
        if request.match_info.get("contact_id", contact.contact_id) != contact.contact_id:
            raise does_not_exist("Contact Person")
        shown = self._organization.answers.person(contact, person)
        return answer({"code": 0, "message": "success", "contact_person": shown})

    async def _list(self, request: web.Request) -> web.Response:
        contact = self._organization.contact(request.match_info["contact_id"])
        return self._page(request, [(contact, person) for person in contact.persons.values()])

    async def _list_all(self, request: web.Request) -> web.Response:
        contacts = self._organization.contacts.values()
        return self._page(request, [(contact, person) for contact in contacts for person in contact.persons.values()])

    def _page(self, request: web.Request, persons: Sequence[tuple[Contact, ContactPerson]]) -> web.Response:
        page, per_page = count(request.query, "page", 1), min(count(request.query, "per_page", PER_PAGE), PER_PAGE)
        shown = persons[(page - 1) * per_page : page * per_page]
        context = {
            "page": page,
            "per_page": per_page,
            "has_more_page": len(persons) > page * per_page,
            "sort_column": "contact_person_id",
            "sort_order": "A",
        }
        rows = [self._organization.answers.person(contact, person) for contact, person in shown]
        return answer({"code": 0, "message": "success", "contact_persons": rows, "page_context": context})
