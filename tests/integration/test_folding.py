"""Folding on real Kafka and real Faust: what is redelivered, rebuilt, broken off in the middle or cannot be read."""

from __future__ import annotations

import asyncio
import base64
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agents.folding import Folding
from stream.kafka.event_log import EventLog
from stream.records import ContactUpsert, DeadLetter
from stream.tether import tethered
from stream.topics import (
    CHANGELOGS,
    CONTACT_UPSERTS,
    DEAD_LETTERS,
    EMPLOYEES,
    HR_EVENTS,
    INPUTS,
    OUTCOMES,
    Topic,
    partition_of,
)
from tests.e2e.processes import environment
from tests.e2e.waiting import until
from tests.integration.harness import (
    PARTITIONS,
    Desk,
    commit,
    committed,
    desk,
    event_log,
    records,
    recreate,
)
from tests.integration.inputs import ACME, OTHER, created, heard, joined, moved, read
from tests.integration.killed_worker import STEPS

HERE, THERE = partition_of(ACME, PARTITIONS), partition_of(OTHER, PARTITIONS)


async def upserts(bootstrap: str) -> list[ContactUpsert]:
    return [record for record in await records(bootstrap, CONTACT_UPSERTS) if isinstance(record, ContactUpsert)]


def by_cause(found: list[ContactUpsert]) -> list[tuple[int, str, str, str | None]]:
    """Each different wish once, in order: cause, key, person, address. What was repeated at its cause is left out."""
    return list(dict.fromkeys((u.cause.offset, u.contact_key, u.employee, u.desired.email) for u in found))


async def story(bootstrap: str, data: Path) -> tuple[dict[str, Any], list[ContactUpsert]]:
    """Tell the whole story to a worker on `data`; the rows and the wishes that it came to."""
    async with event_log(bootstrap) as log, desk(bootstrap, data) as one:
        await joined(log)
        await one.folded()
        await moved(log, (await upserts(bootstrap))[0])
        await one.folded()
        return one.meaning(), await upserts(bootstrap)


async def test_a_delivery_becomes_rows_a_wish_and_a_settled_contact(bootstrap: str, tmp_path: Path) -> None:
    async with event_log(bootstrap) as log, desk(bootstrap, tmp_path) as one:
        await joined(log)
        await one.folded()

        people, roster = one.rows("people"), one.rows("roster")
        first, second = await upserts(bootstrap)
        assert set(people) == {"acme/1", "acme/2", "acme/3"}
        assert people["acme/3"]["debt"] == {**people["acme/3"]["debt"], "wanted": 0, "settled": -1}
        assert people["acme/1"]["debt"]["settled"] == 0
        assert people["acme/1"]["contact_key"] == first.contact_key != second.contact_key
        assert roster["acme/ada@acme.test"]["holder"] == "1"
        assert (first.employee, first.desired.email, first.cause.offset) == ("1", "ada@acme.test", 0)
        assert one.rows("contacts")[f"acme/{first.contact_key}"]["debt"]["wanted"] == 0

        await log.append(created(first, "460000000001"))
        await one.folded()

        contact = one.rows("contacts")[f"acme/{first.contact_key}"]
        assert (contact["debt"]["settled"], contact["contact_id"], contact["error"]) == (0, "460000000001", None)
        await until("all is committed", one.all_committed, 20)


async def test_what_is_redelivered_changes_no_row_and_is_not_said_again(bootstrap: str, tmp_path: Path) -> None:
    rows, wishes = await story(bootstrap, tmp_path)
    letters = len(await records(bootstrap, DEAD_LETTERS))
    await commit(bootstrap, 0)

    async with desk(bootstrap, tmp_path) as again:
        assert again.meaning() == rows

    last = wishes[-1].cause.offset
    more = Counter(u.cause.offset for u in await upserts(bootstrap)) - Counter(u.cause.offset for u in wishes)
    assert set(more) <= {last}, "only what follows from the last cause may be repeated"
    assert by_cause(await upserts(bootstrap)) == by_cause(wishes)
    assert len(await records(bootstrap, DEAD_LETTERS)) == letters


async def test_tables_that_are_lost_with_their_changelogs_are_rebuilt_from_the_log(
    bootstrap: str, tmp_path: Path
) -> None:
    rows, wishes = await story(bootstrap, tmp_path)
    shutil.rmtree(tmp_path / "worker")
    await recreate(bootstrap, list(CHANGELOGS))
    await commit(bootstrap, 0)

    async with desk(bootstrap, tmp_path) as rebuilt:
        assert rebuilt.meaning() == rows

    more = Counter(u.cause.offset for u in await upserts(bootstrap)) - Counter(u.cause.offset for u in wishes)
    assert set(more) <= {wishes[-1].cause.offset}
    assert by_cause(await upserts(bootstrap)) == by_cause(wishes)


async def test_an_outcome_that_is_folded_before_its_wish_is_not_lost(bootstrap: str, tmp_path: Path) -> None:
    async with event_log(bootstrap) as log:
        async with desk(bootstrap, tmp_path / "first") as one:
            await joined(log)
            await one.folded()
            wish = (await upserts(bootstrap))[0]
            await log.append(created(wish, "460000000001"))
            await one.folded()
            rows = one.rows("contacts")
        await recreate(bootstrap, list(CHANGELOGS))
        await commit(bootstrap, 0)

        second = Desk(bootstrap, tmp_path / "second")
        settled = asyncio.Event()
        carry_on, steps = Folding.steps, Folding.steps

        async def outcomes_first(self: Folding, stream: Any, topic: Topic) -> Any:
            if topic is CONTACT_UPSERTS:
                await settled.wait()
            async for step in carry_on(self, stream, topic):
                yield step
                if topic is OUTCOMES:
                    settled.set()

        Folding.steps = outcomes_first  # type: ignore[method-assign]
        try:
            await second.start()
            await second.folded()
            assert second.rows("contacts") == rows
        finally:
            Folding.steps = steps  # type: ignore[method-assign]
            await second.stop()


# -- ended in the middle ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "store"),
    [  # each step with one store, and the other in `make thorough`
        pytest.param(step, store, marks=[] if (number + (store == "lost")) % 2 == 0 else pytest.mark.thorough)
        for number, step in enumerate(STEPS)
        for store in ("kept", "lost")
    ],
)
async def test_a_fold_that_is_killed_after_a_step_is_completed_by_the_next_owner(
    bootstrap: str, tmp_path: Path, step: str, store: str
) -> None:
    async with event_log(bootstrap) as log:
        event = await log.append(heard("1"))
        await log.append(read("1", event, email="old@acme.test"))
        async with desk(bootstrap, tmp_path / "first"):
            pass
        event = await log.append(heard("1"))
        await log.append(read("1", event, email="new@acme.test"))
        await _killed(bootstrap, tmp_path / "first", step)
        newest = await log.append(heard("1"))

        async with desk(bootstrap, tmp_path / ("first" if store == "kept" else "second")) as second:
            person, roster = second.rows("people")["acme/1"], second.rows("roster")
            contacts = second.rows("contacts")

    assert person["email"] == "new@acme.test"
    assert person["debt"] == {**person["debt"], "settled": event.offset, "wanted": newest.offset}
    assert roster["acme/old@acme.test"]["claims"] == {}
    assert roster["acme/new@acme.test"]["holder"] == "1"
    found = await upserts(bootstrap)
    key = person["contact_key"]
    assert by_cause(found) == [(0, key, "1", "old@acme.test"), (1, key, "1", "new@acme.test")]
    assert len(found) <= 3, "repeated at most once, at its own cause"
    assert contacts[f"acme/{key}"]["desired"]["email"] == "new@acme.test"


async def _killed(bootstrap: str, data: Path, step: str) -> None:
    """Run a worker that kills itself after this step of the second reading's fold."""
    process = await asyncio.create_subprocess_exec(
        *tethered([sys.executable, "-m", "tests.integration.killed_worker", step]),
        env=environment(
            ROSTERBOOK_KAFKA=bootstrap,
            ROSTERBOOK_DATA=str(data),
            ROSTERBOOK_METRICS_PORT="0",
            ROSTERBOOK_PARTITIONS=str(PARTITIONS),
        ),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(60):
            assert await process.wait() == -signal.SIGKILL
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_kept_intent_does_not_undo_what_another_topic_brought_since(bootstrap: str, tmp_path: Path) -> None:
    """Positions of several topics are committed apart: a reading may come again after an event that followed it."""
    async with event_log(bootstrap) as log:
        async with desk(bootstrap, tmp_path) as one:
            event = await log.append(heard("1"))
            await log.append(read("1", event, email="ada@acme.test"))
            await one.folded()
            newest = await log.append(heard("1"))
            await one.folded()
        await commit(bootstrap, 0, EMPLOYEES)

        async with desk(bootstrap, tmp_path) as again:
            debt = again.rows("people")["acme/1"]["debt"]
            assert (debt["settled"], debt["wanted"]) == (event.offset, newest.offset)


# -- what holds an ack back -------------------------------------------------------------------------------------------


class _Blocked:
    """Holds back the writes to one person's row until `release` is called."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._free = asyncio.Event()
        self.reached = asyncio.Event()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        put = EventLog.put

        async def held(this: EventLog, topic: str, partition: int, entries: Any, headers: Any = ()) -> list[int]:
            if any(key == self._key for key, _ in entries):
                self.reached.set()
                await self._free.wait()
            return await put(this, topic, partition, entries, headers)

        monkeypatch.setattr(EventLog, "put", held)

    def release(self) -> None:
        self._free.set()


async def _is_committed(bootstrap: str, offset: int, partition: int = HERE) -> bool:
    return await committed(bootstrap, HR_EVENTS, partition) == offset


async def test_no_offset_is_committed_past_a_record_whose_row_is_not_in_its_changelog(
    bootstrap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust itself would pass one unacked record at the head, above all in a new group (FS#606): here none is acked."""
    async with event_log(bootstrap) as log, desk(bootstrap, tmp_path) as one:
        with monkeypatch.context() as patched:
            head = _Blocked("acme/1")
            head.install(patched)
            for who in ("1", "2", "3"):
                await log.append(heard(who))
            await head.reached.wait()
            for count in (1, 2):  # two rounds of commits take place beside the one that is held back
                await log.append(heard("9", connection=OTHER))
                await until(
                    "the neighbour is committed", lambda count=count: _is_committed(bootstrap, count, THERE), 20
                )
            assert await committed(bootstrap, HR_EVENTS, HERE) is None
            head.release()
            await one.folded()
        await until("the head is committed", lambda: _is_committed(bootstrap, 3), 20)


async def test_a_commit_that_fails_loses_nothing(bootstrap: str, tmp_path: Path) -> None:
    """Faust takes a failed commit for done (FS#316): the next one goes past it, and until then it is redelivered."""
    async with event_log(bootstrap) as log:
        async with desk(bootstrap, tmp_path) as first:
            consumer = first.folding.owned._group.app.consumer
            original, refused = consumer._commit, []

            async def refuse(offsets: Mapping[Any, int]) -> bool:
                refused.append(dict(offsets))
                return False

            consumer._commit = refuse
            await log.append(heard("1"))
            await first.folded()
            await until("a commit was refused", lambda: len(refused), 10)
            assert await committed(bootstrap, HR_EVENTS, HERE) is None
            consumer._commit = original
            await log.append(heard("2"))
            await first.folded()
            await until("the next commit covers both", lambda: _is_committed(bootstrap, 2), 10)
            consumer._commit = refuse
            await log.append(heard("3"))
            await first.folded()
            await until("the last commit was refused", lambda: len(refused) > 1, 10)

        async with desk(bootstrap, tmp_path) as second:
            assert set(second.rows("people")) == {"acme/1", "acme/2", "acme/3"}
        assert await committed(bootstrap, HR_EVENTS, HERE) == 3


# -- what cannot be read ----------------------------------------------------------------------------------------------


async def test_bytes_that_are_no_record_become_one_dead_letter_each_and_hold_nobody_up(
    bootstrap: str, tmp_path: Path
) -> None:
    garbage = b'{"not": "ours"}'
    large = b"x" * (int(3.5 * 1024 * 1024))
    async with event_log(bootstrap) as log:
        for topic in INPUTS:
            await log.put(topic.name, HERE, [(b"acme", garbage), (b"acme", None)])
        await log.put(HR_EVENTS.name, HERE, [(b"\xff\xfe", large)])
        event = await log.append(heard("1"))
        await log.append(read("1", event, email="ada@acme.test"))

        async with desk(bootstrap, tmp_path) as one:
            assert one.rows("people")["acme/1"]["email"] == "ada@acme.test"
            assert len(one.rows("contacts")) == 1

        letters = [letter for letter in await records(bootstrap, DEAD_LETTERS) if isinstance(letter, DeadLetter)]
        origins = Counter((one.origin.topic, one.origin.offset) for one in letters if one.origin is not None)
        assert origins == Counter([(t.name, n) for t in INPUTS for n in (0, 1)] + [(HR_EVENTS.name, 2)])
        assert {base64.b64decode(one.payload) for one in letters} == {garbage, b""}
        assert all(one.error == "UndecodableRecord" and one.stage == one.origin.topic for one in letters if one.origin)
        assert all("ours" not in one.message for one in letters)

        await commit(bootstrap, 0)
        async with desk(bootstrap, tmp_path):
            pass
    again = Counter(
        (one.origin.topic, one.origin.offset)
        for one in await records(bootstrap, DEAD_LETTERS)
        if isinstance(one, DeadLetter) and one.origin is not None
    )
    last = {topic.name: max(offset for name, offset in origins if name == topic.name) for topic in INPUTS}
    assert all(offset == last[name] for name, offset in again - origins), "only the last of a topic may be repeated"


async def test_a_backlog_in_one_partition_holds_up_its_neighbour_for_a_fetch_and_no_longer(
    bootstrap: str, tmp_path: Path
) -> None:
    backlog = 6000
    async with event_log(bootstrap) as log:
        for _ in range(0, backlog, 500):
            await log.append_all([heard("1") for _ in range(500)])
        one = Desk(bootstrap, tmp_path)
        await one.start()
        try:
            await until("its folding has begun", lambda: _folded(one, HERE) >= 100, 60)
            await log.append(heard("9", connection=OTHER))
            await until("the neighbour is folded", lambda: _folded(one, THERE) == 1, 60)
            assert _folded(one, HERE) < backlog / 2
        finally:
            await one.stop()


def _folded(one: Desk, partition: int) -> int:
    """Of the HR events."""
    if one.worker._parts is None or partition not in one.folding.owned.partitions:
        return 0
    return one.folding.owned.partitions[partition].next[HR_EVENTS.name]
