"""Operate: note what operators ask the owner of a connection to do, and what they decide about held contacts."""

from __future__ import annotations

from typing import cast

import faust
from faust.types import StreamT, TopicT

from agents.folding import Folding
from agents.tables import Rows
from stream.core import folds
from stream.core.rows import Company, ContactState
from stream.records import Command
from stream.topics import COMMANDS


def operate(
    app: faust.App, folding: Folding, topic: TopicT, contacts: Rows[ContactState], companies: Rows[Company]
) -> None:
    """Register the agent of `commands`."""

    @app.agent(topic, isolated_partitions=True, name="operate")
    async def note_commands(stream: StreamT[bytes]) -> None:
        async for step in folding.steps(stream, COMMANDS):
            command = cast(Command, step.record)
            company = step.get(companies, "company") or Company()
            await step.write(companies, {"company": folds.ask(company, command, step.position)})
            decided = {}
            for held in filter(lambda held: step.is_of_this_life(held.wish), command.holds):
                # In a rebuild a decision may be folded before the wish that it is about.
                state = step.get(contacts, held.contact_key) or folds.not_wished_yet(held.employee)
                decided[held.contact_key] = folds.decide(state, command, held.wish.offset, step.position)
            if decided:
                await step.write(contacts, decided)
