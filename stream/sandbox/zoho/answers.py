"""Contacts, list rows and contact persons as answers show them: every documented property, empty where unknown."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from stream.sandbox.zoho.contact import Contact, ContactPerson
from stream.sandbox.zoho.custom_fields import CustomFields
from stream.sandbox.zoho.fields import ADDRESS_LENGTHS, CONTACT_LENGTHS, CUSTOMER_LENGTHS, PERSON_LENGTHS

_MAILED = (
    "invoice",
    "estimate",
    "creditnote",
    "purchaseorder",
    "salesorder",
    "retainerinvoice",
    "paymentthankyou",
    "retainerinvoice_paymentthankyou",
)
_TEMPLATES = dict.fromkeys(
    (
        f"{kind}_template_id"
        for kind in (
            *_MAILED,
            *(f"{kind}_email" for kind in _MAILED),
            "statement",
            "payment_remittance_email",
            "bill",
        )
    ),
    "",
)
_ADDRESS = dict.fromkeys(ADDRESS_LENGTHS, "")
_PERSON = dict.fromkeys(PERSON_LENGTHS, "")
_AMOUNTS = {
    f"{amount}_{side}_amount{suffix}": 0
    for amount in ("outstanding", "unused_credits")
    for side in ("receivable", "payable")
    for suffix in ("", "_bcy")
}
_CURRENCY = {"currency_id": "460000000000000097", "currency_code": "USD", "currency_symbol": "$"}
_TERMS = {"payment_terms": 0, "payment_terms_label": "Due on Receipt"}
_CONTACT: dict[str, Any] = {
    **dict.fromkeys(CONTACT_LENGTHS, ""),
    **dict.fromkeys(CUSTOMER_LENGTHS, ""),
    **_TERMS,
    **_CURRENCY,
    **_AMOUNTS,
    "credit_limit": 0,
    "is_taxable": True,
    "is_tds_registered": False,
    "tax_name": "",
    "tax_percentage": 0,
    "is_linked_with_zohocrm": False,
    "ignore_auto_number_generation": False,
    "opening_balances": [],
    "payment_reminder_enabled": True,
    "default_templates": _TEMPLATES,
    "tags": [],
}


class Answers:
    """Shows what one organization holds, in its time zone and with its custom fields."""

    def __init__(self, zone: ZoneInfo, custom_fields: CustomFields) -> None:
        self._zone = zone
        self._custom_fields = custom_fields

    def time(self, moment: datetime) -> str:
        """To the second, with an offset without a colon."""
        return moment.astimezone(self._zone).strftime("%Y-%m-%dT%H:%M:%S%z")

    def contact(self, contact: Contact) -> dict[str, Any]:
        """The whole contact. The fields of its primary person are shown as its own too."""
        return {
            **_CONTACT,
            **contact.values,
            **_mirrored(contact, _PERSON),
            **{side: {**_ADDRESS, **contact.values.get(side, {})} for side in ("billing_address", "shipping_address")},
            "contact_id": contact.contact_id,
            "contact_type": contact.contact_type,
            "status": "active" if contact.active else "inactive",
            "has_transaction": contact.has_transaction,
            "primary_contact_id": contact.primary_contact_id,
            "is_portal_enabled": any(person.enable_portal for person in contact.persons.values()),
            "contact_persons": [self.person(contact, person) for person in contact.persons.values()],
            "custom_fields": self._custom_fields.shown(contact.custom),
            "custom_field_hash": self._custom_fields.hashed(contact.custom),
            "created_time": self.time(contact.created),
            "last_modified_time": self.time(contact.modified),
        }

    def row(self, contact: Contact) -> dict[str, Any]:
        """A row of the list: no persons; custom fields flattened and hashed."""
        flat = self._custom_fields.hashed(contact.custom)
        return {
            **_AMOUNTS,
            **_CURRENCY,
            **{name: contact.values.get(name, default) for name, default in _TERMS.items()},
            **_mirrored(contact, ("first_name", "last_name", "email", "phone", "mobile")),
            **flat,
            "contact_id": contact.contact_id,
            "contact_name": contact.name,
            "company_name": contact.values.get("company_name", ""),
            "contact_number": contact.values.get("contact_number", ""),
            "contact_type": contact.contact_type,
            "status": "active" if contact.active else "inactive",
            "custom_fields": self._custom_fields.shown(contact.custom),
            "custom_field_hash": flat,
            "tags": [],
            "created_time": self.time(contact.created),
            "last_modified_time": self.time(contact.modified),
        }

    def person(self, contact: Contact, person: ContactPerson) -> dict[str, Any]:
        return {
            **_PERSON,
            **person.texts,
            "contact_id": contact.contact_id,
            "contact_person_id": person.contact_person_id,
            "is_primary_contact": person.contact_person_id == contact.primary_contact_id,
            "enable_portal": person.enable_portal,
            "is_added_in_portal": person.enable_portal,
            "communication_preference": {
                "is_sms_enabled": False,
                "is_whatsapp_enabled": False,
                **person.communication_preference,
            },
        }


def _mirrored(contact: Contact, names: Iterable[str]) -> dict[str, str]:
    return {name: contact.text_of_primary(name) for name in names}
