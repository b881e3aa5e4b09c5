"""`rosterbook tables rebuild`: the log is folded anew, to the same meaning, and nobody is asked for anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.errors import Fatal
from stream.kafka.rebuild import Rebuild
from stream.records import Command, CommandOutcome, EmployeeId
from stream.topics import COMMANDS, CONTACT_UPSERTS, EMPLOYEES, HR_EVENTS, partition_of
from tests.e2e.processes import rosterbook
from tests.e2e.waiting import until
from tests.integration.connected import Vendors, tell
from tests.integration.harness import PARTITIONS, Desk, committed, desk, event_log, records, recreate
from tests.integration.inputs import ACME, AT, heard, joined, read

HERE = partition_of(ACME, PARTITIONS)


async def rebuild(bootstrap: str) -> None:
    tables = Rebuild(bootstrap)
    await tables.look(10)
    await tables.do(1, 1)


def _owes_nothing(one: Desk) -> bool:
    return one.lanes is not None and one.lanes.serving(ACME).serving and one.lanes.debts == 0


async def test_tables_are_the_same_after_a_rebuild_and_no_vendor_is_asked(bootstrap: str, tmp_path: Path) -> None:
    vendors = Vendors(2)
    await vendors.start()
    try:
        async with event_log(bootstrap) as log, desk(bootstrap, tmp_path, **vendors.settings()) as one:
            await vendors.connect(log, ACME)
            await tell(log, ACME, sorted(vendors.company.people))
            await until("Zoho shows the company", vendors.equal, 40)
            await until("nothing is owed", lambda: _owes_nothing(one), 20)
            await one.folded()
            await until("all is committed", one.all_committed, 20)
            before = one.meaning()
            with pytest.raises(Fatal, match="A worker is at work: end every worker"):
                await Rebuild(bootstrap).look(0.5)
        asked = vendors.readings, len(vendors.calls)

        refused = await rosterbook("tables", "rebuild", ROSTERBOOK_KAFKA=bootstrap, ROSTERBOOK_DATA=str(tmp_path))
        assert (refused.code, refused.err) == (2, "This empties the tables: say --yes where nobody can be asked.\n")
        done = await rosterbook(
            *("tables", "rebuild", "--yes"),
            ROSTERBOOK_KAFKA=bootstrap,
            ROSTERBOOK_DATA=str(tmp_path),
            ROSTERBOOK_REPLICATION="1",
        )
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("The tables are empty: the next worker folds ")
        assert await committed(bootstrap, HR_EVENTS, HERE) == 0

        async with desk(bootstrap, tmp_path, **vendors.settings()) as again:
            await until("the lanes have seen their debts", lambda: _owes_nothing(again), 20)
            assert again.meaning() == before
        assert (vendors.readings, len(vendors.calls)) == asked
    finally:
        await vendors.stop()


async def test_after_a_rebuild_beside_new_events_people_are_known_and_what_is_new_is_owed(
    bootstrap: str, tmp_path: Path
) -> None:
    """Readings that answer events of an earlier life settle none of the new ones, whatever their offsets."""
    async with event_log(bootstrap) as log, desk(bootstrap, tmp_path) as one:
        for who in ("1", "2", "1"):
            await log.append(read(who, await log.append(heard(who)), email=f"{who}@acme.test", title="First"))
        await log.append(read("1", await log.append(heard("1")), email="1@acme.test", title="Last"))
        await one.folded()
        before = one.meaning()
    await recreate(bootstrap, [HR_EVENTS.name])
    async with event_log(bootstrap) as log:
        newest = await log.append(heard("1"))
    await rebuild(bootstrap)

    async with desk(bootstrap, tmp_path) as again:
        people = again.rows("people")
        assert people["acme/1"]["debt"] == {**people["acme/1"]["debt"], "wanted": newest.offset, "settled": -1}
        known = {who: row["contact_key"] for who, row in before["people"].items()}
        assert {who: row["contact_key"] for who, row in people.items()} == known
        assert again.rows("roster") == before["roster"]
        assert again.rows("contacts") == before["contacts"]


async def test_after_a_rebuild_without_the_readings_people_begin_anew(bootstrap: str, tmp_path: Path) -> None:
    """Wishes that followed from readings which are no more are nobody's: a new reading must not wait for them."""
    test = Command(connection=ACME, command="test connection", asked_by="somebody", work=True, at=AT)
    async with event_log(bootstrap) as log, desk(bootstrap, tmp_path) as one:
        await joined(log)
        asked = await log.append(test)
        await log.append(
            CommandOutcome(connection=ACME, command=test.command, cause=asked, state="done", says="It works.", at=AT)
        )
        await one.folded()
    await recreate(bootstrap, [EMPLOYEES.name, COMMANDS.name])
    async with event_log(bootstrap) as log:
        await log.append(test)
    await rebuild(bootstrap)
    async with event_log(bootstrap) as log, desk(bootstrap, tmp_path) as again:
        assert {row["debt"]["settled"] for row in again.rows("people").values()} == {-1}
        assert again.rows("contacts") == {}
        debt = again.rows("companies")["acme/company"]["asked"][test.command]["debt"]
        assert (debt["wanted"], debt["settled"]) == (0, -1), "the answer was to another command"
        event = await log.append(heard("1"))
        await log.append(read("1", event, email="ada@acme.test"))
        await again.folded()
        (contact,) = again.rows("contacts").values()
        assert (contact["employee"], contact["debt"]["wanted"]) == (EmployeeId("1"), 0)
    assert len(await records(bootstrap, CONTACT_UPSERTS)) == 3
