"""Every error of the product, as a tree whose branches decide what happens next.

RosterbookError
├── Retriable               the same call may work later; `retry_after` (seconds) when somebody said when
│   ├── LogUnavailable      Kafka did not confirm in time
│   ├── RateLimited         a vendor's limit was hit; certainly not applied
│   ├── Unavailable         a vendor is down or does not answer; a read, or certainly not applied
│   └── AnswerLost          a write was sent and its end is unknown: settle, then look up, never repeat at once
├── RecordRefused           permanent for one record: parked or dead-lettered, the rest goes on
│   ├── UndecodableRecord   bytes that no model of ours accepts
│   ├── NewerRecord         a record of a newer version of the product; the agents stop its partition
│   ├── NeverAnswered       the vendor answers about other records, and never about this one
│   └── NotFound            the vendor has no such record
├── ConnectionTrouble       permanent for a connection until somebody acts: its lane is suspended, a command ends with 2
│   ├── CredentialsRefused  key, token, scope or permission is not accepted
│   └── ConnectionMisset    wrong host, organization or region
├── UsageError              wrong usage or settings: exit code 2
│   ├── SettingsError
│   └── ConnectionFileError
└── Fatal                   this process must not go on: exit code 1
    ├── BrokerFailed        the embedded broker could not start or ended
    └── ActionNeeded        nor be started again before somebody has acted: exit code 2
        └── VaultLocked     no key, or the wrong one

The message of each is one sentence that tells a person what to do. It never holds a secret, a name or an address of a
person. The keyword fields say where it happened, and go to the log as they are.
"""

from __future__ import annotations

from typing import ClassVar, Literal


class RosterbookError(Exception):
    """Base of the tree. `context` holds connection, employee, topic, partition, offset, status, code: what is known."""

    def __init__(self, message: str, /, **context: str | int | float | None) -> None:
        super().__init__(message)
        self.message = message
        self.context = {key: value for key, value in context.items() if value is not None}


class Retriable(RosterbookError):
    """The same call may work later. `retry_after`: seconds to wait as told by the other side, None when it did not."""

    def __init__(
        self, message: str, /, *, retry_after: float | None = None, **context: str | int | float | None
    ) -> None:
        super().__init__(message, **context)
        self.retry_after = retry_after


class LogUnavailable(Retriable):
    """Kafka did not confirm an append, or could not be read, in time. The record may be there or may not."""


class RateLimited(Retriable):
    """A vendor's limit was hit. The call was certainly not applied. limit: which one; each is reacted to in its way."""

    limit: ClassVar[Literal["minute", "block", "day", "in flight"]] = "minute"


class Unavailable(Retriable):
    """A vendor is down, slow or answers half. Only raised where nothing can have been applied."""


class AnswerLost(Retriable):
    """A write was sent and nobody knows whether it was applied."""


class RecordRefused(RosterbookError):
    """Permanent for one record: it is parked or becomes a dead letter, and the rest goes on."""


class UndecodableRecord(RecordRefused):
    """Bytes on a topic that none of our models accepts."""


class NewerRecord(RecordRefused):
    """A record whose schema version is newer than this program."""


class NeverAnswered(RecordRefused):
    """The vendor answers about other records, and gave no usable answer about this one however often it was asked."""


class NotFound(RecordRefused):
    """The vendor has no such record (any more)."""


class ConnectionTrouble(RosterbookError):
    """Permanent for a connection until somebody acts: its lane is suspended and probes."""


class CredentialsRefused(ConnectionTrouble):
    """A key, token, scope or permission is not accepted."""


class ConnectionMisset(ConnectionTrouble):
    """The host, organization or region does not fit the credentials."""


class UsageError(RosterbookError):
    """Wrong usage or settings; the command line exits with 2."""


class SettingsError(UsageError):
    """A setting is missing, unknown or out of range."""


class ConnectionFileError(UsageError):
    """A connection file cannot be accepted."""


class Fatal(RosterbookError):
    """This process must not go on; it exits with 1."""


class BrokerFailed(Fatal):
    """The embedded broker could not start, or ended by itself."""


class ActionNeeded(Fatal):
    """Started again, the process would end in the same way, until somebody has done what the message says."""


class VaultLocked(ActionNeeded):
    """No vault key, or one that does not open what is stored."""
