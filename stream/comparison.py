"""Holds a mapping against what both vendors have now, with a client of each."""

from __future__ import annotations

from typing import NamedTuple

from stream.bamboohr.client import BambooHr
from stream.core import schemas
from stream.core.targets import Fault
from stream.errors import NotFound, RecordRefused
from stream.records import Mapping
from stream.zoho.client import ZohoBooks


class Compared(NamedTuple):
    """says: one sentence, also of what could not be compared."""

    says: str
    faults: list[Fault]


async def compared(mapping: Mapping, hr: BambooHr, books: ZohoBooks) -> Compared:
    """Raises what the clients raise."""
    kinds = {name: field.kind for field in await hr.fields() for name in (field.id, field.alias) if name}
    says = "The mapping goes well with BambooHR and Zoho Books."
    custom: dict[str, schemas.CustomField] | None = None
    try:
        custom = {field.api_name: field for field in await books.custom_fields()}
    except (RecordRefused, NotFound):  # whether every organization lists them is not documented
        says = "The mapping goes well with BambooHR; Zoho Books does not list its custom fields to compare with."
    faults = schemas.faults(mapping, kinds, custom)
    return Compared(f"The mapping has {len(faults)} faults." if faults else says, faults)
