"""Has one person read again and the contact put right, and follows in the log what comes of it.

It needs no word with the worker: whichever owns the connection, what it does is on the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from pydantic import ValidationError

from stream.codec import decode
from stream.core.rows import Address, Person
from stream.core.trace import Trace
from stream.errors import RecordRefused, Retriable
from stream.kafka.event_log import EventLog
from stream.kafka.scan import Entry, LogScan
from stream.records import ContactUpsert, Email, EmployeeSnapshot, HrEvent, Mapping, SyncOutcome
from stream.topics import CONTACT_UPSERTS, EMPLOYEES, OUTCOMES, changelog_of

SILENCE_S = 60.0
"""Seconds in which nothing of the person is on the log, after which it is not waited for any longer."""
RECORDS = {topic.name: topic for topic in (EMPLOYEES, CONTACT_UPSERTS, OUTCOMES)}
PEOPLE, ADDRESSES = changelog_of("people"), changelog_of("roster")


async def sync(log: EventLog, scan: LogScan, event: HrEvent, mapping: Mapping) -> Trace:
    """Append the event, of one employee, and return what came of it once there is no more to come.

    mapping: of the connection. Raises LogUnavailable, and Retriable when nothing happens for SILENCE_S:
    it stays asked, and is done when a worker comes.
    """
    (employee,) = event.employees
    topics = [*RECORDS, PEOPLE, ADDRESSES]
    async with aclosing(scan.follow(topics, log.partition_of(event.connection))) as entries:
        await anext(entries)  # the mark of where the topics ended before we asked
        position = await log.append(event)
        trace = Trace(employee, position.offset, mapping)
        while trace.end is None:
            try:
                async with asyncio.timeout(SILENCE_S):
                    await _next(entries, trace, event)
            except TimeoutError:
                raise Retriable(
                    f"Nothing happened for {SILENCE_S:g} s: `rosterbook connection show {event.connection}` tells what "
                    "the worker waits for. The employee stays asked for.",
                    connection=event.connection,
                ) from None
    return trace


async def _next(entries: AsyncGenerator[Entry | None, None], trace: Trace, event: HrEvent) -> None:
    """Tell the trace of entries until one is about the person, or the last that it needed."""
    async for entry in entries:
        if entry is None or entry.value is None:
            continue
        if _told(trace, entry, entry.value, event) or trace.end is not None:
            return


def _told(trace: Trace, entry: Entry, value: bytes, event: HrEvent) -> bool:
    topic = RECORDS.get(entry.position.topic)
    if topic is None:
        return _row(trace, entry, value, event)
    try:
        record = decode(topic, value)
    except RecordRefused:
        return False
    if record.connection != event.connection:
        return False
    match record:
        case EmployeeSnapshot():
            trace.read(record, entry.position)
        case ContactUpsert():
            trace.wished(record)
        case SyncOutcome():
            trace.learnt(record)
    return getattr(record, "employee", None) == trace.employee


def _row(trace: Trace, entry: Entry, value: bytes, event: HrEvent) -> bool:
    """Rows are keyed by the connection and what they are of."""
    connection, _, key = (entry.key or b"").decode(errors="replace").partition("/")
    if connection != event.connection:
        return False
    try:
        if entry.position.topic == ADDRESSES:
            trace.claimed(Email(key), Address.model_validate_json(value))
        elif key == trace.employee:
            trace.folded(Person.model_validate_json(value))
            return True
    except ValidationError:  # of another version: what it says is not needed to know the end
        return False
    return False
