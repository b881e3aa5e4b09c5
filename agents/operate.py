"""Operate: note what operators ask the owner of a connection to do."""

from __future__ import annotations

from typing import cast

import faust
from faust.types import StreamT, TopicT

from agents.folding import Folding
from agents.tables import Rows
from stream.core import folds
from stream.core.rows import Company
from stream.records import Command
from stream.topics import COMMANDS


def operate(app: faust.App, folding: Folding, topic: TopicT, companies: Rows[Company]) -> None:
    """Register the agent of `commands`."""

    @app.agent(topic, isolated_partitions=True, name="operate")
    async def note_commands(stream: StreamT[bytes]) -> None:
        async for step in folding.steps(stream, COMMANDS):
            command = cast(Command, step.record)
            company = step.get(companies, "company") or Company()
            await step.write(companies, {"company": folds.ask(company, command, step.position)})
