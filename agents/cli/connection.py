"""`rosterbook connection`: what is connected, and how to connect a company."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cyclopts

from agents.cli.checks import check
from agents.cli.console import note, print_json, print_table, say
from agents.cli.modes import pause, resume
from agents.cli.removing import remove
from agents.cli.webhook_key import rotate_webhook
from stream.errors import ConnectionFileError, LogUnavailable, UsageError

if TYPE_CHECKING:
    from agents.cli.dialogue import Dialogue
    from stream.kafka.event_log import EventLog
    from stream.kafka.view import CompactedView
    from stream.records import (
        Command,
        Connection,
        ConnectionId,
        MappingVersion,
        RemovedConnection,
        WebhookRegistration,
    )
    from stream.telemetry import Masked
    from stream.vault import Vault

READ_S = 15.0
"""Seconds within which the connections must be read."""
HIDDEN = "***"


def register(app: cyclopts.App) -> None:
    """Add the group."""
    group = cyclopts.App(name="connection", help="Companies that are connected.", version_flags=[])
    group.command(add)
    group.command(list_, name="list")
    group.command(show)
    group.command(check, name="test")
    group.command(pause)
    group.command(resume)
    group.command(remove)
    group.command(rotate_webhook)
    app.command(group)


async def add(
    file: Path | None = None,
    /,
    *,
    interactive: bool = False,
    consent: bool = False,
    find_region: bool = False,
    json: bool = False,
) -> None:
    """Connect a company, or change its settings; returns once its webhooks are accepted and a worker serves it.

    Parameters
    ----------
    file
        The connection file (TOML).
    interactive
        Ask for everything instead, try it, and save it in mode preview.
    consent
        Use its code, or ask for consent, even where the connection holds a refresh token of this client.
    find_region
        Where Zoho does not know the credentials, ask its other regions, one after the other, which of them does.
    json
        Print JSON.
    """
    from agents.cli.acceptance import refuse_other_vault, wait_until_in_service
    from agents.cli.consents import ConsentDesk
    from agents.cli.mapping_fit import fitting
    from agents.cli.surroundings import bootstrap_servers, command_settings, gateway_url, worker_url
    from stream.binding import Binding, refuse_conflicts
    from stream.clock import SystemClock
    from stream.connection_file import load_connection, seal
    from stream.gateway.certificate import own
    from stream.kafka.event_log import EventLog
    from stream.kafka.scan import LogScan
    from stream.vault import load_vault

    settings = command_settings()
    if (file is None) != interactive:
        raise UsageError("Name a connection file, or say --interactive to be asked, but not both.")
    clock = SystemClock()
    dialogue: Dialogue | None = None
    if file is None:
        from agents.cli.dialogue import Dialogue
        from agents.cli.terminal import Terminal

        dialogue = Dialogue(settings, Terminal(), clock)
        loaded = dialogue.begun()
    else:
        loaded = load_connection(file)
    bootstrap = bootstrap_servers(settings)
    vault = load_vault(settings)
    log = EventLog(bootstrap)
    await log.start()
    try:
        async with _connections(bootstrap) as view:
            known = _known(view)
            await refuse_other_vault(vault.newest, worker_url(settings))
            if dialogue is None:
                refuse_conflicts(loaded.id, Binding.of(loaded), _bound(view))
            may_look = partial(_told_of_find_region, find_region) if dialogue is None else dialogue.may_look_elsewhere
            desk = ConsentDesk(settings, vault, LogScan(bootstrap), log.partition_of(loaded.id), clock, may_look)
            complete = partial(desk.completed, known=known.get(loaded.id), anew=consent)
            if dialogue is None:
                assert file is not None
                loaded = await fitting(await complete(loaded), file, known.get(loaded.id), settings, clock)
            else:
                loaded = await dialogue.ended(await dialogue.consented(complete))
                note("Saving it; until gateway and worker serve it takes up to half a minute.")
            connection = _first_saved(seal(loaded, vault, clock.now()), known.get(loaded.id))
            await _save(connection, log, view, bootstrap)
            await wait_until_in_service(
                connection,
                lambda: loaded.bamboohr.webhook_key or _registered_key(view, vault, connection.connection),
                lambda: gateway_url(settings),
                lambda: worker_url(settings),
                clock,
                pin=own(settings),
            )
            registration = None if loaded.bamboohr.webhook_key else _registration(view, connection.connection)
    finally:
        await log.stop()
    updated = connection.connection in known
    by_hand = f"{gateway_url(settings)}/webhooks/bamboohr/{connection.connection}"
    webhooks = registration.asked.url if registration is not None and registration.asked is not None else by_hand
    if json:
        print_json({**_summary(connection), "updated": updated, "webhooks": webhooks})
        return
    say(f"Connection {connection.connection} is {'updated' if updated else 'added'}, mode {connection.mode}.")
    if loaded.bamboohr.webhook_key is not None:
        say(f"Webhooks now flow: BambooHR must reach {webhooks} under your public https address.")
    else:
        say(f"A webhook is registered in BambooHR: it calls {webhooks}, which must lead to the gateway.")
    say(f"Everybody who is there already is loaded by `rosterbook backfill {connection.connection}`.")
    say(f"Whether the credentials may do what is needed: `rosterbook connection test {connection.connection}`.")


def _told_of_find_region(find_region: bool) -> bool:
    if not find_region:
        note("With --find-region Zoho's other regions are asked whether they know these credentials.")
    return find_region


def _first_saved(connection: Connection, before: Connection | None) -> Connection:
    """With the time at which it was connected, which a change of its settings does not move."""
    if before is None:
        return connection
    return connection.model_copy(update={"connected_at": before.connected_at or before.saved_at})


def _registration(view: CompactedView, connection: ConnectionId) -> WebhookRegistration | None:
    """What the worker has registered in BambooHR, None when nothing of it is there."""
    from stream.core.registration import living
    from stream.records import WebhookRegistration

    found = view.records.get(f"{connection}|webhook")
    return found if isinstance(found, WebhookRegistration) and living(found) else None


def _registered_key(view: CompactedView, vault: Vault, connection: ConnectionId) -> Masked | None:
    from stream.core.registration import living

    registration = _registration(view, connection)
    if registration is None:
        return None
    return vault.open(living(registration)[0].key, connection=connection, purpose="bamboohr.webhook_key")


async def _save(connection: Connection, log: EventLog, view: CompactedView, bootstrap: str) -> None:
    """Append the connection unless it conflicts with another; of two that race for an organization none stays."""
    from stream.binding import Binding, refuse_conflicts

    known, binding = _known(view), Binding.of(connection)
    refuse_conflicts(connection.connection, binding, _bound(view))
    before = known.get(connection.connection)
    if before is None or before.mapping != connection.mapping:
        await log.append(_mapping_asked_for(connection))
    for one in (connection,) if before is None else (before, connection):
        version = _mapping_version(one)
        if f"{one.connection}|mapping|{version.version}" not in view.records:
            await log.append(version)
    await log.append(connection)
    await _read(view, bootstrap)
    now_known = _known(view)
    try:
        refuse_conflicts(connection.connection, binding, _bound(view))
    except ConnectionFileError:
        if connection.connection not in known and now_known.get(connection.connection) == connection:
            await log.delete(connection)  # it was never accepted, so it binds nothing
        raise


def _mapping_version(connection: Connection) -> MappingVersion:
    """The mapping in full, for the fold of what is read under it: snapshots name it by its fingerprint alone."""
    from stream.codec import fingerprint
    from stream.records import MappingVersion

    mapping = connection.mapping
    return MappingVersion(connection=connection.connection, version=fingerprint(mapping), mapping=mapping)


def _mapping_asked_for(connection: Connection) -> Command:
    """For the audit: who wanted which mapping, in full."""
    from agents.cli.surroundings import who
    from stream.codec import canonical, fingerprint
    from stream.records import Command

    mapping = connection.mapping
    return Command(
        connection=connection.connection,
        command="mapping version",
        asked_by=who(),
        arguments={"version": fingerprint(mapping), "mapping": canonical(mapping).decode()},
        at=connection.saved_at,
    )


async def list_(*, json: bool = False) -> None:
    """List the connections, and how the worker says that each stands.

    Parameters
    ----------
    json
        Print JSON.
    """
    from agents.cli.standing import standings
    from agents.cli.surroundings import command_settings, worker_url

    known = [connection for _, connection in sorted((await known_connections()).items())]
    told = await standings(worker_url(command_settings()), [one.connection for one in known])
    found = [{**_summary(one), "worker": _worker(how)} for one, how in zip(known, told, strict=True)]
    if json:
        print_json(found)
    elif found:
        print_table([name.replace("_", " ") for name in found[0]], [list(row.values()) for row in found])
    else:
        say("There are no connections yet: add one with `rosterbook connection add FILE`.")


async def show(connection: str, /, *, json: bool = False) -> None:
    """Show one connection, its secrets hidden, and how it stands.

    Parameters
    ----------
    connection
        Its id.
    json
        Print JSON.
    """
    from agents.cli.standing import standing
    from agents.cli.surroundings import bootstrap_servers, command_settings, worker_url
    from agents.cli.webhook_shown import last_delivery, webhook_shown
    from stream.clock import SystemClock
    from stream.kafka.scan import LogScan
    from stream.records import WebhookRegistration

    settings = command_settings()
    bootstrap = bootstrap_servers(settings)
    async with _connections(bootstrap) as view:
        found = _this(connection, _known(view))
        registration = view.records.get(f"{connection}|webhook")
    if not isinstance(registration, WebhookRegistration):
        registration = None
    heard = await last_delivery(LogScan(bootstrap), found, SystemClock().now())
    shown = {
        **_hidden(found),
        "webhook": webhook_shown(found, registration, heard),
        "worker": await standing(worker_url(settings), connection),
    }
    if json:
        print_json(shown)
    else:
        print_table(["setting", "value"], list(_flat(shown)))


def _worker(told: dict[str, Any] | None) -> str:
    """How a connection stands, in a few words: why it waits, or its mode while nothing is wrong."""
    return "no worker answers" if told is None else str(told.get("reason", "gives no reason"))


def _summary(connection: Connection) -> dict[str, object]:
    return {
        "connection": connection.connection,
        "mode": connection.mode,
        "subdomain": connection.bamboohr.subdomain,
        "region": connection.zoho.region,
        "organization_id": connection.zoho.organization_id,
        "saved_at": connection.saved_at.isoformat(timespec="seconds"),
    }


def _hidden(connection: Connection) -> dict[str, Any]:
    """Everything about a connection, in the file's order, with secrets hidden."""
    shown: dict[str, Any] = {
        "connection": connection.connection,
        **connection.model_dump(mode="json", exclude={"connection", "schema_version"}),
    }
    bamboohr, zoho = shown["bamboohr"], shown["zoho"]
    shown["webhook_key"] = HIDDEN if connection.webhook_key is not None else None
    if connection.bamboohr.oauth is None:
        bamboohr |= {"api_key": HIDDEN}
        del bamboohr["oauth"]
    else:
        bamboohr |= {"oauth": dict.fromkeys(bamboohr["oauth"], HIDDEN)}
        del bamboohr["api_key"]
    zoho |= dict.fromkeys(("client_id", "client_secret", "refresh_token"), HIDDEN)
    return shown


def _flat(shown: dict[str, Any], place: str = "") -> list[tuple[str, object]]:
    """The leaves by their paths; "-" for what is not there, and lists with spaces."""
    rows: list[tuple[str, object]] = []
    for name, value in shown.items():
        match value:
            case dict():
                rows += _flat(value, f"{place}{name}.")
            case list():
                rows.append((f"{place}{name}", " ".join(map(str, value)) or "-"))
            case _:
                rows.append((f"{place}{name}", "-" if value is None else value))
    return rows


async def known_connections() -> dict[str, Connection]:
    """The connections by their ids, as the log has them now."""
    from agents.cli.surroundings import bootstrap_servers, command_settings

    async with _connections(bootstrap_servers(command_settings())) as view:
        return _known(view)


async def known_connection(connection: str) -> Connection:
    """This one, as the log has it now. Raises UsageError when there is none of that id."""
    return _this(connection, await known_connections())


def _this(connection: str, known: dict[str, Connection]) -> Connection:
    found = known.get(connection)
    if found is None:
        raise UsageError(f"There is no connection {connection!r}: `rosterbook connection list` names those there are.")
    return found


async def only_connection() -> str:
    """The id of the one connection. Raises UsageError unless there is exactly one."""
    names = sorted(await known_connections())
    if not names:
        raise UsageError("There are no connections yet: add one with `rosterbook connection add FILE`.")
    if len(names) > 1:
        raise UsageError(f"There are several connections ({', '.join(names[:5])}): name the one that is meant.")
    return names[0]


@asynccontextmanager
async def _connections(bootstrap: str) -> AsyncIterator[CompactedView]:
    """The view of the connections, read to its end."""
    from stream.kafka.view import CompactedView
    from stream.topics import CONNECTIONS

    view = CompactedView(bootstrap, CONNECTIONS)
    await view.start()
    try:
        await _read(view, bootstrap)
        yield view
    finally:
        await view.stop()


async def _read(view: CompactedView, bootstrap: str) -> None:
    try:
        async with asyncio.timeout(READ_S):
            await view.read_to_end()
    except TimeoutError:
        raise LogUnavailable(
            f"The connections could not be read within {READ_S:g} s: check that Kafka runs at {bootstrap} and that "
            "`rosterbook topics check` finds no difference."
        ) from None


def _known(view: CompactedView) -> dict[str, Connection]:
    from stream.records import Connection

    return {record.connection: record for record in view.records.values() if isinstance(record, Connection)}


def _bound(view: CompactedView) -> list[Connection | RemovedConnection]:
    """The connections, and what is left of those that were removed."""
    from stream.records import Connection, RemovedConnection

    return [record for record in view.records.values() if isinstance(record, Connection | RemovedConnection)]
