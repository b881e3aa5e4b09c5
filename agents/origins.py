"""Of which lives of the topics a partition's tables are: a row in each of them, and so in each changelog, says it.

Positions mean nothing in another life of a topic, and a changelog that was made again holds rows of nothing. So tables
that were folded from topics which are no more, or that lack what was folded, are not gone on with: the worker ends and
says what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import Field

from agents.tables import Rows
from stream.codec import canonical
from stream.core.rows import Row
from stream.errors import ActionNeeded, NewerRecord
from stream.kafka.lookout import recreated
from stream.records import SCHEMA

ORIGINS = "\x00origins"
"""Key of the row; no connection id begins with it."""


class Origins(Row):
    """topics: input topic -> id of the life from which the rows beside this one were folded.

    schema_version: that of the records which whoever folds here writes; rows may hold what an older one knows not of.
    """

    schema_version: int = Field(default=SCHEMA, alias="schema")
    topics: dict[str, str]


def see_origins(tables: Mapping[str, Rows[Any]], partition: int, topics: Mapping[str, str], *, folded: bool) -> bytes:
    """Make sure that the rows are of these lives of the inputs (topic -> id); returns the row that says so.

    An input that the rows know nothing of is one that a newer version of the product has begun to fold.

    folded: whether anything of the partition was folded before. Raises ActionNeeded, and NewerRecord where a newer
    version of the product has folded.
    """
    new = []
    for table in tables.values():
        if (found := table.raw(partition, ORIGINS)) is None:
            new.append(table)
            continue
        if orjson.loads(found)["schema"] > SCHEMA:
            raise NewerRecord("A newer version of Rosterbook has folded into these tables: update this one.")
        known = Origins.model_validate_json(found).topics
        if another := [topic for topic, topic_id in topics.items() if known.get(topic, topic_id) != topic_id]:
            raise recreated(another[0])
    if new and folded:
        raise ActionNeeded(
            f"Table {new[0].name} lacks what was folded into its partition {partition}, since {new[0].changelog} was "
            "made again or has lost records: end every worker and fold the log anew with `rosterbook tables rebuild`.",
            topic=new[0].changelog,
            partition=partition,
        )
    return canonical(Origins(topics=dict(topics)))
