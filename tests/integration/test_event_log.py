"""Appending: where a record lies, in which order, what is refused, and an outage."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from stream.codec import canonical
from stream.errors import ActionNeeded, LogUnavailable, RecordRefused
from stream.kafka.admin import admin, apply
from stream.kafka.embedded import EmbeddedKafka
from stream.kafka.event_log import EventLog
from stream.records import ConnectionId, HrEvent
from stream.topics import HR_EVENTS, MAX_RECORD_BYTES, changelog_of
from tests.e2e.waiting import until
from tests.integration.harness import event_log, records, values
from tests.integration.inputs import ACME, AT, OTHER, heard


def weighing(size: int) -> HrEvent:
    """An event of so many bytes in all."""
    event = HrEvent(connection=ACME, employees=(), kind="webhook", received_at=AT, raw="")
    return event.model_copy(update={"raw": "x" * (size - len(canonical(event)))})


async def test_records_of_a_connection_keep_their_order_and_lie_where_append_says(bootstrap: str) -> None:
    async with event_log(bootstrap) as log:
        one_by_one = [await log.append(heard(str(n))) for n in range(3)]
        at_once = await asyncio.gather(*(log.append(heard(str(n))) for n in range(3, 40)))
        together = await log.append_all([heard(str(n)) for n in range(40, 45)])
        elsewhere = await log.append(heard("1", connection=OTHER))

        positions = [*one_by_one, *at_once, *together]
        assert [p.offset for p in positions] == list(range(45))
        assert {p.partition for p in positions} == {log.partition_of(ACME)} != {elsewhere.partition}
        assert {p.topic_id for p in positions} == {log.topic_id(HR_EVENTS.name)}
    found = [r for r in await records(bootstrap, HR_EVENTS) if isinstance(r, HrEvent) and r.connection == ACME]
    assert [event.employees for event in found] == [(str(n),) for n in range(45)]


async def test_a_record_about_the_limit_is_taken_or_refused_and_never_taken_for_an_outage(bootstrap: str) -> None:
    async with event_log(bootstrap) as log:
        for over in (-200, -128, -100, -64, -1, 0):  # key and frames count for the brokers too
            with suppress(RecordRefused):
                await log.append(weighing(MAX_RECORD_BYTES + over))
        with pytest.raises(RecordRefused, match=r"over the limit of rosterbook.hr-events"):
            await log.append(weighing(MAX_RECORD_BYTES + 1))
        await log.append(weighing(MAX_RECORD_BYTES - 1024))


async def test_raw_rows_are_put_in_order_and_a_tombstone_takes_one_away(bootstrap: str) -> None:
    changelog = changelog_of("people")
    async with event_log(bootstrap) as log:
        assert await log.put(changelog, 1, [(b"a", b"1"), (b"b", b"2"), (b"a", None)], [("claim", b"7")]) == [0, 1, 2]
    assert await values(bootstrap, changelog) == [(1, 0, b"a", b"1"), (1, 1, b"b", b"2"), (1, 2, b"a", None)]


async def test_a_row_over_the_limit_is_told_with_its_size_and_its_table_and_the_others_go_on(bootstrap: str) -> None:
    changelog = changelog_of("people")
    async with event_log(bootstrap) as log:
        for size in (MAX_RECORD_BYTES, MAX_RECORD_BYTES + 1):
            with pytest.raises(ActionNeeded, match=rf"A row of {size} bytes is over the limit of {changelog}:"):
                await log.put(changelog, 1, [(b"a", b"x" * (size - 1))])
        assert await log.put(changelog, 1, [(b"a", b"1")]) == [0]


async def test_topics_that_are_missing_are_named(bootstrap: str) -> None:
    async with admin(bootstrap) as client:
        await client.delete_topics([HR_EVENTS.name])

        async def gone() -> bool:
            return HR_EVENTS.name not in await client.list_topics()

        await until("the topic is gone", gone, 10)
    with pytest.raises(LogUnavailable, match=r"Topics are missing \(rosterbook.hr-events and others\): run"):
        await EventLog(bootstrap).start()


async def test_an_outage_is_told_within_the_deadline_and_over_when_kafka_is_back(tmp_path: Path) -> None:
    kafka = EmbeddedKafka(tmp_path)
    await kafka.start()
    try:
        async with admin(kafka.bootstrap) as client:
            await apply(client, 2, 1, 1)
        log = EventLog(kafka.bootstrap, deadline=1.5)
        await log.start()
        try:
            await log.append(heard("1"))
            await kafka.stop()

            began = asyncio.get_running_loop().time()
            with pytest.raises(LogUnavailable, match=r"did not confirm an append within 1.5 s"):
                await log.append(heard("2"))
            assert asyncio.get_running_loop().time() - began < 3

            await kafka.start()

            async def works() -> bool:
                try:
                    await log.append(heard("3"))
                except LogUnavailable:
                    return False
                return True

            await until("the log takes records again", works, 40)
            found = [r.employees for r in await records(kafka.bootstrap, HR_EVENTS) if isinstance(r, HrEvent)]
            assert found[0] == ("1",)
            assert ("3",) in found
        finally:
            await log.stop(grace=1)
    finally:
        await kafka.stop()


async def test_what_is_appended_before_the_start_is_refused() -> None:
    with pytest.raises(LogUnavailable, match="not connected"):
        await EventLog("127.0.0.1:1").append(heard("1", connection=ConnectionId("acme")))
