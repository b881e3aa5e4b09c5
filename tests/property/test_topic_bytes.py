"""Whatever bytes lie on a topic: they are a record of it, or are refused in a sentence that repeats nothing of them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.codec import canonical, decode
from stream.core.letters import letters
from stream.errors import NewerRecord, RecordRefused, UndecodableRecord
from stream.records import SCHEMA, DeadLetter, LogPosition, Record
from stream.redrive import NotRedriven, payload_of, redriven
from stream.topics import DEAD_LETTERS, TOPIC_OF, TOPICS, Topic
from tests.fake_clock import START
from tests.property.test_codec import whole

SECRET = "ada.moreno@acme.test"
KINDS = list(TOPIC_OF)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.just(SECRET),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["schema", "connection", "kind", "at", "employees", SECRET]), inner, max_size=5
        )
    ),
    max_leaves=8,
)


def read(topic: Topic, value: bytes | None) -> Record | None:
    """The record, None where it was refused as it should be."""
    try:
        record = decode(topic, value)
    except RecordRefused as error:
        must_say_nothing_of_the_bytes(error)
        return None
    assert isinstance(record, topic.records)
    return record


def must_say_nothing_of_the_bytes(error: RecordRefused) -> None:
    assert isinstance(error, UndecodableRecord | NewerRecord)
    assert SECRET not in error.message + repr(error.context)
    assert error.message.endswith(".")
    assert "\n" not in error.message
    assert error.__context__ is None or error.__suppress_context__, "what pydantic says repeats the value"


def as_json(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except (TypeError, ValueError):  # an integer beyond what JSON here can hold
        return repr(value).encode()


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
@given(value=st.none() | st.binary(max_size=80) | JSON.map(as_json))
def test_any_bytes_are_a_record_or_refused(topic: Topic, value: bytes | None) -> None:
    record = read(topic, value)
    assert record is None or decode(topic, canonical(record)) == record  # type: ignore[arg-type]  # any of its kinds


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
@pytest.mark.parametrize(
    "value",
    [
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"schema":' + b"9" * 5000 + b"}",
        b'{"schema":1e400}',
        b'{"schema":true,"connection":"\\ud800"}',
        b'{"connection":"\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        b'{"schema":2,"schema":1}',
    ],
    ids=lambda value: repr(value[:16]),
)
def test_bytes_that_readers_of_json_trip_over_are_refused(topic: Topic, value: bytes) -> None:
    assert read(topic, value) is None


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_a_record_that_was_damaged_is_a_record_or_refused(kind: type[Record], data: st.DataObject) -> None:
    record: Any = data.draw(whole(kind))
    value = bytearray(canonical(record))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(value)))
        match data.draw(st.sampled_from(["cut", "put", "flip"])):
            case "cut":
                del value[at : at + data.draw(st.integers(1, 30))]
            case "put":
                value[at:at] = data.draw(st.binary(max_size=5) | st.just(SECRET.encode()))
            case _ if at < len(value):
                value[at] ^= data.draw(st.integers(1, 255))
    read(TOPIC_OF[kind], bytes(value))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_a_record_with_another_value_in_one_field_is_a_record_or_refused(
    kind: type[Record], data: st.DataObject
) -> None:
    fields = orjson.loads(canonical(data.draw(whole(kind))))  # type: ignore[arg-type]  # all kinds are records of ours
    name = data.draw(st.sampled_from(sorted(fields)) | st.just(SECRET))
    fields[name] = data.draw(JSON)
    read(TOPIC_OF[kind], as_json(fields))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data(), version=st.integers(SCHEMA + 1, 2**53), unknown=st.booleans())
def test_a_record_of_a_newer_version_is_told_from_a_damaged_one(
    kind: type[Record], data: st.DataObject, version: int, unknown: bool
) -> None:
    fields = orjson.loads(canonical(data.draw(whole(kind))))  # type: ignore[arg-type]  # all kinds are records of ours
    fields["schema"] = version
    if unknown:
        fields["of_later"] = SECRET
    with pytest.raises(NewerRecord, match="update Rosterbook"):
        decode(TOPIC_OF[kind], orjson.dumps(fields))


@given(data=st.data(), payload=st.binary(max_size=40) | JSON.map(as_json))
def test_any_letter_is_redriven_or_refused_in_a_sentence(data: st.DataObject, payload: bytes) -> None:
    letter: Any = data.draw(whole(DeadLetter))
    topics = st.sampled_from([topic.name for topic in TOPICS] + ["elsewhere"])
    origin = LogPosition(topic=data.draw(topics), topic_id="life", partition=0, offset=1)
    stage = data.draw(st.sampled_from(["gateway", "zoho", "bamboohr", origin.topic]))
    letter = letter.model_copy(update={"origin": data.draw(st.none() | st.just(origin)), "stage": stage})
    assert letters([(origin, decode(DEAD_LETTERS, canonical(letter)))], [])  # type: ignore[list-item]  # it is a letter
    for content in (payload, None):
        try:
            found = redriven(letter, content, START)
        except RecordRefused as error:
            sentence = error.message
        else:
            sentence = ""
            assert decode(TOPIC_OF[type(found)], canonical(found)) == found
        assert SECRET not in sentence
        assert "\n" not in sentence
    with suppress(NotRedriven):
        assert isinstance(payload_of(letter), bytes | None)
