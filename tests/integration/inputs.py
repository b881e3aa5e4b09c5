"""Records as the gateway and the lanes append them, and a small story of one company told with them."""

from __future__ import annotations

from datetime import UTC, datetime

from stream.codec import fingerprint
from stream.kafka.event_log import EventLog
from stream.records import (
    ConnectionId,
    ContactUpsert,
    EmployeeId,
    EmployeeSnapshot,
    HrEvent,
    LaneOutcome,
    LogPosition,
    Mapping,
    SyncOutcome,
)
from stream.topics import partition_of

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ACME, OTHER = ConnectionId("acme"), ConnectionId("beta")
"""Two connections in two partitions of two."""
assert partition_of(ACME, 2) != partition_of(OTHER, 2)


def heard(*employees: str, connection: ConnectionId = ACME, insists: bool = False) -> HrEvent:
    ids = tuple(map(EmployeeId, employees))
    return HrEvent(connection=connection, employees=ids, kind="webhook", insists=insists, received_at=AT)


def read(
    employee: str, cause: LogPosition, *, email: str | None, insists: bool = False, title: str = "Engineer"
) -> EmployeeSnapshot:
    """A reading that answers the event at `cause`. email: None = the person is gone."""
    fields = {"firstName": "Ada", "lastName": f"No {employee}", "workEmail": email or "", "jobTitle": title}
    return EmployeeSnapshot(
        connection=ACME,
        employee=EmployeeId(employee),
        through=cause.offset,
        insists=insists,
        cause=cause,
        mapping_version=fingerprint(Mapping()),
        read_at=AT,
        state="gone" if email is None else "read",
        fields={} if email is None else {**fields, "status": "Active"},
    )


def created(upsert: ContactUpsert, contact: str) -> SyncOutcome:
    """The contact was created in Zoho, as wished."""
    return SyncOutcome(
        connection=upsert.connection,
        contact_key=upsert.contact_key,
        employee=upsert.employee,
        contact_id=contact,  # type: ignore[arg-type]  # any text is an id here
        action="created",
        settles=upsert.cause.offset,
        fingerprint="as wished",
        calls=1,
        status=201,
        at=AT,
    )


async def joined(log: EventLog) -> None:
    """Three people join in one delivery, and two of them are read."""
    delivery = await log.append(heard("1", "2", "3"))
    await log.append(read("1", delivery, email="ada@acme.test"))
    await log.append(read("2", delivery, email="ben@acme.test"))


async def moved(log: EventLog, first_of_them: ContactUpsert) -> None:
    """The first contact is created; its person changes the address, the second leaves, the third takes that address."""
    await log.append(created(first_of_them, "460000000001"))
    await log.append(LaneOutcome(connection=ACME, api="zoho", state="suspended", reason="no access", at=AT))
    events = [await log.append(heard(who)) for who in ("1", "2", "3")]
    await log.append(read("1", events[0], email="ada.l@acme.test"))
    await log.append(read("2", events[1], email=None))
    await log.append(read("3", events[2], email="ben@acme.test", insists=True))
    await log.append(heard("4", connection=OTHER))
