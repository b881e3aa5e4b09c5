"""Roster: fold snapshots into the email-keyed table, and say which contacts must change and who cannot be read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

import faust
from faust.types import StreamT, TopicT

from agents.folding import Folding
from agents.letters import tell
from agents.tables import Rows
from stream.core import roster as core
from stream.core import set_aside
from stream.core.rows import Address, Person
from stream.records import ConnectionId, EmployeeSnapshot, Mapping
from stream.telemetry import UNCLEAR_PEOPLE, log
from stream.topics import EMPLOYEES

logger = log("roster")


def roster(
    app: faust.App,
    folding: Folding,
    topic: TopicT,
    people: Rows[Person],
    addresses: Rows[Address],
    mapping_of: Callable[[ConnectionId, str], Awaitable[Mapping]],
) -> None:
    """Register the agent of `employees`. It also settles the readings that `people` wants.

    mapping_of: connection and version of a mapping -> the mapping.
    """

    @app.agent(topic, isolated_partitions=True, name="roster")
    async def keep_roster(stream: StreamT[bytes]) -> None:
        async for step in folding.steps(stream, EMPLOYEES):
            snapshot = cast(EmployeeSnapshot, step.record)
            result = core.fold(
                snapshot if step.is_of_this_life(snapshot.cause) else core.of_earlier_life(snapshot),
                step.position,
                await mapping_of(snapshot.connection, snapshot.mapping_version),
                step.reader(people, Person),
                step.reader(addresses, Address),
            )
            if result.unclear is not None:
                UNCLEAR_PEOPLE.labels(snapshot.connection, result.unclear).inc()
                logger.warning(
                    "roster.unclear",
                    connection=snapshot.connection,
                    employee=snapshot.employee,
                    reason=result.unclear,
                )
            letters = set_aside.of_snapshot(snapshot, step.position)
            tell(logger, "roster.person_set_aside", snapshot.employee, letters)
            await step.commit((*result.upserts, *letters), [(people, result.people), (addresses, result.addresses)])
