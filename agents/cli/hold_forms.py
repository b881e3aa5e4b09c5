"""How holds are shown: people by their employee ids alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream.core.holds import Hold

COLUMNS = ("hold", "people", "state", "since", "what")


def shown(hold: Hold) -> dict[str, object]:
    """A hold in a list, for machines too."""
    return {
        "hold": hold.id,
        "kind": hold.kind,
        "people": list(hold.employees),
        "state": "rejected" if hold.rejected else "waiting",
        "since": None if hold.at is None else hold.at.isoformat(timespec="seconds"),
        "contact_id": hold.contact_id,
        "what": _what(hold),
    }


def row(hold: Hold) -> list[object]:
    told = shown(hold)
    told["people"] = ", ".join(hold.employees)
    return [told[column] or "" for column in COLUMNS]


def _what(hold: Hold) -> str:
    match hold.kind:
        case "leaver" if hold.rejected:
            return "left; the contact stays active until something newer is wanted, or this is approved"
        case "leaver":
            return "left with too many others; the contact stays active until this is approved"
        case "address":
            return "state one address; neither contact is touched until --holder says who has it"
        case "taken":
            return "another employee's contact shows the address; an approval tries once more"
