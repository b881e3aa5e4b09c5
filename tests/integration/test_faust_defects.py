"""Defects of Faust that would lose records or stop a worker for good: none of them reaches ours.

That one unacked record at the head is committed past (FS#606), and that a failed commit counts as done (FS#316), cannot
matter to acks in order: `test_folding.py` shows both.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from errno import ENOSPC
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete
from faust.tables.recovery import RebalanceAgain
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP

import agents.faust_app
import agents.faust_recovery
from agents.faust_app import CoPartitioned, faust_app, refuse_unchecked_versions
from agents.faust_edge import FaustStore
from agents.origins import ORIGINS
from agents.recovery import named
from stream.core.rows import Person
from stream.errors import ActionNeeded, LogUnavailable
from stream.kafka.admin import admin
from stream.kafka.protocol import SetTopicConfigs
from stream.kafka.reader import LogReader
from stream.settings import Settings
from stream.topics import HR_EVENTS, changelog_of, partition_of
from tests.e2e.waiting import until
from tests.integration.harness import PARTITIONS, Desk, desk, event_log
from tests.integration.inputs import ACME, heard

PEOPLE = changelog_of("people")
HERE = partition_of(ACME, PARTITIONS)
DAY_MS = 24 * 60 * 60 * 1000


async def told_of(bootstrap: str, data: Path, *people: str) -> None:
    """A worker folds a notice for each of these people, and ends.

    The changelog then holds its origins, a row for each person, and the origins again.
    """
    async with event_log(bootstrap) as log, desk(bootstrap, data) as one:
        for who in people:
            await log.append(heard(who))
        await one.folded()
        await one.folding.results.tables["people"].write_again(HERE, ORIGINS)
        await until("all is committed", one.all_committed, 20)


async def forget(bootstrap: str, before: int) -> None:
    """Delete the changelog's records before this offset, as somebody could who gave it a retention."""
    async with admin(bootstrap) as client:
        await client._send_to_controller(SetTopicConfigs({PEOPLE: {"cleanup.policy": "compact,delete"}}))
        await client.delete_records({TopicPartition(PEOPLE, HERE): RecordsToDelete(before_offset=before)})


def row_of(offset: int) -> bytes:
    return orjson.dumps(Person(folded={"rosterbook.hr-events": offset}).model_dump(mode="json"))


# -- recovery ---------------------------------------------------------------------------------------------------------


async def test_a_changelog_whose_beginning_is_gone_is_recovered(bootstrap: str, tmp_path: Path) -> None:
    """Faust seeks to one before the beginning (FS#176), which is out of range."""
    await told_of(bootstrap, tmp_path / "first", "1", "2", "3")
    await forget(bootstrap, 2)

    async with desk(bootstrap, tmp_path / "second") as second:
        assert set(second.rows("people")) == {"acme/2", "acme/3"}


async def test_a_changelog_that_is_deleted_to_its_end_does_not_stall_recovery(bootstrap: str, tmp_path: Path) -> None:
    """It is over, and so what was lost is seen."""
    await told_of(bootstrap, tmp_path / "first", "1", "2", "3")
    await forget(bootstrap, 5)

    second = Desk(bootstrap, tmp_path / "second")
    await second.start()
    error = await second.ended()
    assert isinstance(error, ActionNeeded)
    assert error.message.startswith(f"Table people lacks what was folded into its partition {HERE}")


async def test_recovery_does_not_wait_for_a_last_record_that_is_not_there(bootstrap: str, tmp_path: Path) -> None:
    """As when compaction has taken a tombstone from the end; here the marker of a transaction stands there."""
    await told_of(bootstrap, tmp_path / "first", "1")
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id="a test")
    await producer.start()
    try:
        async with producer.transaction():
            await producer.send_and_wait(PEOPLE, row_of(1), b"acme/2", partition=HERE, headers=named(0))
    finally:
        await producer.stop()
    ends = {(PEOPLE, HERE): 5, (HR_EVENTS.name, 1 - HERE): 0}
    assert await LogReader(bootstrap).last_records(ends) == {(PEOPLE, HERE): 3, (HR_EVENTS.name, 1 - HERE): -1}

    async with desk(bootstrap, tmp_path / "second") as cold:
        assert set(cold.rows("people")) == {"acme/1", "acme/2"}
    async with desk(bootstrap, tmp_path / "second") as warm:
        assert set(warm.rows("people")) == {"acme/1", "acme/2"}


async def test_a_row_that_cannot_be_recovered_is_told_to_the_worker_which_must_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust logs a warning and goes on without the row."""
    failed: list[BaseException] = []
    full = OSError(ENOSPC, "No space left on device")

    def refused(*_: Any) -> None:
        raise full

    app = faust_app(Settings(data=tmp_path), "127.0.0.1:1", PARTITIONS, LogReader("127.0.0.1:1"))
    store = FaustStore(app, "people", PARTITIONS, failed.append)
    monkeypatch.setattr(FaustStore, "get", lambda *_: None)
    monkeypatch.setattr(FaustStore, "write", refused)
    row = SimpleNamespace(topic=PEOPLE, partition=HERE, offset=0, key=b"acme/1", value=row_of(0), headers=())
    with pytest.raises(OSError, match="No space"):
        store.faust.apply_changelog_batch([SimpleNamespace(message=row)])
    assert failed == [full]


async def test_what_is_written_to_changelogs_is_not_fetched(bootstrap: str, tmp_path: Path) -> None:
    """aiokafka would keep it for ever, since Faust takes it from nowhere but its own recovery."""
    async with event_log(bootstrap) as log, desk(bootstrap, tmp_path) as one:
        for who in "12":
            await log.append(heard(who))
            await one.folded()
        assert set(one.rows("people")) == {"acme/1", "acme/2"}
        assert one.worker._parts is not None
        thread: Any = one.worker._parts.app.consumer._thread  # type: ignore[attr-defined]  # Faust's own
        assert TopicPartition(PEOPLE, HERE) in thread._consumer.assignment()
        assert not [place for place in thread._consumer._fetcher._records if place.topic == PEOPLE]


async def test_a_record_of_another_changelog_reaches_no_table(bootstrap: str, tmp_path: Path) -> None:
    """Faust hands one of a partition that has just gone to the table that the record before was for."""
    row: dict[str, Any] = {"partition": HERE, "offset": 1, "value": row_of(0), "headers": named(0)}
    stray = SimpleNamespace(topic=changelog_of("roster"), key=b"acme/9", **row)
    kept = SimpleNamespace(topic=PEOPLE, key=b"acme/8", **row)
    async with desk(bootstrap, tmp_path) as one:
        store: Any = one.folding.results.tables["people"]._store
        store.faust.apply_changelog_batch([SimpleNamespace(message=message) for message in (stray, kept)])
        assert set(one.rows("people")) == {"acme/8"}


async def test_a_cluster_that_is_slow_to_tell_the_ends_does_not_leave_tables_empty(
    bootstrap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust takes a step of a recovery that lasts too long for done: the tables would be empty."""
    await told_of(bootstrap, tmp_path / "first", "1")

    async def never(*_: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(AIOKafkaConsumerThread, "highwaters", never)
    monkeypatch.setattr(agents.faust_recovery, "want_seconds", lambda _: 2.0)
    second = Desk(bootstrap, tmp_path / "second")
    await second.start()
    error = await second.ended()
    assert isinstance(error, LogUnavailable)
    assert error.message.endswith("while tables were recovered: check that it runs.")


async def test_a_recovery_may_read_for_longer_than_a_step_may_take(tmp_path: Path) -> None:
    """It would be broken off, and begun again, for ever."""
    place, rows = TP(PEOPLE, HERE), [SimpleNamespace(topic=PEOPLE, partition=HERE, offset=offset) for offset in (1, 2)]

    class Slow:
        async def read(self, starts: object, ends: object, take: Callable[[Sequence[Any]], None]) -> None:
            assert (starts, ends) == ({(PEOPLE, HERE): 1}, {(PEOPLE, HERE): 3})
            await asyncio.sleep(0.5)  # longer than the step may take, by the real clock that its time-out goes by
            take(rows)

    app = faust_app(Settings(data=tmp_path), "127.0.0.1:1", PARTITIONS, cast(Any, Slow()))
    recovery: Any = app.tables.recovery
    taken: list[Any] = []
    recovery.tp_to_table[place] = SimpleNamespace(apply_changelog_batch=taken.extend)
    recovery.active_highwaters[place] = 2
    offsets = Counter({place: 0})
    sought: list[object] = []

    async def seek_wait(positions: object) -> None:
        sought.append(positions)

    seeking = recovery._seek_offsets(SimpleNamespace(seek_wait=seek_wait), {place}, offsets, "active")
    await recovery._wait(seeking, timeout=0.2)
    assert [one.message for one in taken] == rows
    assert (offsets, sought) == ({place: 2}, [{place: 2}]), "nothing is left for Faust to read"


async def test_a_recovery_that_a_rebalance_breaks_off_is_not_complete(tmp_path: Path) -> None:
    """Faust says that it is, and the partitions of the new assignment would be opened before theirs has begun."""
    app = faust_app(Settings(data=tmp_path), "127.0.0.1:1", PARTITIONS, LogReader("127.0.0.1:1"))
    said: list[None] = []

    async def complete(*_: Any, **__: Any) -> None:
        said.append(None)

    app.on_rebalance_complete.connect(complete)
    recovery: Any = app.tables.recovery
    recovery.signal_recovery_start.set()
    with pytest.raises(RebalanceAgain):
        await recovery.on_recovery_completed(app.consumer_generation_id)
    recovery.signal_recovery_start.clear()
    with pytest.raises(RebalanceAgain):
        await recovery.on_recovery_completed(app.consumer_generation_id - 1)
    assert said == []


# -- the rest ---------------------------------------------------------------------------------------------------------


async def test_no_length_of_work_or_of_idleness_takes_a_worker_out_of_its_group(bootstrap: str, tmp_path: Path) -> None:
    """Once the poll interval is exceeded Faust never comes back (FS#138); an idle worker exceeds it too."""
    async with desk(bootstrap, tmp_path) as one:
        consumer: Any = one.folding.owned._group.app.consumer
        assert consumer._thread._consumer._coordinator._max_poll_interval * 1000 > 100 * DAY_MS


async def test_a_worker_starts_without_a_wait_for_tables_that_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = faust_app(Settings(data=tmp_path), "127.0.0.1:1", PARTITIONS, LogReader("127.0.0.1:1"))
    done: list[str] = []

    def noted(step: str) -> Callable[..., Awaitable[None]]:
        async def note(*_: Any) -> None:
            done.append(step)

        return note

    tables: Any = app.tables
    monkeypatch.setattr(tables, "sleep", noted("waited"))
    monkeypatch.setattr(tables, "_update_channels", noted("registered"))
    monkeypatch.setattr(tables.recovery, "start", noted("recovery began"))
    await tables.on_start()
    assert done == ["registered", "recovery began"]


async def test_a_resumed_flow_keeps_what_is_in_the_queues(tmp_path: Path) -> None:
    app = faust_app(Settings(data=tmp_path), "127.0.0.1:1", PARTITIONS, LogReader("127.0.0.1:1"))
    queue = app.FlowControlQueue(maxsize=10, clear_on_resume=True)
    app.flow_control.resume()
    await queue.put("a record")
    app.flow_control.resume()
    assert queue.qsize() == 1
    app.flow_control.suspend()
    app.flow_control.resume()
    assert queue.qsize() == 0, "after a rebalance it comes again"


def test_topics_go_to_workers_together_in_whatever_order_their_readers_are_named() -> None:
    topics = {"hr-events", "employees"}
    assert list(CoPartitioned._group_co_subscribed(topics, {"a": ["hr-events"], "b": ["employees"]})) == [topics]


def test_a_version_that_nobody_has_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_unchecked_versions()
    monkeypatch.setattr(agents.faust_app, "version", lambda package: "0.15.4")
    with pytest.raises(ActionNeeded, match=r"faust-streaming 0\.15\.4 .* \(0\.15\.3\)"):
        refuse_unchecked_versions()
