"""What fails for good becomes a dead letter: a contact that Zoho Books refuses, a person whom BambooHR does not show.

The letter's origin is the record that says so, whose payload it keeps, and whose chain of causes leads to the rest; so
a fold that comes again can tell whether the log has the letter already.
"""

from __future__ import annotations

from base64 import b64encode

from stream.codec import canonical
from stream.records import DeadLetter, EmployeeSnapshot, LogPosition, SyncOutcome


def of_outcome(outcome: SyncOutcome, position: LogPosition) -> tuple[DeadLetter, ...]:
    """One letter if the contact was given up, else none. A held one waits for a decision: it has not failed."""
    if outcome.action != "failed":
        return ()
    return (
        DeadLetter(
            connection=outcome.connection,
            stage="zoho",
            error=outcome.error or "RecordRefused",
            message=outcome.reason or "Zoho Books refuses this contact.",
            origin=position,
            payload=b64encode(canonical(outcome)).decode("ascii"),
            at=outcome.at,
        ),
    )


def of_snapshot(snapshot: EmployeeSnapshot, position: LogPosition) -> tuple[DeadLetter, ...]:
    """One letter if the person could not be read, else none."""
    if snapshot.state != "unreadable":
        return ()
    return (
        DeadLetter(
            connection=snapshot.connection,
            stage="bamboohr",
            error=snapshot.error or "RecordRefused",
            message=snapshot.reason or "BambooHR does not show this employee.",
            origin=position,
            payload=b64encode(canonical(snapshot)).decode("ascii"),
            at=snapshot.read_at,
        ),
    )
