"""What must never be silent about the log: a worker ends, says what to do, and passes nothing over."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions, RecordsToDelete

from stream.errors import ActionNeeded
from stream.kafka.admin import admin
from stream.topics import HR_EVENTS, REFERENCE, changelog_of, partition_of
from stream.vault.vault import new_keyset
from tests.e2e.waiting import until
from tests.integration.connected import WorkerProcess
from tests.integration.harness import PARTITIONS, Desk, commit, committed, desk, event_log, recreate
from tests.integration.inputs import ACME, OTHER, heard

HERE = partition_of(ACME, PARTITIONS)


async def told(bootstrap: str, *people: str) -> None:
    async with event_log(bootstrap) as log:
        for who in people:
            await log.append(heard(who))


async def told_at_once(bootstrap: str, people: list[str]) -> None:
    async with event_log(bootstrap) as log:
        await log.append(heard(*people))


async def _is_committed(bootstrap: str, offset: int) -> bool:
    return await committed(bootstrap, HR_EVENTS, HERE) == offset


async def test_records_that_were_deleted_before_they_were_folded_stop_the_worker(
    bootstrap: str, tmp_path: Path
) -> None:
    await told(bootstrap, "1", "2", "3", "4")
    async with event_log(bootstrap) as log:
        await log.append(heard("9", connection=OTHER))
    async with admin(bootstrap) as client:
        await client.delete_records({TopicPartition(HR_EVENTS.name, HERE): RecordsToDelete(before_offset=3)})
    await commit(bootstrap, 0)
    await commit(bootstrap, 1, HR_EVENTS)
    one = Desk(bootstrap, tmp_path)
    await one.start()
    error = await one.ended()
    assert isinstance(error, ActionNeeded)
    assert error.message.startswith(f"Records 1 to 2 of rosterbook.hr-events, partition {HERE}, were deleted")
    assert await committed(bootstrap, HR_EVENTS, HERE) == 1


async def test_a_log_that_ends_before_what_was_folded_stops_the_worker(bootstrap: str, tmp_path: Path) -> None:
    await told(bootstrap, "1", "2")
    await commit(bootstrap, 0)
    await commit(bootstrap, 5, HR_EVENTS)
    one = Desk(bootstrap, tmp_path)
    await one.start()
    error = await one.ended()
    assert isinstance(error, ActionNeeded)
    assert "was folded up to 5" in error.message


async def test_a_topic_that_was_made_again_since_it_was_folded_stops_the_worker(bootstrap: str, tmp_path: Path) -> None:
    """Kafka forgets with a topic what was committed of it, and the new one may well be longer."""
    await told(bootstrap, "1")
    async with desk(bootstrap, tmp_path / "first") as one:
        await until("all is committed", one.all_committed, 20)
    await recreate(bootstrap, [HR_EVENTS.name])
    await told(bootstrap, "2", "3")
    for data in ("first", "lost"):  # the changelogs know it too
        another = Desk(bootstrap, tmp_path / data)
        await another.start()
        error = await another.ended()
        assert isinstance(error, ActionNeeded)
        assert f"Topic {HR_EVENTS.name} was deleted and made again" in error.message
        assert "`rosterbook tables rebuild`" in error.message
    assert await committed(bootstrap, HR_EVENTS, HERE) is None


@pytest.mark.thorough
async def test_a_changelog_that_was_made_again_stops_the_worker(bootstrap: str, tmp_path: Path) -> None:
    await told(bootstrap, "1")
    async with desk(bootstrap, tmp_path) as one:
        await until("all is committed", one.all_committed, 20)
    await recreate(bootstrap, [changelog_of("people")])
    another = Desk(bootstrap, tmp_path)
    await another.start()
    error = await another.ended()
    assert isinstance(error, ActionNeeded)
    assert error.message.startswith(f"Table people lacks what was folded into its partition {HERE}")


async def test_a_topic_that_is_made_again_under_a_running_worker_ends_it(bootstrap: str, tmp_path: Path) -> None:
    async with desk(bootstrap, tmp_path) as one:
        await recreate(bootstrap, [REFERENCE.name])
        error = await one.ended()
    assert isinstance(error, ActionNeeded)
    assert f"Topic {REFERENCE.name} was deleted" in error.message


async def test_a_worker_that_may_write_no_more_ends_with_a_sentence_and_acks_nothing(
    bootstrap: str, tmp_path: Path
) -> None:
    """Rows are in the changelog before the store takes them: what it could not take comes again."""
    worker = WorkerProcess(tmp_path, bootstrap, partitions=str(PARTITIONS), vault_keys=new_keyset())
    await worker.start()
    people = [str(number) for number in range(1, 201)]
    try:
        await worker.ready()
        await told(bootstrap, "1")
        await until("the first is committed", lambda: _is_committed(bootstrap, 1), 20)
        resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, (8192, 8192))
        await told_at_once(bootstrap, people)
        assert await worker.ended() == 1, "it may be started again when there is room"
    finally:
        await worker.end()
    (last,) = worker.events("worker.crashed")
    assert last["reason"] == (
        f"The worker may not write more into a file of {tmp_path}: raise the file-size limit (ulimit -f)."
    )
    assert await committed(bootstrap, HR_EVENTS, HERE) == 1
    async with desk(bootstrap, tmp_path) as one:
        assert set(one.rows("people")) == {f"{ACME}/{who}" for who in people}


@pytest.mark.thorough
async def test_a_topic_that_gets_more_partitions_under_a_running_worker_ends_it(bootstrap: str, tmp_path: Path) -> None:
    async with desk(bootstrap, tmp_path) as one:
        async with admin(bootstrap) as client:
            await client.create_partitions({REFERENCE.name: NewPartitions(PARTITIONS + 1)})
        error = await one.ended()
        await recreate(bootstrap, [REFERENCE.name])
    assert isinstance(error, ActionNeeded)
    assert f"had {PARTITIONS} partitions and has {PARTITIONS + 1} now" in error.message
