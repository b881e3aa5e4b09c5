"""`connection add` holds a mapping against both vendors before it is saved, as `mapping check` does."""

from __future__ import annotations

from pathlib import Path

from agents.cli.asked import carried_out
from agents.cli.console import note
from agents.cli.first_clients import clients
from stream.clock import Clock
from stream.codec import canonical
from stream.comparison import Compared, compared
from stream.connection_file import ConnectionFile
from stream.core.targets import Fault
from stream.errors import LogUnavailable, RosterbookError
from stream.records import Connection, ConnectionId, Mapping
from stream.settings import Settings
from stream.toml_file import read_toml


async def fitting(
    loaded: ConnectionFile, path: Path, known: Connection | None, settings: Settings, clock: Clock
) -> ConnectionFile:
    """The file, with refresh tokens that came meanwhile. known: the connection as it is; its worker is asked then.

    Raises ConnectionFileError with the lines where the mapping does not fit. That it cannot be compared, since the
    credentials are wrong or a vendor is away, is told, and no reason to refuse it.
    """
    if loaded.mapping in (Mapping(), known.mapping if known is not None else None):
        return loaded
    try:
        if known is None:
            loaded, faults = await _by_us(loaded, settings, clock)
        else:
            # The refresh token of the file may be used up by now, but for the worker.
            _, faults = await by_its_worker(loaded.id, loaded.mapping)
    except LogUnavailable:
        raise
    except RosterbookError as error:
        note(f"Whether the mapping fits is not known yet: {error.message}")
        note(f"Ask later with `rosterbook mapping check {loaded.id}`.")
        return loaded
    if faults:
        raise read_toml(path).refusal([(("mapping", *fault.place), fault.says) for fault in faults])
    return loaded


async def _by_us(loaded: ConnectionFile, settings: Settings, clock: Clock) -> tuple[ConnectionFile, list[Fault]]:
    """No worker has the connection yet."""
    async with clients(loaded, settings, clock) as (hr, books_of, renewed):
        found = await compared(loaded.mapping, hr, books_of(loaded.zoho.organization_id))
        return renewed(loaded), found.faults


async def by_its_worker(connection: ConnectionId, mapping: Mapping) -> Compared:
    """What the worker that owns the connection finds. Raises RosterbookError where it could not compare."""
    answer = await carried_out(connection, "check mapping", {"mapping": canonical(mapping).decode()})
    told = answer.result.get("faults")
    if answer.state == "failed" or not isinstance(told, list):
        raise RosterbookError(answer.says)
    return Compared(answer.says, [Fault.model_validate(one, strict=False) for one in told])
