"""Puts many people into a worker's tables by the records of their lives, without a call to a vendor.

For each: an `HrEvent` that names them, the `EmployeeSnapshot` that a reading would have given, and, once the roster has
answered with a `ContactUpsert`, the `SyncOutcome` that says that the contact was created. Real workers fold all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.codec import decode, fingerprint
from stream.kafka.event_log import EventLog
from stream.kafka.reader import LogReader
from stream.records import (
    AnyRecord,
    ConnectionId,
    ContactId,
    ContactUpsert,
    EmployeeId,
    EmployeeSnapshot,
    HrEvent,
    LogPosition,
    Mapping,
    SyncOutcome,
)
from stream.topics import APP, CONTACT_UPSERTS, INPUTS, MAX_RECORD_BYTES
from tests.bench.place import until

AT_ONCE = 200
"""People of a delivery, and records that are appended together."""
FIRST_ID = 100_000
"""The sandbox's own people have smaller ids."""
PER_PERSON_S = 0.1


async def bring(log: EventLog, bootstrap: str, connections: Sequence[ConnectionId], people: int) -> None:
    """Return once all are folded and committed: nothing is owed. The connections must not have settings yet."""
    async with asyncio.timeout(60 + PER_PERSON_S * people):
        async with asyncio.TaskGroup() as group:
            group.create_task(_confirm(log, bootstrap, people))
            for number, connection in enumerate(connections):
                ids = range(FIRST_ID + number, FIRST_ID + people, len(connections))
                group.create_task(_arrive(log, connection, [EmployeeId(str(one)) for one in ids]))
    reader, wanted = LogReader(bootstrap), [(topic.name, n) for topic in INPUTS for n in range(log.partitions)]

    async def committed() -> bool:
        return all(extent.next_read == extent.end for extent in (await reader.extents(APP, wanted)).values())

    await until(committed, 60)


async def _arrive(log: EventLog, connection: ConnectionId, employees: Sequence[EmployeeId]) -> None:
    for begin in range(0, len(employees), AT_ONCE):
        ids, now = tuple(employees[begin : begin + AT_ONCE]), datetime.now(UTC)
        cause = await log.append(HrEvent(connection=connection, employees=ids, kind="webhook", received_at=now))
        await log.append_all([_snapshot(connection, employee, cause) for employee in ids], deadline=30)


def _snapshot(connection: ConnectionId, employee: EmployeeId, cause: LogPosition) -> EmployeeSnapshot:
    return EmployeeSnapshot(
        connection=connection,
        employee=employee,
        through=cause.offset,
        cause=cause,
        mapping_version=fingerprint(Mapping()),
        read_at=datetime.now(UTC),
        state="read",
        fields={
            "firstName": "Ada",
            "lastName": f"Number {employee}",
            "workEmail": f"ada.{employee}@{connection}.example",
            "jobTitle": "Software Engineer",
            "department": "Research and Development",
            "status": "Active",
            "employmentHistoryStatus": "Full-Time",
        },
    )


async def _confirm(log: EventLog, bootstrap: str, people: int) -> None:
    """Say of each contact that it was created, as soon as it is wanted."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", max_partition_fetch_bytes=MAX_RECORD_BYTES
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(CONTACT_UPSERTS.name, n) for n in range(log.partitions)])
        confirmed = 0
        while confirmed < people:
            for messages in (await consumer.getmany(timeout_ms=500, max_records=AT_ONCE)).values():
                wanted = [decode(CONTACT_UPSERTS, message.value) for message in messages]
                await log.append_all([_created(upsert) for upsert in wanted], deadline=30)
                confirmed += len(wanted)
    finally:
        await consumer.stop()


def _created(upsert: AnyRecord) -> SyncOutcome:
    assert isinstance(upsert, ContactUpsert)
    return SyncOutcome(
        connection=upsert.connection,
        contact_key=upsert.contact_key,
        employee=upsert.employee,
        contact_id=ContactId(f"460000{upsert.employee:0>12}"),
        action="created",
        settles=upsert.cause.offset,
        fingerprint=fingerprint(upsert.desired),
        chain=(upsert.cause, *upsert.chain),
        calls=1,
        status=201,
        at=datetime.now(UTC),
    )
