"""The calls on contacts."""

from __future__ import annotations

from aiohttp import web

from stream.sandbox.zoho.bodies import read_body
from stream.sandbox.zoho.listing import ContactList
from stream.sandbox.zoho.operations import Operation
from stream.sandbox.zoho.organization import Organization
from stream.sandbox.zoho.refusals import answer, invalid_value

ONE = r"/contacts/{contact_id:\d+}"


class ContactCalls:
    """Answers for the contacts of one organization."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self._list = ContactList(organization)

    def operations(self) -> list[Operation]:
        return [
            Operation("contacts.create", "POST", "/contacts", "contacts.CREATE", self._create),
            Operation("contacts.list", "GET", "/contacts", "contacts.READ", self._page),
            Operation("contacts.delete_several", "DELETE", "/contacts", "contacts.DELETE", self._delete_several),
            Operation("contacts.get", "GET", ONE, "contacts.READ", self._get),
            Operation("contacts.update", "PUT", ONE, "contacts.UPDATE", self._update),
            Operation("contacts.upsert", "PUT", "/contacts", "contacts.UPDATE", self._upsert),
            Operation("contacts.delete", "DELETE", ONE, "contacts.DELETE", self._delete),
            # Zoho Books API, contacts: marking active or inactive needs CREATE, not UPDATE.
            Operation("contacts.activate", "POST", f"{ONE}/active", "contacts.CREATE", self._activate),
            Operation("contacts.deactivate", "POST", f"{ONE}/inactive", "contacts.CREATE", self._deactivate),
        ]

    async def _create(self, request: web.Request) -> web.Response:
        contact = self._organization.create(await read_body(request))
        shown = self._organization.answers.contact(contact)
        return answer({"code": 0, "message": "The contact has been added.", "contact": shown}, status=201)

    async def _page(self, request: web.Request) -> web.Response:
        return answer({"code": 0, "message": "success", **self._list.page(request.query)})

    async def _get(self, request: web.Request) -> web.Response:
        contact = self._organization.contact(request.match_info["contact_id"])
        return answer({"code": 0, "message": "success", "contact": self._organization.answers.contact(contact)})

    async def _update(self, request: web.Request) -> web.Response:
        contact = self._organization.update(request.match_info["contact_id"], await read_body(request))
        shown = self._organization.answers.contact(contact)
        return answer({"code": 0, "message": "Contact information has been saved.", "contact": shown})

    async def _upsert(self, request: web.Request) -> web.Response:
        key = request.headers.get("X-Unique-Identifier-Key", "").strip()
        value = request.headers.get("X-Unique-Identifier-Value", "").strip()
        if not key or not value:
            raise invalid_value("X-Unique-Identifier-Value" if key else "X-Unique-Identifier-Key")
        creates = request.headers.get("X-Upsert", "").strip().lower() == "true"
        contact, made = self._organization.upsert(key, value, await read_body(request), creates=creates)
        shown = self._organization.answers.contact(contact)
        status = self._organization.quirks.upsert_created if made else 200
        message = "The contact has been added." if made else "Contact information has been saved."
        return answer({"code": 0, "message": message, "contact": shown}, status=status)

    async def _delete(self, request: web.Request) -> web.Response:
        (contact,) = self._organization.delete([request.match_info["contact_id"]])
        return answer({"code": 0, "message": f"The {contact.contact_type} has been deleted."})

    async def _delete_several(self, request: web.Request) -> web.Response:
        contact_ids = [one.strip() for one in request.query.get("contact_ids", "").split(",") if one.strip()]
        if not contact_ids:
            raise invalid_value("contact_ids")
        self._organization.delete(contact_ids)
        return answer({"code": 0, "message": "The contacts have been deleted."})

    async def _activate(self, request: web.Request) -> web.Response:
        self._organization.set_active(request.match_info["contact_id"], active=True)
        return answer({"code": 0, "message": "The contact has been marked as active."})

    async def _deactivate(self, request: web.Request) -> web.Response:
        self._organization.set_active(request.match_info["contact_id"], active=False)
        return answer({"code": 0, "message": "The contact has been marked as inactive."})
