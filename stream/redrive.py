"""What redriving a dead letter appends to the log. A contact or a person is read again and put right; a delivery is
understood anew, and a record that could not be decoded is decoded anew, by what this version of the product knows.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from datetime import datetime

from aiohttp import hdrs

from stream.bamboohr.payloads import understand
from stream.codec import decode
from stream.errors import RecordRefused, UndecodableRecord
from stream.records import AnyRecord, DeadLetter, EmployeeId, EmployeeSnapshot, HrEvent, SyncOutcome
from stream.topics import TOPICS


class NotRedriven(RecordRefused):
    """The letter cannot be redriven as things are; nothing was appended."""


def payload_of(letter: DeadLetter) -> bytes | None:
    """The bytes that failed; None when they lie at the letter's origin alone. Raises NotRedriven."""
    if not letter.payload and letter.origin is not None:
        return None
    try:
        return b64decode(letter.payload, validate=True)
    except ValueError:
        raise NotRedriven("The letter's payload is damaged: drop this letter.") from None


def redriven(letter: DeadLetter, payload: bytes | None, now: datetime) -> AnyRecord:
    """The record to append. payload: as the letter or its origin holds it, None when neither does any more.

    Raises NotRedriven with what stands in the way.
    """
    if payload is None:
        raise NotRedriven("The log no longer holds what failed: drop this letter.")
    try:
        if letter.origin is None:
            return _delivery(letter, payload)
        record = decode(next(topic for topic in TOPICS if topic.name == letter.origin.topic), payload)
    except UndecodableRecord as error:
        raise NotRedriven(f"It still cannot be understood: {error.message}") from None
    except StopIteration:
        raise NotRedriven("It comes from a topic that this program does not know: update Rosterbook.") from None
    if letter.stage != letter.origin.topic and isinstance(record, SyncOutcome | EmployeeSnapshot):
        return _insisting(letter, record.employee, now)
    return record


def _insisting(letter: DeadLetter, employee: EmployeeId, now: datetime) -> HrEvent:
    """Whatever is known of the person is read again, and the contact is put right even if nothing seems to differ."""
    return HrEvent(connection=letter.connection, employees=(employee,), kind="redrive", insists=True, received_at=now)


def _delivery(letter: DeadLetter, body: bytes) -> HrEvent:
    headers = letter.headers
    notice = understand(body, headers.get(hdrs.CONTENT_TYPE), headers.get(hdrs.CONTENT_ENCODING))
    if notice.refused is not None:
        raise UndecodableRecord(notice.refused)
    if not notice.employees:
        raise NotRedriven("It does not concern employees: drop this letter.")
    return HrEvent(
        connection=letter.connection,
        employees=notice.employees,
        kind="redrive",
        insists=True,
        types=notice.types,
        changed_fields=notice.changed_fields,
        occurred_at=notice.occurred_at,
        received_at=letter.at,
        digest=hashlib.sha256(body).hexdigest(),
        raw=b64encode(body).decode("ascii"),
        headers=headers,
    )
