"""Settle: learn what happened in Zoho, which contacts were given up, which lanes wait for somebody to act, what the
leaver guard decided, which contacts somebody changed, which commands were carried out, and how far BambooHR's change
feed was read.
"""

from __future__ import annotations

import faust
from faust.types import StreamT, TopicT

from agents.folding import Folding
from agents.letters import tell
from agents.tables import Rows
from stream.core import folds, set_aside
from stream.core.rows import Company, ContactState
from stream.records import (
    CommandOutcome,
    DriftOutcome,
    GuardOutcome,
    LaneOutcome,
    PollOutcome,
    RepairOutcome,
    SyncOutcome,
    WebhookOutcome,
)
from stream.telemetry import log
from stream.topics import OUTCOMES

logger = log("settle")


def settle(
    app: faust.App,
    folding: Folding,
    topic: TopicT,
    contacts: Rows[ContactState],
    companies: Rows[Company],
) -> None:
    """Register the agent of `outcomes`."""

    @app.agent(topic, isolated_partitions=True, name="settle")
    async def learn_outcomes(stream: StreamT[bytes]) -> None:
        async for step in folding.steps(stream, OUTCOMES):
            match step.record:
                case SyncOutcome() as outcome:
                    if not all(map(step.is_of_this_life, folds.wish_of(outcome))):
                        continue  # it settles offsets of readings that are no more
                    # In a rebuild an outcome may be folded before the wish that it answers.
                    state = step.get(contacts, outcome.contact_key) or folds.not_wished_yet(outcome.employee)
                    learnt = {outcome.contact_key: folds.learn(state, outcome, step.position)}
                    letters = set_aside.of_outcome(outcome, step.position)
                    tell(logger, "settle.contact_set_aside", outcome.employee, letters)
                    await step.commit(letters, [(contacts, learnt)])
                case LaneOutcome() as outcome:
                    company = step.get(companies, "company") or Company()
                    await step.write(companies, {"company": folds.note(company, outcome, step.position)})
                case GuardOutcome() as outcome:
                    company = step.get(companies, "company") or Company()
                    await step.write(companies, {"company": folds.watch(company, outcome, step.position)})
                case CommandOutcome() as outcome:
                    if not step.is_of_this_life(outcome.cause):
                        continue  # the command is no more
                    company = step.get(companies, "company") or Company()
                    await step.write(companies, {"company": folds.answer(company, outcome, step.position)})
                case PollOutcome() as outcome:
                    company = step.get(companies, "company") or Company()
                    await step.write(companies, {"company": folds.poll(company, outcome, step.position)})
                case DriftOutcome() as outcome:
                    if not all(map(step.is_of_this_life, folds.wish_of(outcome))):
                        continue
                    state = step.get(contacts, outcome.contact_key) or folds.not_wished_yet(outcome.employee)
                    await step.write(contacts, {outcome.contact_key: folds.drift(state, outcome, step.position)})
                case WebhookOutcome() | RepairOutcome():
                    pass  # told for the audit alone
