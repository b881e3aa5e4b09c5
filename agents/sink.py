"""Sink: note which contact a key should have from now on."""

from __future__ import annotations

from typing import cast

import faust
from faust.types import StreamT, TopicT

from agents.folding import Folding
from agents.tables import Rows
from stream.core import folds
from stream.core.rows import ContactState
from stream.records import ContactUpsert
from stream.topics import CONTACT_UPSERTS


def sink(app: faust.App, folding: Folding, topic: TopicT, contacts: Rows[ContactState]) -> None:
    """Register the agent of `contact-upserts`."""

    @app.agent(topic, isolated_partitions=True, name="sink")
    async def note_wanted_contacts(stream: StreamT[bytes]) -> None:
        async for step in folding.steps(stream, CONTACT_UPSERTS):
            upsert = cast(ContactUpsert, step.record)
            if not step.is_of_this_life(upsert.cause):
                continue  # the reading is no more: the person's next one wishes anew
            state = step.get(contacts, upsert.contact_key)
            await step.write(contacts, {upsert.contact_key: folds.wish(state, upsert, step.position)})
