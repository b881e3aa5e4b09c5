"""One company in BambooHR: its people, its lists, what changed when, and what a change sets off.

The rules live here, without HTTP: hiring, changing, terminating, rehiring and deleting keep the record, the change feed
and the notices to webhooks in step. Invalid values are refused as the vendor refuses them. A change with a later date
waits, and takes effect (and is noticed) on its day; days are those of UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from stream.clock import Clock, SystemClock
from stream.sandbox.bamboohr import people
from stream.sandbox.bamboohr.employee import Employee, Planned
from stream.sandbox.bamboohr.fields import BY_KEY
from stream.sandbox.bamboohr.founding import founding_lists
from stream.sandbox.bamboohr.lists import ListField, edit
from stream.sandbox.bamboohr.notices import Change, Notice
from stream.sandbox.bamboohr.quirks import BambooHrQuirks
from stream.sandbox.bamboohr.refusals import Refused
from stream.sandbox.bamboohr.writing import understood

Listener = Callable[[Sequence[Notice]], None]


@dataclass
class Company:
    """people: by id. number: the numeric companyId of webhooks. hidden: who is left out of the directory.

    The sandbox that serves a company gives it its clock and quirks.
    """

    subdomain: str
    number: str = "9001"
    clock: Clock = field(default_factory=SystemClock)
    quirks: BambooHrQuirks = field(default_factory=BambooHrQuirks)
    people: dict[str, Employee] = field(default_factory=dict)
    lists: dict[str, ListField] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    directory_shared: bool = True

    def __post_init__(self) -> None:
        self._listeners: list[Listener] = []
        self._by_email: dict[str, set[str]] = {}
        self._managers: frozenset[str] | None = None
        self._waiting: set[str] = set()
        self._next_id = 1
        self.lists = self.lists or founding_lists()

    @classmethod
    def seeded(cls, subdomain: str, *, employees: int = 100, seed: int = 1, clock: Clock | None = None) -> Company:
        """A company with so many active people: ids 1..N, each with another's id as employee number."""
        company = cls(subdomain, clock=clock or SystemClock())
        options = {key: {o.name: str(o.id) for o in made.options.values()} for key, made in company.lists.items()}
        for values in people.invent(employees, seed):
            for key, ids in options.items():
                values[key] = ids[values[key]]
            hired = datetime.combine(date.fromisoformat(values["hireDate"]), time(9), tzinfo=UTC)
            values |= {
                "status": "Active",
                "originalHireDate": values["hireDate"],
                "employeeStatusDate": values["hireDate"],
                "jobInformationEffectiveDate": values["hireDate"],
            }
            company._admit(Employee(company._take_id(), {key: value for key, value in values.items() if value}, hired))
        return company

    def subscribe(self, listener: Listener) -> None:
        """Call `listener`, synchronously and in order, with the notices of each operation."""
        self._listeners.append(listener)

    def today(self) -> date:
        return self.clock.now().astimezone(UTC).date()

    def employee(self, employee_id: str) -> Employee:
        """Raises Refused 404 for unknown and for deleted people alike."""
        try:
            return self.people[employee_id]
        except KeyError:
            raise Refused(404, "Employee not found") from None

    def hire(self, fields: Mapping[str, Any]) -> str:
        """Add a person, with the fields of the vendor's API; their new id. Who starts later is Inactive until then."""
        written = understood(self, fields)
        if not written.get("firstName") or not written.get("lastName"):
            raise Refused(400, "firstName and lastName are required")
        self._check_email(written, None)
        at, today = self._now(), self.today()
        employee = Employee(self._take_id(), {}, at)
        values = dict(written)
        starts = date.fromisoformat(values["hireDate"]) if values.get("hireDate") else today
        values.setdefault("employeeNumber", str(int(employee.id) - 1))
        ended = self._is_terminated(values)
        values.setdefault("status", "Inactive" if starts > today or ended else "Active")
        if starts > today and not ended:
            self._plan(employee, Planned(starts, {"status": "Active"}))
        if values.get("hireDate"):
            values.setdefault("originalHireDate", values["hireDate"])
        employee.values = {key: value for key, value in values.items() if value}
        self._admit(employee)
        self._tell([Notice("created", employee.id, at), *self._updates(employee.id, set(employee.values), at)])
        return employee.id

    def change(self, employee_id: str, fields: Mapping[str, Any], *, effective: date | None = None) -> None:
        """Change fields of a person, now or on a later day. Unknown fields do nothing, as with the vendor."""
        employee = self.employee(employee_id)
        written = understood(self, fields, employee_id)
        self._check_email(written, employee)
        values = self._with_consequences(employee, written, effective)
        day = effective
        if day is None and self._is_terminated(values) and values.get("terminationDate"):
            day = date.fromisoformat(values["terminationDate"])
        if day is not None and day > self.today():
            self._plan(employee, Planned(day, values))
            self._note(employee, self._now())
        else:
            self._tell(self._put(employee, values))

    def terminate(self, employee_id: str, on: date | None = None) -> None:
        """End the employment: `employmentHistoryStatus` Terminated, `status` Inactive, today or on a later day."""
        day = on or self.today()
        self.change(employee_id, {"employmentHistoryStatus": "Terminated", "terminationDate": day.isoformat()})

    def rehire(self, employee_id: str, on: date | None = None) -> None:
        """Take a leaver back, today or on a later day."""
        day = on or self.today()
        self.change(employee_id, {"employmentHistoryStatus": "Full-Time", "hireDate": day.isoformat()}, effective=day)

    def delete(self, employee_id: str) -> None:
        """Remove the record for good."""
        employee = self.employee(employee_id)
        self._index_email(employee, "")
        del self.people[employee_id]
        self._waiting.discard(employee_id)
        self._managers = None
        at = self._now()
        self.changes[employee_id] = Change("Deleted", at)
        self._tell([Notice("deleted", employee_id, at)])

    def take_effect(self) -> None:
        """Apply, in order of their days, the planned changes whose day has come."""
        today = self.today()
        ripe = [employee_id for employee_id in self._waiting if self.people[employee_id].planned[0].effective <= today]
        for employee in [self.people[employee_id] for employee_id in sorted(ripe, key=int)]:
            while employee.planned and employee.planned[0].effective <= today:
                self._tell(self._put(employee, employee.planned.pop(0).values))
            if not employee.planned:
                self._waiting.discard(employee.id)

    def edit_list(self, key: str, options: Sequence[Mapping[str, Any]]) -> None:
        """Edit a list as `PUT /meta/lists/{fieldId}` does. Those who hold a renamed option show the new name."""
        at = self._now()
        edited = edit(self.lists[key], options, at, self.quirks)
        notices: list[Notice] = []
        for employee in self._holders(key, edited.dropped):
            notices += self._put(employee, {key: ""})
        if self.quirks.renamed_option == "fires":
            for employee in self._holders(key, edited.renamed):
                self._note(employee, at)
                notices += self._updates(employee.id, {key}, at)
        self._tell(notices)

    def managers(self) -> frozenset[str]:
        """Ids of everybody to whom somebody reports."""
        if self._managers is None:
            self._managers = frozenset(
                e.values["supervisorId"] for e in self.people.values() if "supervisorId" in e.values
            )
        return self._managers

    def option_name(self, key: str, option_id: str) -> str:
        """The name behind a stored option id; empty for none."""
        option = self.lists[key].options.get(int(option_id)) if option_id else None
        return option.name if option else ""

    def _holders(self, key: str, options: frozenset[int]) -> Iterator[Employee]:
        held = {str(option) for option in options}
        return (employee for employee in list(self.people.values()) if held and employee.values.get(key) in held)

    def _with_consequences(
        self, employee: Employee, values: Mapping[str, str], effective: date | None
    ) -> dict[str, str]:
        """What changes with these: the flag and the end date with the employment status, the dates of histories."""
        full = dict(values)
        day = (effective or self.today()).isoformat()
        if "employmentHistoryStatus" in full:
            full["employeeStatusDate"] = full.get("terminationDate") or day
            if self._is_terminated(full):
                full.setdefault("status", "Inactive")
                full.setdefault("terminationDate", day)
            elif self._is_terminated(employee.values) or self._is_terminated(employee.latest()):
                full.setdefault("status", "Active")
                full.setdefault("terminationDate", "")
        if any(BY_KEY[key].table == "jobInfo" for key in full):
            full["jobInformationEffectiveDate"] = day
        return full

    def _is_terminated(self, values: Mapping[str, str]) -> bool:
        status = values.get("employmentHistoryStatus", "")
        return self.option_name("employmentHistoryStatus", status) == "Terminated"

    def _plan(self, employee: Employee, planned: Planned) -> None:
        employee.planned.append(planned)
        employee.planned.sort(key=lambda one: one.effective)
        self._waiting.add(employee.id)

    def _put(self, employee: Employee, values: Mapping[str, str]) -> list[Notice]:
        """Write values that are valid; the notices that follow. Writing what is there already is no change."""
        changed = {key for key, value in values.items() if employee.values.get(key, "") != value}
        if not changed:
            return []
        if "workEmail" in changed:
            self._index_email(employee, values["workEmail"])
        for key in changed:
            if values[key]:
                employee.values[key] = values[key]
            else:
                employee.values.pop(key, None)
        at = self._now()
        self._note(employee, at)
        return self._updates(employee.id, changed, at)

    def _updates(self, employee_id: str, changed: set[str], at: datetime) -> list[Notice]:
        """One notice for the standard fields, one for the custom ones (BambooHR, event-based webhooks)."""
        if "supervisorId" in changed:
            changed = changed | {"reportsTo"}
        order = sorted(changed & BY_KEY.keys(), key=list(BY_KEY).index)
        groups = ([k for k in order if not BY_KEY[k].custom], [k for k in order if BY_KEY[k].custom])
        return [Notice("updated", employee_id, at, tuple(group)) for group in groups if group]

    def _note(self, employee: Employee, at: datetime) -> None:
        self._managers = None
        employee.changed_at = at
        self.changes[employee.id] = Change("Updated", at)

    def _admit(self, employee: Employee) -> None:
        self.people[employee.id] = employee
        self._managers = None
        self.changes[employee.id] = Change("Inserted", employee.changed_at)
        if email := employee.values.get("workEmail"):
            self._by_email.setdefault(email.casefold(), set()).add(employee.id)

    def _index_email(self, employee: Employee, email: str) -> None:
        if before := employee.values.get("workEmail"):
            self._by_email[before.casefold()].discard(employee.id)
        if email:
            self._by_email.setdefault(email.casefold(), set()).add(employee.id)

    def _check_email(self, written: Mapping[str, str], employee: Employee | None) -> None:
        email = written.get("workEmail")
        if not email or self.quirks.duplicate_email == "accepted":
            return
        others = self._by_email.get(email.casefold(), set()) - {employee.id if employee else ""}
        if self.quirks.duplicate_email == "refused among active":
            others = {other for other in others if self.people[other].values.get("status") == "Active"}
        if others:
            raise Refused(409, "Duplicate email")

    def _take_id(self) -> str:
        employee_id, self._next_id = str(self._next_id), self._next_id + 1
        return employee_id

    def _now(self) -> datetime:
        return self.clock.now().astimezone(UTC)

    def _tell(self, notices: Sequence[Notice]) -> None:
        if notices:
            for listener in self._listeners:
                listener(notices)
