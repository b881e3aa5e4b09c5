"""`rosterbook backfill`: everybody of a company at once, through deaths of the worker, and once more for nothing."""

from __future__ import annotations

import asyncio
import copy
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import ANY

import pytest

from stream.records import Command, CommandOutcome, EmployeeSnapshot, HrEvent, SyncOutcome
from stream.topics import EMPLOYEES, HR_EVENTS, OUTCOMES
from tests.e2e.processes import Ended, rosterbook
from tests.e2e.waiting import until
from tests.integration.connected import Vendors, WorkerProcess
from tests.integration.harness import event_log, records
from tests.integration.inputs import ACME

PEOPLE = 80
THERE = 20
"""So many of them have a contact already, made by hand."""
PAIRS = ((0, 1), (2, 70), (5, 9), (30, 31), (32, 71))
"""Of those who are employed, in the list's order: who state one address. The first three addresses have a contact."""
WRITES = 12
"""After so many more writes a worker dies."""


@pytest.fixture
async def vendors(request: pytest.FixtureRequest) -> AsyncIterator[Vendors]:
    """Parameter: calls of Zoho Books a minute."""
    found = Vendors(PEOPLE, calls_per_minute=getattr(request, "param", 1800))
    for employee in list(found.company.people.values())[:THERE]:
        if email := employee.values.get("workEmail"):
            person = {"first_name": "By", "last_name": "Hand", "email": email, "is_primary_contact": True}
            found.organization.create(
                {"contact_name": f"By hand {employee.id}", "contact_type": "vendor", "contact_persons": [person]}
            )
    await found.start()
    try:
        yield found
    finally:
        await found.stop()


async def load(bootstrap: str, data: Path) -> Ended:
    """The command as an operator gives it, without the id of the only connection."""
    variables = {"ROSTERBOOK_KAFKA": bootstrap, "ROSTERBOOK_DATA": str(data)}
    return await rosterbook("backfill", "--json", deadline=250, **variables)


async def some_written(vendors: Vendors) -> None:
    before = len(vendors.writes())
    await until("some contacts are written", lambda: len(vendors.writes()) >= before + WRITES, 60)


async def check_loaded_once(bootstrap: str, vendors: Vendors) -> None:
    assert vendors.equal()
    outcomes = await records(bootstrap, OUTCOMES)
    created = Counter(o.contact_key for o in outcomes if isinstance(o, SyncOutcome) and o.action == "created")
    assert created
    assert set(created.values()) == {1}
    assert all(isinstance(one, EmployeeSnapshot) and one.backfill for one in await records(bootstrap, EMPLOYEES))
    assert all(isinstance(one, HrEvent) and not one.employees for one in await records(bootstrap, HR_EVENTS))


@pytest.mark.parametrize("deaths", [1, pytest.param(5, marks=pytest.mark.thorough)])
@pytest.mark.timeout(300)
async def test_everybody_is_loaded_once_whatever_dies_and_a_second_load_writes_nothing(
    bootstrap: str, vendors: Vendors, tmp_path: Path, deaths: int
) -> None:
    settings = {"settle_time": "1", "session_timeout": "6", "call_deadline": "4", **vendors.settings()}
    workers = [WorkerProcess(tmp_path, bootstrap, **settings)]
    try:
        async with event_log(bootstrap) as log:
            await vendors.connect(log, ACME)
            await log.append(
                Command(connection=ACME, command="backfill", asked_by="me", work=True, at=datetime.now(UTC))
            )
        await workers[0].start()
        joined = asyncio.create_task(load(bootstrap, tmp_path))
        for _ in range(deaths):
            await some_written(vendors)
            workers[-1].send(signal.SIGKILL)
            await workers[-1].ended()
            workers.append(WorkerProcess(tmp_path, bootstrap, **settings))
            await workers[-1].start()
        check_done(await joined)
        await check_loaded_once(bootstrap, vendors)
        calls, writes, readings = len(vendors.calls), len(vendors.writes()), vendors.readings
        check_done(await load(bootstrap, tmp_path))
        assert (len(vendors.writes()), vendors.readings) == (writes, readings + 1), "one page, no write"
        assert len(vendors.calls) <= calls + 4
        gone = next(one for one in vendors.company.people.values() if one.values.get("workEmail"))
        vendors.company.delete(gone.id)  # of which no webhook tells
        check_done(await load(bootstrap, tmp_path), people=PEOPLE - 1, differed={"left": 1})
        assert vendors.equal(), "whoever the list does not show is read alone"
        check_done(await load(bootstrap, tmp_path), people=PEOPLE - 1, differed={})  # the time of change is known now
        (contact,) = vendors.organization.book.with_primary_email(gone.values["workEmail"])
        vendors.organization.set_active(contact.contact_id, active=True)
        check_done(await load(bootstrap, tmp_path), people=PEOPLE - 1, differed={"changed in Zoho Books": 1})
        assert vendors.equal(), "and so is who left, where somebody changed the contact"
    finally:
        for worker in workers:
            await worker.end()
    ends = await outcomes_of_commands(bootstrap)
    assert [(one.state, one.cause.offset) for one in ends if one.state != "progress"] == [
        ("done", 1),
        ("done", 2),
        ("done", 3),
        ("done", 4),
        ("done", 5),
    ]


@pytest.mark.timeout(120)
async def test_of_two_people_on_one_address_nobodys_contact_is_touched_wherever_the_list_shows_them(
    bootstrap: str, vendors: Vendors, tmp_path: Path
) -> None:
    company, organization = vendors.company, vendors.organization
    company.quirks = replace(company.quirks, duplicate_email="accepted")
    people = [
        one for one in company.people.values() if one.values["status"] == "Active" and one.values.get("workEmail")
    ]
    shared = [people[first].values["workEmail"] for first, _ in PAIRS]
    for email, (_, second) in zip(shared, PAIRS, strict=True):
        company.change(people[second].id, {"workEmail": email})
    before = {email: shown(vendors, email) for email in shared}
    assert [len(contacts) for contacts in before.values()] == [1, 1, 1, 0, 0], "some made by hand, some missing"
    worker = WorkerProcess(tmp_path, bootstrap, **vendors.settings())
    try:
        async with event_log(bootstrap) as log:
            await vendors.connect(log, ACME)
        await worker.start()
        await worker.ready()
        ended = await load(bootstrap, tmp_path)
        assert (ended.code, json.loads(ended.out)["set_aside"]) == (0, len(PAIRS))
    finally:
        await worker.end()
    assert {email: shown(vendors, email) for email in shared} == before
    rest = {one.values["workEmail"] for one in people} - set(shared)
    assert all(organization.book.with_primary_email(email) for email in rest)


def shown(vendors: Vendors, email: str) -> dict[str, object]:
    """The contacts with the address, as Zoho Books has them."""
    return {one.contact_id: copy.deepcopy(vars(one)) for one in vendors.organization.book.with_primary_email(email)}


async def outcomes_of_commands(bootstrap: str) -> list[CommandOutcome]:
    return [one for one in await records(bootstrap, OUTCOMES) if isinstance(one, CommandOutcome)]


@pytest.mark.parametrize("vendors", [240], indirect=True)  # so that it is not over before it can be cut off
@pytest.mark.timeout(200)
async def test_a_load_that_is_cut_off_by_a_pause_goes_on_after_resume(
    bootstrap: str, vendors: Vendors, tmp_path: Path
) -> None:
    worker = WorkerProcess(tmp_path, bootstrap, settle_time="1", call_deadline="4", **vendors.settings())
    variables = {"ROSTERBOOK_KAFKA": bootstrap, "ROSTERBOOK_DATA": str(tmp_path)}
    try:
        async with event_log(bootstrap) as log:
            await vendors.connect(log, ACME)
        await worker.start()
        await worker.ready()
        assert (await rosterbook("backfill", "--no-wait", **variables)).code == 0
        await some_written(vendors)
        assert (await rosterbook("connection", "pause", ACME, **variables)).code == 0
        writes = len(vendors.writes())
        refused = await rosterbook("backfill", **variables)
        sentence = f"Connection {ACME} is paused: `rosterbook connection resume {ACME}`."
        assert (refused.code, sentence in refused.err) == (2, True)
        assert {one.state for one in await outcomes_of_commands(bootstrap)} == {"progress"}
        assert len(vendors.writes()) == writes
        assert (await rosterbook("connection", "resume", ACME, **variables)).code == 0

        async def ended() -> bool:
            return (await outcomes_of_commands(bootstrap))[-1].state != "progress"

        await until("the load has ended", ended, 120)
    finally:
        await worker.end()
    assert [one.state for one in await outcomes_of_commands(bootstrap) if one.state != "progress"] == ["done"]
    await check_loaded_once(bootstrap, vendors)


def check_done(ended: Ended, people: int = PEOPLE, differed: object = ANY) -> None:
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out)["state"] == "done"
    assert json.loads(ended.out)["people"] == people
    assert json.loads(ended.out)["differed"] == differed
    if isinstance(differed, dict):
        assert json.loads(ended.out)["repaired"] == sum(differed.values())
