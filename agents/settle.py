"""Settle: learn what happened in Zoho, and which lanes wait for somebody to act."""

from __future__ import annotations

import faust
from faust.types import StreamT, TopicT

from agents.folding import Folding
from agents.tables import Rows
from stream.core import folds
from stream.core.rows import Company, ContactState
from stream.records import DesiredContact, LaneOutcome, SyncOutcome
from stream.topics import OUTCOMES

NOT_WISHED_YET = DesiredContact(
    active=False,
    contact_type="vendor",
    first_name=None,
    last_name=None,
    email=None,
    designation=None,
    department=None,
)


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
                    # In a rebuild an outcome may be folded before the wish that it answers.
                    state = step.get(contacts, outcome.contact_key) or ContactState(
                        employee=outcome.employee, desired=NOT_WISHED_YET
                    )
                    await step.write(contacts, {outcome.contact_key: folds.learn(state, outcome, step.position)})
                case LaneOutcome() as outcome:
                    company = step.get(companies, "company") or Company()
                    await step.write(companies, {"company": folds.note(company, outcome, step.position)})
