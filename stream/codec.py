"""Bytes <-> records, in one canonical form: sorted keys, UTF-8, no spaces, defaults written out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from stream.errors import NewerRecord, UndecodableRecord
from stream.records import SCHEMA, AnyRecord, ConnectionId, HrEvent, Outcome
from stream.topics import HR_EVENTS, OUTCOMES, TOPIC_OF, TOPICS, Topic

_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    topic.name: TypeAdapter(Outcome if topic is OUTCOMES else reduce(or_, topic.records)) for topic in TOPICS
}
_FIELDS = {
    field.alias or name for topic in TOPICS for record in topic.records for name, field in record.model_fields.items()
}
_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z
_SILENT = HrEvent(
    connection=ConnectionId(""), employees=(), kind="webhook", received_at=datetime.min.replace(tzinfo=UTC)
)
_LEAST = _SILENT.model_dump(by_alias=True)
"""What an HR event says where nothing else is told."""


class Written(NamedTuple):
    """A record as its topic carries it."""

    topic: Topic
    connection: ConnectionId
    key: bytes
    value: bytes


def canonical(model: BaseModel) -> bytes:
    """The canonical JSON of a model."""
    return orjson.dumps(model.model_dump(by_alias=True), option=_CANONICAL)


def written(record: AnyRecord | Written) -> Written:
    """The record as its topic carries it, if it is not yet."""
    if isinstance(record, Written):
        return record
    topic = TOPIC_OF[type(record)]
    return Written(topic, record.connection, topic.key_of(record), canonical(record))


def written_event(said: dict[str, Any]) -> Written:
    """`written(HrEvent(**said))` for fields that need no check any more, at a sixth of its cost: the gateway makes one
    of each delivery.
    """
    connection: ConnectionId = said["connection"]
    return Written(HR_EVENTS, connection, connection.encode(), orjson.dumps(_LEAST | said, option=_CANONICAL))


def fingerprint(model: BaseModel) -> str:
    """32 hex characters that are equal exactly when the models' canonical forms are."""
    return hashlib.blake2b(canonical(model), digest_size=16).hexdigest()


def decode(topic: Topic, value: bytes | None) -> AnyRecord:
    """The record in `value`.

    Raises NewerRecord when a newer version of the product wrote it, UndecodableRecord when nothing of ours did. Neither
    message holds any of the bytes.
    """
    if value is None:
        raise UndecodableRecord("The record is a tombstone where none is expected.", topic=topic.name)
    try:
        record: AnyRecord = _ADAPTERS[topic.name].validate_json(value)
    except ValidationError as error:
        if (version := _version(value)) is not None and version > SCHEMA:
            raise NewerRecord(
                f"The record has schema {version}, this program knows up to {SCHEMA}: update Rosterbook.",
                topic=topic.name,
            ) from None
        places = ", ".join(sorted({_place(e["loc"]) for e in error.errors(include_input=False)}))
        raise UndecodableRecord(f"The record does not fit its topic ({places}).", topic=topic.name) from None
    if record.schema_version > SCHEMA:
        raise NewerRecord(
            f"The record has schema {record.schema_version}, this program knows up to {SCHEMA}: update Rosterbook.",
            topic=topic.name,
        )
    return record


def _place(location: tuple[int | str, ...]) -> str:
    """The field of ours that does not fit: names that are not ours may be anything, a person's address too."""
    return next((str(part) for part in location if part in _FIELDS), "whole")


def _version(value: bytes) -> int | None:
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    version = found.get("schema") if isinstance(found, Mapping) else None
    return version if isinstance(version, int) else None
