"""What a connected worker is made of, put together: the tables, the agents that fold into them, and the lanes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import aiohttp
import faust

from agents.echo import Echo
from agents.enrich import enrich
from agents.faust_app import faust_app
from agents.faust_edge import FaustGroup, FaustStore
from agents.folding import Folding
from agents.heartbeat import watch_heartbeats
from agents.lane_making import LaneMaker
from agents.lanes import Lanes
from agents.mappings import Mappings
from agents.operate import operate
from agents.roster import roster
from agents.settle import settle
from agents.sink import sink
from agents.stores import keep_stores_of
from agents.tables import Rows
from stream.clock import Clock
from stream.clocks import Clocks
from stream.core.rows import Address, Company, ContactState, Person, Row
from stream.fence import Fence
from stream.kafka.event_log import EventLog
from stream.kafka.lookout import Lookout
from stream.kafka.reader import LogReader
from stream.kafka.view import CompactedView
from stream.records import ConnectionId
from stream.settings import Settings
from stream.topics import APP, CONNECTIONS, INPUTS, TABLES, TOKENS, changelog_of
from stream.vault.vault import Vault

R = TypeVar("R", bound=Row)


@dataclass(frozen=True)
class Parts:
    """`app` is not started yet, and `connections` may still be read."""

    app: faust.App
    folding: Folding
    lanes: Lanes
    connections: CompactedView
    lookout: Lookout
    clocks: Clocks


@dataclass(frozen=True)
class Tables:
    people: Rows[Person]
    addresses: Rows[Address]
    contacts: Rows[ContactState]
    companies: Rows[Company]


async def wire(
    stack: AsyncExitStack,
    settings: Settings,
    bootstrap: str,
    log: EventLog,
    vault: Vault,
    clock: Clock,
    failed: Callable[[BaseException], None],
) -> Parts:
    """Make all parts. stack: ends what must be ended. failed: told of what a worker must not survive."""
    reader = LogReader(bootstrap)
    app = faust_app(settings, bootstrap, log.partitions, reader)
    keep_stores_of({name: log.topic_id(name) for name in map(changelog_of, TABLES)}, Path(app.conf.tabledir))
    fence = Fence(clock, session_timeout=settings.session_timeout, call_deadline=settings.call_deadline)
    stack.callback(watch_heartbeats(fence, APP))
    folding = Folding(log, FaustGroup(app, fence), reader, Echo(bootstrap), clock, failed)

    def table(name: str, model: type[R]) -> Rows[R]:
        return folding.table(name, model, FaustStore(app, name, log.partitions, failed))

    tables = Tables(
        table("people", Person), table("roster", Address), table("contacts", ContactState), table("companies", Company)
    )
    clocks = Clocks(clock, settings.clock_tolerance)
    # No limit: a slow vendor of one company must not use up another's places. No cookies: they would carry over.
    http = await stack.enter_async_context(
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[clocks.of_answers()],
        )
    )
    connections = CompactedView(
        bootstrap,
        CONNECTIONS,
        lambda key, record: lanes.connection_changed(key, record),
        lambda _: folding.owned.see_settings(),
    )
    tokens = CompactedView(bootstrap, TOKENS)
    maker = LaneMaker(
        settings,
        log,
        tables.people,
        tables.addresses,
        tables.contacts,
        tables.companies,
        tokens,
        vault,
        http,
        fence,
        clock,
        failed,
    )
    lanes = Lanes(maker, connections)
    folding.results.row_written = lanes.row_written
    folding.owned.stopped = lanes.stop
    folding.owned.outdated = lambda number: _outdated_settings(connections, log, number)
    for view in (connections, tokens):
        await view.start()
        stack.push_async_callback(view.stop)
    _register_agents(app, folding, tables, connections)
    lookout = Lookout(bootstrap, log.topic_ids, log.partitions, failed)
    lookout.watched = lambda: [(topic.name, number) for topic in INPUTS for number in folding.owned.partitions]
    lookout.start()
    stack.push_async_callback(lookout.stop)
    return Parts(app, folding, lanes, connections, lookout, clocks)


def _outdated_settings(connections: CompactedView, log: EventLog, number: int) -> str | None:
    names = [ConnectionId(key.partition("|")[0]) for key in sorted(connections.outdated)]
    return next((f"the settings of {name}" for name in names if log.partition_of(name) == number), None)


def _register_agents(app: faust.App, folding: Folding, tables: Tables, connections: CompactedView) -> None:
    hr_events, employees, upserts, outcomes, commands = (
        app.topic(topic.name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
        for topic in INPUTS
    )

    enrich(app, folding, hr_events, tables.people)
    roster(app, folding, employees, tables.people, tables.addresses, Mappings(connections).of)
    sink(app, folding, upserts, tables.contacts)
    settle(app, folding, outcomes, tables.contacts, tables.companies)
    operate(app, folding, commands, tables.contacts, tables.companies)
