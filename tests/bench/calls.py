"""How many calls Zoho Books gets: per real change, per change of nothing, per new person. Counts, not times."""

from __future__ import annotations

import random

from agents.demo.story import arrival
from stream.sandbox.bamboohr.company import Company
from tests.bench.figures import Figure, Target
from tests.bench.place import Place, place
from tests.bench.wire import delivery

PEOPLE = 40
CHANGES = 60
NO_CHANGES = 40


async def run() -> list[Figure]:
    async with place() as at:
        return await _arrivals(at) + await _changes(at) + await _no_changes(at)


async def _arrivals(at: Place) -> list[Figure]:
    """Two webhooks for each person (created, updated), as BambooHR sends them."""
    calls = at.vendors.zoho.calls
    calls.reset()
    arrival(at.vendors.bamboohr.company, PEOPLE).happen()
    await at.rest()
    contacts = len(at.vendors.zoho.organization.contacts)
    assert contacts == PEOPLE, f"{contacts} contacts of {PEOPLE} people"
    return [
        Figure("searches per new person", calls.searches / PEOPLE, "calls", 1, Target("<=", 1)),
        Figure("writes per new person", calls.writes / PEOPLE, "calls", 1, Target("<=", 1)),
        Figure("all calls per new person", _all(at) / PEOPLE, "calls", 2),
    ]


async def _changes(at: Place) -> list[Figure]:
    """Promotions, moves, new names and addresses; several at once, but never two of one person."""
    company, calls = at.vendors.bamboohr.company, at.vendors.zoho.calls
    rng = random.Random(1)
    calls.reset()
    made = 0
    while made < CHANGES:
        for employee in rng.sample(sorted(company.people), 20):
            company.change(employee, _change(company, employee, made, rng))
            made += 1
        await at.rest()
    return [
        Figure("writes per real change", calls.writes / made, "calls", 1, Target("<=", 1)),
        Figure("all calls per real change", _all(at) / made, "calls", 1, note="reads the contact before it writes"),
    ]


def _change(company: Company, employee: str, number: int, rng: random.Random) -> dict[str, str]:
    match number % 4:
        case 0:
            return {"lastName": f"Renamed{number}"}
        case 1:
            return {"workEmail": f"moved.{employee}.{number}@{company.subdomain}.example"}
        case kind:
            field = "jobTitle" if kind == 2 else "department"
            now = company.people[employee].values.get(field)
            return {field: rng.choice([o.name for o in company.lists[field].options.values() if str(o.id) != now])}


async def _no_changes(at: Place) -> list[Figure]:
    """A delivery without a change behind it, and one after a change of a field that goes nowhere."""
    company, calls = at.vendors.bamboohr.company, at.vendors.zoho.calls
    caller = await at.caller()
    figures = []
    for name, field in (("no change", None), ("a change of an unmapped field", "mobilePhone")):
        calls.reset()
        reads = at.vendors.bamboohr.calls.total("/employees/{id}", method="GET")
        for number, employee in zip(range(NO_CHANGES), sorted(company.people), strict=False):
            if field is not None:
                company.change(employee, {field: f"+1 555 01{number:02}"})
                assert company.people[employee].values[field].endswith(f"{number:02}"), "the sandbox took no change"
            status = await caller.ask(at.request(delivery(employee)))
            assert status == 200, f"the gateway answered {status}"
        await at.rest()
        reads = at.vendors.bamboohr.calls.total("/employees/{id}", method="GET") - reads
        assert reads == NO_CHANGES, f"{reads} readings of {NO_CHANGES} people"
        figures.append(Figure(f"writes per {name}", calls.writes / NO_CHANGES, "calls", None, Target("<=", 0)))
        figures.append(Figure(f"all calls per {name}", _all(at) / NO_CHANGES, "calls"))
    caller.close()
    return figures


def _all(at: Place) -> int:
    """Calls of the Books API; token requests have a limit of their own."""
    counts = at.vendors.zoho.calls.by_status
    return sum(count for (operation, _, _), count in counts.items() if not operation.startswith("oauth."))
