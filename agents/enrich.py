"""Enrich: note for each employee of an HR event that a reading is wanted."""

from __future__ import annotations

from typing import cast

import faust
from faust.types import StreamT, TopicT

from agents.folding import Folding
from agents.tables import Rows
from stream.core import folds
from stream.core.rows import Person
from stream.records import HrEvent
from stream.topics import HR_EVENTS


def enrich(app: faust.App, folding: Folding, topic: TopicT, people: Rows[Person]) -> None:
    """Register the agent of `hr-events`."""

    @app.agent(topic, isolated_partitions=True, name="enrich")
    async def note_wanted_readings(stream: StreamT[bytes]) -> None:
        async for step in folding.steps(stream, HR_EVENTS):
            event = cast(HrEvent, step.record)
            await step.write(
                people,
                {
                    employee: folds.hear(step.get(people, employee) or Person(), event, step.position)
                    for employee in event.employees
                },
            )
