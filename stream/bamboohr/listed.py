"""What BambooHR's list of everybody shows of the fields that a reading of one employee asks for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from stream.bamboohr.client import PageMoved
from stream.core.mapping import FIELDS

LISTED_AS = {
    "jobTitle": "jobTitleName",
    "department": "departmentName",
    "division": "divisionName",
    "location": "locationName",
    "employmentHistoryStatus": "employmentStatusName",
}
"""Field -> its name in the list, where that is another one (BambooHR API, list employees)."""
ID = "id"
READINGS = 5
"""So often the list is begun anew when it changes under us."""
MOVES = f"BambooHR's list changed each of the {READINGS} times it was read, or ended early"


def must_be_whole(people: int, total: int | None) -> None:
    """Of a list at its end. Raises PageMoved where it showed fewer people than BambooHR says there are."""
    if people < (total or 0):
        raise PageMoved("BambooHR's list ended before everybody was on it; it is read anew.")


def must_go_on(new: Collection[str], following: str | None) -> None:
    """Of a page. Raises PageMoved where it promises more and brings nobody who was not on the list before: its cursors
    may go round for ever.
    """
    if following is not None and not new:
        raise PageMoved("BambooHR's list repeats people and has no end; it is read anew.")


class Listed:
    """The fields that are wanted, in the list's own vocabulary."""

    def __init__(self, wanted: Sequence[str]) -> None:
        self._listed = {name: LISTED_AS.get(name, name) for name in wanted if name != ID}
        self._with_id = ID in wanted

    @property
    def names(self) -> tuple[str, ...]:
        """What to ask the list for."""
        return tuple(self._listed.values())

    def shown(self, employee: str, row: Mapping[str, str]) -> dict[str, str]:
        """What a reading of this one alone would have held: a field that is withheld here is absent there too."""
        found = {name: row[listed] for name, listed in self._listed.items() if listed in row}
        return {ID: employee, **found} if self._with_id else found

    def tells_all(self, shown: Mapping[str, str]) -> bool:
        """Not every field is in the list, and one that is not looks there as if it were withheld."""
        return all(name in shown for name in self._listed if name not in FIELDS)
