"""Says what a fold sets aside."""

from __future__ import annotations

from collections.abc import Iterable

from structlog.stdlib import BoundLogger

from stream.records import DeadLetter, EmployeeId
from stream.telemetry import DEAD_LETTERED


def tell(logger: BoundLogger, event: str, employee: EmployeeId, letters: Iterable[DeadLetter]) -> None:
    """Count and log each letter. employee: whom they are about."""
    for letter in letters:
        DEAD_LETTERED.labels(letter.stage).inc()
        logger.error(event, connection=letter.connection, employee=employee, error=letter.error, reason=letter.message)
