"""Workers with their lanes: who serves which connection, and what a worker that lost its partitions may still do."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agents.folding import Folding, Step
from agents.lanes import Lanes
from agents.partition import Partition
from stream.codec import canonical
from stream.fence import Fence
from stream.records import ConnectionId, SyncOutcome
from stream.topics import CHANGELOGS, CONNECTIONS, DEAD_LETTERS, EMPLOYEES, HR_EVENTS, OUTCOMES, Topic, partition_of
from tests.e2e.waiting import until
from tests.integration.connected import SECOND_NAME, Vendors, WorkerProcess, tell
from tests.integration.harness import PARTITIONS, Desk, commit, committed, desk, event_log, records, recreate, values
from tests.integration.inputs import ACME, OTHER, heard, read

TOWNS = [ConnectionId(name) for name in ("acme", "other", "globex", "beta", "epsilon", "theta")]
EACH = 10
FROZEN_S = 12.0
TAKEOVER_S = 45.0
"""Of a session time-out of 8 s; it is 10 to 12 s where nothing else runs. All but the time-out is work, and takes four
times as long on a slow machine."""
assert {partition_of(town, PARTITIONS) for town in TOWNS} == {0, 1}


@pytest.fixture
async def vendors() -> AsyncIterator[Vendors]:
    found = Vendors(EACH * len(TOWNS), calls_per_minute=1200)
    await found.start()
    try:
        yield found
    finally:
        await found.stop()


def people_of(town: ConnectionId) -> list[str]:
    first = TOWNS.index(town) * EACH + 1
    return [str(number) for number in range(first, first + EACH)]


async def served(worker: WorkerProcess) -> set[ConnectionId]:
    return {town for town in TOWNS if await worker.serves(town)}


async def created_twice(bootstrap: str) -> list[str]:
    """Contact keys for which two contacts were created."""
    keys = [o.contact_key for o in await records(bootstrap, OUTCOMES) if isinstance(o, SyncOutcome)]
    ids = {
        (o.contact_key, o.contact_id)
        for o in await records(bootstrap, OUTCOMES)
        if isinstance(o, SyncOutcome) and o.action == "created"
    }
    return [key for key in dict.fromkeys(keys) if len({pair for pair in ids if pair[0] == key}) > 1]


async def test_each_connection_has_one_worker_and_its_work_goes_on_when_that_is_killed(
    bootstrap: str, vendors: Vendors, tmp_path: Path
) -> None:
    workers = [
        WorkerProcess(tmp_path / host, bootstrap, settle_time="1", **vendors.settings(host))
        for host in ("127.0.0.1", SECOND_NAME)
    ]
    async with event_log(bootstrap) as log:
        try:
            for town in TOWNS:
                await vendors.connect(log, town)
            await workers[0].start()
            await workers[0].ready()
            await workers[1].start()

            async def shared() -> bool:
                first, second = await served(workers[0]), await served(workers[1])
                if both := first & second:  # unless it went over between the two questions
                    assert not both & await served(workers[0]), "one connection at two workers"
                return bool(first) and bool(second) and first | second == set(TOWNS)

            await until("both workers serve their part", shared, 60)
            for town in TOWNS:
                await tell(log, town, people_of(town))
            await until("work is under way", lambda: len(vendors.writes()) >= 10, 60)
            killed = time.monotonic()
            workers[0].send(signal.SIGKILL)
            await workers[0].ended()

            async def taken_over() -> bool:
                return await served(workers[1]) == set(TOWNS)

            await until("the other worker serves all connections", taken_over, TAKEOVER_S)
            took = time.monotonic() - killed
            assert took < TAKEOVER_S
            await until("both sides are equal", vendors.equal, 60)
        finally:
            for worker in workers:
                if hasattr(worker, "process"):
                    await worker.end()
    assert await created_twice(bootstrap) == []
    assert await records(bootstrap, DEAD_LETTERS) == []


async def test_a_worker_that_was_frozen_writes_nothing_for_what_it_lost(
    bootstrap: str, vendors: Vendors, tmp_path: Path
) -> None:
    first = WorkerProcess(tmp_path / "first", bootstrap, settle_time="1", **vendors.settings())
    second = WorkerProcess(tmp_path / "second", bootstrap, settle_time="1", **vendors.settings(SECOND_NAME))
    async with event_log(bootstrap) as log:
        try:
            for town in TOWNS:
                await vendors.connect(log, town)
            await first.start()
            await first.ready()
            for town in TOWNS:
                await tell(log, town, people_of(town))
            await until("work is under way", lambda: len(vendors.writes()) >= 5, 60)
            first.send(signal.SIGSTOP)
            frozen = time.monotonic()
            await second.start()

            async def taken_over() -> bool:
                return await served(second) == set(TOWNS)

            await until("the other worker serves all connections", taken_over, 60)
            for town in TOWNS:  # little may have been left to write
                employee = people_of(town)[0]
                vendors.company.change(employee, {"firstName": "Nova"})
                await tell(log, town, [employee])
            await until("it has gone on writing", lambda: len(vendors.writes(SECOND_NAME)) >= 5, 60)
            await until("it was frozen for 12 s", lambda: time.monotonic() >= frozen + FROZEN_S, FROZEN_S)
            woken = time.monotonic()
            first.send(signal.SIGCONT)

            def has_found_its_place() -> bool:
                """It ends if an append was under way, which was not confirmed in time, or joins the group again."""
                return first.process.returncode is not None or bool(first.events("worker.ready", woken))

            await until("the one that woke has found its place", has_found_its_place, 60)
            await until("both sides are equal", vendors.equal, 60)
            opened = first.events("worker.partitions_opened", woken)
            again = opened[0]["heard_at"] if opened else time.monotonic()
            assert [call for call in vendors.writes("127.0.0.1", woken) if call.at < again] == []
        finally:
            for worker in (first, second):
                if hasattr(worker, "process"):
                    await worker.end()
    assert await created_twice(bootstrap) == []


async def test_a_replay_of_all_that_was_done_calls_nobody(bootstrap: str, vendors: Vendors, tmp_path: Path) -> None:
    """Lanes open when all is folded that was in the log at assignment: not one debt is left then."""
    async with event_log(bootstrap) as log:
        await vendors.connect(log, ACME)
        async with desk(bootstrap, tmp_path / "first", **vendors.settings()) as first:
            await tell(log, ACME, people_of(ACME))
            await until("ten contacts", lambda: len(vendors.organization.contacts) == EACH, 60)
            await until("nothing is owed", lambda: first.lanes is not None and not first.lanes.debts)
            await first.folded()
            await until("nothing is owed", lambda: first.lanes is not None and not first.lanes.debts)
            rows = first.meaning()
        await recreate(bootstrap, list(CHANGELOGS))
        await commit(bootstrap, 0)
        calls, readings = len(vendors.calls), vendors.readings

        async with desk(bootstrap, tmp_path / "second", **vendors.settings()) as second:
            assert second.meaning() == rows
            assert second.lanes is not None
            assert second.lanes.debts == 0
            await tell(log, ACME, people_of(ACME)[:1])
            await until("the lanes work", lambda: vendors.readings > readings, 30)
            await second.folded()
        assert (len(vendors.calls), vendors.readings) == (calls, readings + 1)


@pytest.mark.parametrize("gate", ["kept", pytest.param("taken away", marks=pytest.mark.thorough)])
async def test_lanes_open_only_when_the_backlog_is_folded(
    bootstrap: str, vendors: Vendors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: str
) -> None:
    """All HR events are folded, and the readings that answer them are not yet: people seem to be owed a reading."""
    readings_may_be_folded = asyncio.Event()
    steps, open_lanes = Folding.steps, Lanes.open

    async def readings_late(self: Folding, stream: Any, topic: Topic) -> AsyncIterator[Step]:
        if topic is EMPLOYEES:
            await readings_may_be_folded.wait()
        async for step in steps(self, stream, topic):
            yield step

    async def without_gate(self: Lanes, partition: Partition) -> None:
        partition.caught_up.set()
        await open_lanes(self, partition)

    async with event_log(bootstrap) as log:
        await vendors.connect(log, ACME)
        for employee in people_of(ACME):
            event = await log.append(heard(employee))
            await log.append(read(employee, event, email=None))
        monkeypatch.setattr(Folding, "steps", readings_late)
        if gate == "taken away":
            monkeypatch.setattr(Lanes, "open", without_gate)
        one = Desk(bootstrap, tmp_path, **vendors.settings())
        await one.start()
        try:
            await until("all events are folded", lambda: _folded(one, HR_EVENTS) == EACH, 40)
            if gate == "kept":
                assert vendors.readings == 0
                readings_may_be_folded.set()
                await one.folded()
                assert vendors.readings == 0
            else:
                await until("people are read again", lambda: vendors.readings, 20)
        finally:
            readings_may_be_folded.set()
            await one.stop()


def _folded(one: Desk, topic: Topic) -> int:
    if one.worker._parts is None:
        return 0
    return sum(partition.next[topic.name] for partition in one.folding.owned.partitions.values())


@pytest.mark.parametrize("heartbeats", ["refused", pytest.param("missing", marks=pytest.mark.thorough)])
async def test_without_heartbeats_nothing_is_written_and_people_are_read_only_while_nobody_else_can_have_the_quota(
    bootstrap: str, vendors: Vendors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heartbeats: str
) -> None:
    async with event_log(bootstrap) as log:
        await vendors.connect(log, ACME)
        async with desk(bootstrap, tmp_path, **vendors.settings()) as one:
            await tell(log, ACME, people_of(ACME)[:1])
            await until("the first contact", lambda: len(vendors.organization.contacts) == 1, 60)
            fence = one.lanes.maker.fence if one.lanes else None
            assert fence is not None
            with monkeypatch.context() as patched:
                if heartbeats == "refused":
                    patched.setattr(Fence, "accepted", lambda self, sent: self.refused())
                else:
                    patched.setattr(Fence, "accepted", lambda self, sent: None)
                await until("the fence is shut", lambda: not fence.open, 10)
                assert fence.reads.open == (heartbeats == "missing"), "no answer yet: the session is not over"
                writes, readings = len(vendors.writes()), vendors.readings
                waiting = _counted_at(patched, Fence if fence.reads.open else type(fence.reads))
                await tell(log, ACME, people_of(ACME)[1:4])
                await until("a call is about to begin", lambda: len(waiting), 20)
                assert vendors.readings == readings + (3 if heartbeats == "missing" else 0)
                assert len(vendors.writes()) == writes
                assert not fence.open
            await until(
                "they are written once heartbeats are back", lambda: len(vendors.organization.contacts) == 4, 20
            )
            await asyncio.wait_for(one.folded(), 30)


def _counted_at(patched: pytest.MonkeyPatch, gate: type[Any]) -> list[None]:
    """One entry for each call that comes to the gate."""
    wait_open, waiting = gate.wait_open, list[None]()

    async def counted(self: Any) -> None:
        waiting.append(None)
        await wait_open(self)

    patched.setattr(gate, "wait_open", counted)
    return waiting


async def test_a_record_of_a_newer_version_stops_its_partition_with_a_sentence_until_the_worker_is_updated(
    bootstrap: str, vendors: Vendors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, here = people_of(ACME), partition_of(ACME, PARTITIONS)
    newer = canonical(heard(ours[1])).replace(b'"schema":1', b'"schema":2')
    contacts = vendors.organization.contacts
    async with event_log(bootstrap) as log:
        for connection in (ACME, OTHER):
            await vendors.connect(log, connection)
        async with desk(bootstrap, tmp_path, **vendors.settings()) as one:
            await tell(log, ACME, ours[:1])
            await until("the first contact", lambda: len(contacts) == 1, 60)
            await one.folded()
            await log.put(HR_EVENTS.name, here, [(b"acme", newer)])
            await tell(log, ACME, ours[2:3])
            await until("the partition stands still", one.worker._warnings, 20)
            await tell(log, OTHER, people_of(OTHER)[:1])
            await until("the neighbour's contact", lambda: len(contacts) == 2, 60)
            (why,) = one.worker._warnings()
            assert why == (
                f"Partition {here} stands still: a newer Rosterbook wrote record 1 of {HR_EVENTS.name}. "
                "Update this worker."
            )
            assert (one.worker._serving(ACME).serving, one.worker._serving(ACME).reason) == (False, why)
            assert one.worker._lacking() is None
            assert one.lanes is not None
            assert list(one.lanes._served) == [OTHER]
            assert [work for work in one.worker._waiting() if HR_EVENTS.name in work.name] == []
        assert await committed(bootstrap, HR_EVENTS, here) == 1

        with monkeypatch.context() as updated:
            updated.setattr("stream.codec.SCHEMA", 2)
            async with desk(bootstrap, tmp_path, **vendors.settings()) as again:
                await until("those who waited", lambda: len(contacts) == 4, 60)
                assert again.worker._warnings() == []
                await until("nothing is owed", lambda: again.lanes is not None and not again.lanes.debts, 20)
                await again.folded()
                await until("all is committed", again.all_committed, 20)
        (settings, *_) = [v for _, _, key, v in await values(bootstrap, CONNECTIONS.name) if key == b"acme|settings"]
        newer = (settings or b"").replace(b'"schema":1', b'"schema":2')
        await log.put(CONNECTIONS.name, here, [(b"acme|settings", newer)])
        async with desk(bootstrap, tmp_path, **vendors.settings()) as outdated:
            (why,) = outdated.worker._warnings()
            assert "wrote the settings of acme. Update this worker." in why
    assert await records(bootstrap, DEAD_LETTERS) == []
