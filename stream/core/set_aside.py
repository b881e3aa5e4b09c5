"""What fails for good becomes a dead letter: a contact that Zoho Books refuses, a person whom BambooHR does not show.

The letter's origin is the record that says so, whose payload it keeps, and whose chain of causes leads to the rest; so
a fold that comes again can tell whether the log has the letter already.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from typing import Literal

from stream.codec import canonical
from stream.records import DeadLetter, EmployeeSnapshot, LogPosition, SyncOutcome


def of_outcome(outcome: SyncOutcome, position: LogPosition) -> tuple[DeadLetter, ...]:
    """One letter if the contact was given up, else none. A held one waits for a decision: it has not failed."""
    if outcome.action != "failed":
        return ()
    return (_letter("zoho", outcome, position, outcome.at, "Zoho Books refuses this contact."),)


def of_snapshot(snapshot: EmployeeSnapshot, position: LogPosition) -> tuple[DeadLetter, ...]:
    """One letter if the person could not be read, else none."""
    if snapshot.state != "unreadable":
        return ()
    return (_letter("bamboohr", snapshot, position, snapshot.read_at, "BambooHR does not show this employee."),)


def _letter(
    stage: Literal["bamboohr", "zoho"],
    record: SyncOutcome | EmployeeSnapshot,
    position: LogPosition,
    at: datetime,
    else_why: str,
) -> DeadLetter:
    """else_why: what is said where the record does not say why."""
    return DeadLetter(
        connection=record.connection,
        stage=stage,
        error=record.error or "RecordRefused",
        message=record.reason or else_why,
        origin=position,
        payload=b64encode(canonical(record)).decode("ascii"),
        at=at,
    )
