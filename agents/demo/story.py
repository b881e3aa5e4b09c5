"""What happens in the demo's company: people arrive, marry, are promoted, move, leave, come back, are deleted."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stream.sandbox.bamboohr import people
from stream.sandbox.bamboohr.company import Company

NEW_HIRES = 6
LEAVERS = 4


@dataclass(frozen=True)
class Chapter:
    """title: for the person who watches. happen: does it; returns whom it concerns."""

    title: str
    happen: Callable[[], list[str]]


def arrival(company: Company, employees: int, seed: int = 1) -> Chapter:
    """The whole company is entered, one after the other."""

    def happen() -> list[str]:
        newcomers = people.invent(employees + NEW_HIRES, seed)
        return [_hire(company, next(newcomers)) for _ in range(employees)]

    return Chapter(f"A company of {employees} people arrives", happen)


def chapters(company: Company, seed: int = 1) -> Iterator[Chapter]:
    """The story after the arrival; each chapter happens to whoever is there when its turn comes."""
    rng = random.Random(seed)  # noqa: S311 - a story, not a secret
    present = list(company.people)
    newcomers = list(people.invent(len(present) + NEW_HIRES, seed))[len(present) :]
    cast = rng.sample(present, min(len(present), LEAVERS + 5))
    bride, promoted, mover, deleted, *others = (cast * 9)[:9]
    leavers = others[:LEAVERS]

    def marriage() -> list[str]:
        first = company.people[bride].values["firstName"]
        company.change(bride, {"lastName": "Newlywed", "workEmail": f"newlywed.{bride}@{company.subdomain}.example"})
        return [bride] if first else []

    def promotion() -> list[str]:
        return _change(company, promoted, "jobTitle", _other(company, promoted, "jobTitle", rng))

    def move() -> list[str]:
        return _change(company, mover, "department", _other(company, mover, "department", rng))

    def leave() -> list[str]:
        for leaver in leavers:
            company.terminate(leaver)
        return leavers

    def rehire() -> list[str]:
        company.rehire(leavers[0])
        return leavers[:1]

    def delete() -> list[str]:
        company.delete(deleted)
        return [deleted]

    yield Chapter(f"{NEW_HIRES} new hires", lambda: [_hire(company, values) for values in newcomers])
    if len(set(cast)) == LEAVERS + 5:  # a story needs a cast
        yield Chapter("A marriage: new last name and new work email", marriage)
        yield Chapter("A promotion: new job title", promotion)
        yield Chapter("A move to another department", move)
        yield Chapter(f"{LEAVERS} people leave", leave)
        yield Chapter("One of them comes back", rehire)
        yield Chapter("A record is deleted for good", delete)


def daily_life(company: Company, seed: int) -> Chapter:
    """One small change, for as long as somebody watches."""
    rng = random.Random(seed)  # noqa: S311 - a story, not a secret
    who = rng.choice([person.id for person in company.people.values() if person.values.get("status") == "Active"])
    field = rng.choice(("jobTitle", "department"))
    title = "A promotion" if field == "jobTitle" else "A move to another department"
    return Chapter(title, lambda: _change(company, who, field, _other(company, who, field, rng)))


def _hire(company: Company, values: dict[str, str]) -> str:
    fields = {key: value for key, value in values.items() if value and key not in ("employeeNumber", "supervisorId")}
    return company.hire(fields)


def _change(company: Company, employee: str, field: str, value: str) -> list[str]:
    company.change(employee, {field: value})
    return [employee]


def _other(company: Company, employee: str, field: str, rng: random.Random) -> str:
    """Another option of the list than the one this person has."""
    now = company.people[employee].values.get(field)
    names = [option.name for option in company.lists[field].options.values() if str(option.id) != now]
    return rng.choice(names)
