"""Which fields a request may write, of which kind and length; and how a value of a body becomes one of a record.

Lengths are from Zoho's documents (contacts, contact persons); where those disagree, as on designation, the smaller one
holds. A key that is not listed here is dropped without a word, as the real service does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from stream.sandbox.zoho.quirks import ZohoQuirks
from stream.sandbox.zoho.refusals import Refused, invalid_value

PERSON_LENGTHS: Mapping[str, int] = {
    "salutation": 25,
    "first_name": 100,
    "last_name": 100,
    "email": 100,
    "phone": 50,
    "mobile": 50,
    "designation": 50,
    "department": 50,
    "skype": 50,
}
"""The text fields of a contact person; the contact shows those of its primary person as its own."""

ADDRESS_LENGTHS: Mapping[str, int] = {
    "attention": 100,
    "address": 500,
    "street2": 255,
    "state_code": 50,
    "city": 100,
    "state": 100,
    "zip": 50,
    "country": 100,
    "fax": 50,
    "phone": 50,
}

CONTACT_LENGTHS: Mapping[str, int] = {
    "contact_name": 200,
    "company_name": 200,
    "contact_number": 200,
    "legal_name": 200,
    "payment_terms_label": 200,
    "website": 200,
    "facebook": 100,
    "twitter": 100,
    "notes": 5000,
    **dict.fromkeys(
        (
            "language_code",
            "pricebook_id",
            "tax_id",
            "tds_tax_id",
            "tax_authority_id",
            "tax_authority_name",
            "tax_exemption_id",
            "tax_exemption_code",
            "tax_exemption_certificate_number",
            "tax_regime",
            "tax_treatment",
            "vat_treatment",
            "gst_treatment",
            "gst_no",
            "place_of_contact",
        ),
        100,
    ),
}
CUSTOMER_LENGTHS: Mapping[str, int] = {"customer_sub_type": 50, "owner_id": 50}
"""Fields that only a contact of type customer has."""

FLAGS = ("is_taxable", "is_tds_registered")
ADDRESSES = ("billing_address", "shipping_address")

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def text(value: object, field: str, length: int, quirks: ZohoQuirks) -> str:
    """A text of at most `length` characters; null means empty. Raises Refused for anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise invalid_value(field)
    if len(value) <= length:
        return value
    if quirks.too_long == "cut":
        return value[:length]
    raise Refused(400, 2, f"Invalid value passed for {field}: at most {length} characters")


def texts(body: Mapping[str, Any], lengths: Mapping[str, int], quirks: ZohoQuirks) -> dict[str, str]:
    """The fields of `lengths` that the body has."""
    return {
        field: text(body[field], field, length, quirks).strip() for field, length in lengths.items() if field in body
    }


def person_texts(body: Mapping[str, Any], quirks: ZohoQuirks) -> dict[str, str]:
    """The text fields of a contact person that the body has. An email must look like one."""
    given = texts(body, PERSON_LENGTHS, quirks)
    if given.get("email") and not _EMAIL.fullmatch(given["email"]):
        raise invalid_value("email")
    return given


def contact_values(body: Mapping[str, Any], contact_type: str, quirks: ZohoQuirks) -> dict[str, Any]:
    """Everything of a contact's own that the body has: not its type, persons, custom fields, tags or state."""
    values: dict[str, Any] = dict(texts(body, CONTACT_LENGTHS, quirks))
    if contact_type == "customer":
        values |= texts(body, CUSTOMER_LENGTHS, quirks)
        values |= _checked(body, ("credit_limit",), _number)
    values |= _checked(body, ("payment_terms",), _integer)
    values |= _checked(body, FLAGS, flag)
    for name in ADDRESSES:
        if name in body:
            values[name] = texts(mapping(body[name], name), ADDRESS_LENGTHS, quirks)
    return values


def flag(value: object, field: str) -> bool:
    if not isinstance(value, bool):
        raise invalid_value(field)
    return value


def mapping(value: object, field: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise invalid_value(field)
    return value


def mappings(value: object, field: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise invalid_value(field)
    return [mapping(item, field) for item in value]


def _number(value: object, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_value(field)
    return value


def _integer(value: object, field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid_value(field)
    return value


def _checked(
    body: Mapping[str, Any], names: tuple[str, ...], check: Callable[[object, str], object]
) -> dict[str, object]:
    return {name: check(body[name], name) for name in names if name in body}
