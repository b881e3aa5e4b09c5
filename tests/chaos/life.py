"""Random changes in a company, the same for the same seed: each one carries the next number in the last name."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Collection

from stream.records import EmployeeId
from stream.sandbox.bamboohr import people
from stream.sandbox.bamboohr.company import Company

SHARES = {
    "hire": 20,
    "edit": 26,
    "burst": 10,
    "move": 8,
    "swap addresses": 8,
    "share an address": 6,
    "stop sharing": 6,
    "take over from a leaver": 4,
    "leave": 8,
    "rehire": 6,
    "delete": 4,
}
"""How often each happens, in relation to the others."""
BURST = (3, 6)
FEWEST = 6
"""People who are there before anything but hiring happens."""
NOT_ASKED = ("employeeNumber", "supervisorId")


class Life:
    """whose: number of a change -> whose state it is. changes: how many there were."""

    def __init__(self, company: Company, seed: int, kinds: Collection[str] = ()) -> None:
        """kinds: what happens, of SHARES; all of it when none are named."""
        self.whose: dict[int, EmployeeId] = {}
        self.changes = 0
        self._company = company
        self._shares = {kind: share for kind, share in SHARES.items() if not kinds or kind in kinds}
        self._rng = random.Random(f"life {seed}")
        self._newcomers = people.invent(100_000, seed)
        self._moves = 0

    def happen(self) -> str:
        """One random thing happens, which may be several changes; its name."""
        kind = self._kind() if len(self._active) >= FEWEST else "hire"
        deeds: dict[str, Callable[[], None]] = {
            "hire": self.hire,
            "edit": lambda: self._edit(self._anybody()),
            "burst": self._burst,
            "move": lambda: self._move(self._one(self._active)),
            "swap addresses": self._swap,
            "share an address": self._share,
            "stop sharing": self._stop_sharing,
            "take over from a leaver": self._take_over,
            "leave": lambda: self._leave(self._one(self._active)),
            "rehire": self._rehire,
            "delete": lambda: self._delete(self._anybody()),
        }
        deeds[kind]()
        return kind

    def _kind(self) -> str:
        return self._rng.choices(list(self._shares), list(self._shares.values()))[0]

    def hire(self) -> None:
        fields = {k: v for k, v in next(self._newcomers).items() if v and k not in NOT_ASKED and k != "workEmail"}
        self.changes += 1
        number = self.changes
        fields |= {"lastName": self._stamped(fields["lastName"]), "workEmail": self._address()}
        self.whose[number] = EmployeeId(self._company.hire(fields))

    def end_sharing(self) -> None:
        """Everybody who is active gets an address of their own: what then must be in Zoho is beyond doubt."""
        while self._shared():
            self._stop_sharing()

    # -- what happens to one ------------------------------------------------------------------------------------------

    def _edit(self, employee: str) -> None:
        options = list(self._company.lists["jobTitle"].options.values())
        self._change(employee, {"jobTitle": self._rng.choice(options).name} if self._rng.random() < 0.5 else {})

    def _burst(self) -> None:
        employee = self._anybody()
        for _ in range(self._rng.randint(*BURST)):
            self._edit(employee)

    def _move(self, employee: str) -> None:
        self._change(employee, {"workEmail": self._address()})

    def _leave(self, employee: str) -> None:
        today = self._company.today().isoformat()
        self._change(employee, {"employmentHistoryStatus": "Terminated", "terminationDate": today})

    def _rehire(self) -> None:
        if not (away := self._away):
            return self._edit(self._anybody())
        today = self._company.today().isoformat()
        return self._change(self._one(away), {"employmentHistoryStatus": "Full-Time", "hireDate": today})

    def _delete(self, employee: str) -> None:
        self.changes += 1
        self._company.delete(employee)

    # -- what happens between two -------------------------------------------------------------------------------------

    def _swap(self) -> None:
        one, other = self._rng.sample(self._active, 2)
        first, second = self._email(one), self._email(other)
        self._change(one, {"workEmail": second})
        self._change(other, {"workEmail": first})

    def _share(self) -> None:
        one, other = self._rng.sample(self._active, 2)
        self._change(other, {"workEmail": self._email(one)})

    def _stop_sharing(self) -> None:
        if not (shared := self._shared()):
            return self._edit(self._anybody())
        return self._move(self._one(self._rng.choice(shared)))

    def _take_over(self) -> None:
        if not (away := self._away):
            return self._leave(self._one(self._active))
        return self._change(self._one(self._active), {"workEmail": self._email(self._one(away))})

    # -- who there is -------------------------------------------------------------------------------------------------

    def _change(self, employee: str, fields: dict[str, str]) -> None:
        self.changes += 1
        self.whose[self.changes] = EmployeeId(employee)
        name = self._company.people[employee].values["lastName"].rpartition(" r")[0]
        self._company.change(employee, {**fields, "lastName": self._stamped(name)})

    def _stamped(self, last_name: str) -> str:
        return f"{last_name} r{self.changes}"

    def _address(self) -> str:
        self._moves += 1
        return f"person.{self._moves}@{self._company.subdomain}.example"

    def _email(self, employee: str) -> str:
        return self._company.people[employee].values["workEmail"]

    def _one(self, among: list[str]) -> str:
        return self._rng.choice(among)

    def _anybody(self) -> str:
        return self._one(list(self._company.people))

    @property
    def _active(self) -> list[str]:
        return [e.id for e in self._company.people.values() if e.values.get("status") == "Active"]

    @property
    def _away(self) -> list[str]:
        return [e.id for e in self._company.people.values() if e.values.get("status") != "Active"]

    def _shared(self) -> list[list[str]]:
        """Those who are active and state the same address, for each such address."""
        by_email: dict[str, list[str]] = defaultdict(list)
        for employee in self._active:
            by_email[self._email(employee)].append(employee)
        return [who for who in by_email.values() if len(who) > 1]
