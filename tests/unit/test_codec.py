"""Bytes that are no record of ours, or of a newer version: which error, and that it repeats nothing of them."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from stream.codec import canonical, decode, fingerprint
from stream.errors import NewerRecord, UndecodableRecord
from stream.records import SCHEMA, AnyRecord, ConnectionId, EmployeeId, HrEvent, LaneOutcome, Mapping, WebhookOutcome
from stream.topics import CONNECTIONS, EMPLOYEES, HR_EVENTS, OUTCOMES, TOPICS, Topic

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
EVENT = HrEvent(connection=ConnectionId("acme"), employees=(EmployeeId("7"),), kind="webhook", received_at=AT)
SECRET = "ada@acme.test"


def altered(**changes: object) -> bytes:
    return orjson.dumps({**orjson.loads(canonical(EVENT)), **changes})


def test_the_canonical_form_is_this_for_ever() -> None:
    assert canonical(EVENT) == (
        b'{"changed_fields":[],"connection":"acme","digest":null,"employees":["7"],"headers":{},"insists":false,'
        b'"kind":"webhook","occurred_at":null,"raw":null,"received_at":"2026-03-02T09:00:00Z","schema":1,"types":[]}'
    )
    assert fingerprint(Mapping()) == "1b98d06de3ab87fcedc610bfc0b4367e"


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff\xfe",
        b"null",
        b"[1]",
        b"7",
        SECRET.encode(),
        altered(kind=SECRET),
        altered(received_at="2026-03-02T09:00:00"),
        altered(**{SECRET: 1}),
        altered(employees=[7]),
        altered(schema="1"),
        altered(schema=True),
        b"[" * 200_000,
    ],
    ids=lambda value: "deep" if value and len(value) > 1000 else None,
)
def test_what_is_no_record_is_undecodable_and_its_message_repeats_no_value(value: bytes | None) -> None:
    with pytest.raises(UndecodableRecord) as refused:
        decode(HR_EVENTS, value)
    assert "ada" not in refused.value.message
    assert refused.value.context == {"topic": HR_EVENTS.name}
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_record_of_a_newer_version_is_told_apart_even_when_nothing_else_fits(topic: Topic) -> None:
    newer = orjson.dumps({"schema": SCHEMA + 1, "something": SECRET})
    with pytest.raises(NewerRecord, match="has schema 2, this program knows up to 1: update Rosterbook") as refused:
        decode(topic, newer)
    assert SECRET not in refused.value.message


def test_a_newer_version_that_still_fits_is_refused_all_the_same() -> None:
    with pytest.raises(NewerRecord):
        decode(HR_EVENTS, altered(schema=SCHEMA + 1))


def test_a_record_of_another_topic_is_undecodable() -> None:
    with pytest.raises(UndecodableRecord):
        decode(EMPLOYEES, canonical(EVENT))


@pytest.mark.parametrize(
    "outcome",
    [
        LaneOutcome(connection=ConnectionId("acme"), api="zoho", state="resumed", at=AT),
        WebhookOutcome(connection=ConnectionId("acme"), action="repaired", webhook="3", reason="Gone.", at=AT),
    ],
    ids=lambda outcome: outcome.kind,
)
def test_each_kind_of_outcome_is_read(outcome: AnyRecord) -> None:
    assert decode(OUTCOMES, canonical(outcome)) == outcome


@pytest.mark.parametrize("value", [b"[]", b'{"part":[]}', b'{"part":"other"}', b'{"part":"webhook"}'])
def test_what_is_no_part_of_a_connection_is_undecodable(value: bytes) -> None:
    with pytest.raises(UndecodableRecord):
        decode(CONNECTIONS, value)
