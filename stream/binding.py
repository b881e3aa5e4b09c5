"""What a connection id is bound to for life: one BambooHR subdomain and one Zoho Books organization.

Contacts in Zoho are found and changed on the strength of this pairing, so an id that moved to another company, or two
ids that write to one organization, would mix up people. The binding lives in the newest record of the connection's key
on `connections`. Hence the key of an accepted connection never gets a tombstone: whatever removes the connection must
leave a record that still binds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from stream.connection_file import ConnectionFile
from stream.errors import ConnectionFileError
from stream.records import Connection, ConnectionId, RemovedConnection


@dataclass(frozen=True)
class Binding:
    """Compared as a whole. An organization is its id within its region."""

    subdomain: str
    region: str
    organization_id: str

    @classmethod
    def of(cls, connection: Connection | RemovedConnection | ConnectionFile) -> Self:
        if isinstance(connection, RemovedConnection):
            return cls(connection.subdomain, connection.region, connection.organization_id)
        return cls(connection.bamboohr.subdomain, connection.zoho.region, connection.zoho.organization_id)

    @property
    def organization(self) -> tuple[str, str]:
        return self.region, self.organization_id

    def __str__(self) -> str:
        return f"subdomain {self.subdomain}, region {self.region}, organization {self.organization_id}"


def refuse_conflicts(
    connection: ConnectionId, wanted: Binding, known: Iterable[Connection | RemovedConnection]
) -> None:
    """Raise ConnectionFileError when the id is bound to something else, or another id has the organization."""
    for other in known:
        held = Binding.of(other)
        if other.connection == connection and held != wanted:
            raise ConnectionFileError(
                f"Connection {connection} is bound for life to {held}: choose another id for another company.",
                connection=connection,
            )
        if other.connection != connection and held.organization == wanted.organization:
            raise ConnectionFileError(
                f"Connection {other.connection} has organization {held.organization_id} in region {held.region}: "
                f"an organization belongs to one connection, so use that id, or another organization.",
                connection=connection,
            )
