"""Whatever is sent, a delivery is understood or refused, and says the same in every way of writing it."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from stream.bamboohr.payloads import understand
from stream.codec import canonical, decode, written, written_event
from stream.errors import UndecodableRecord
from stream.records import ConnectionId, HrEvent
from stream.topics import HR_EVENTS
from tests.unit.test_payloads import AT, FORM

WORDS = ["type", "data", "employees", "id", "employeeId", "changedFields", "timestamp", "fields", "employee.updated"]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70) | st.sampled_from(WORDS)
CONTENT = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(), inner, max_size=5),
)
IDS = st.lists(st.integers(1, 10**12).map(str), min_size=1, max_size=20)
NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), max_size=5)


def must_be_kept_or_refused(body: bytes, content_type: str | None) -> None:
    with suppress(UndecodableRecord):
        notice = understand(body, content_type)
        said: dict[str, Any] = {
            "connection": ConnectionId("acme"),
            "employees": notice.employees,
            "kind": "webhook",
            "types": notice.types,
            "changed_fields": notice.changed_fields,
            "occurred_at": notice.occurred_at,
            "received_at": AT,
        }
        record = HrEvent(**said)
        assert written_event(said) == written(record)
        assert decode(HR_EVENTS, canonical(record)) == record


@given(CONTENT)
def test_any_json_is_understood_or_refused(content: Any) -> None:
    must_be_kept_or_refused(json.dumps(content).encode(), "application/json")


@given(st.binary(), st.none() | st.sampled_from([FORM, "application/json", "text/plain"]) | st.text())
def test_any_bytes_of_any_type_are_understood_or_refused(body: bytes, content_type: str | None) -> None:
    must_be_kept_or_refused(body, content_type)


@given(st.dictionaries(st.sampled_from(WORDS) | st.text(alphabet="[]adt&=e"), st.text()))
def test_any_form_is_understood_or_refused(pairs: dict[str, str]) -> None:
    must_be_kept_or_refused(urlencode(pairs, errors="replace").encode(), FORM)


@given(IDS, NAMES)
def test_every_way_of_writing_a_batch_says_the_same(ids: list[str], names: list[str]) -> None:
    fields = {"plain": "x", "nested": {"value": "x"}}
    batch = [{"id": i, "changedFields": names, "fields": fields, "action": "Updated"} for i in ids]
    form = [(f"employees[{at}][id]", i) for at, i in enumerate(ids)]
    form += [(f"employees[{at}][action]", "Updated") for at in range(len(ids))]
    form += [(f"employees[{at}][changedFields][{n}]", name) for at in range(len(ids)) for n, name in enumerate(names)]
    notices = [
        understand(json.dumps({"employees": batch}).encode(), "application/json"),
        understand(json.dumps({"employees": batch}, ensure_ascii=False).encode(), "application/json"),
        understand(
            json.dumps([{"type": "Updated", "data": {"employeeId": i, "changedFields": names}} for i in ids]).encode(),
            "application/json",
        ),
        understand(urlencode(form).encode(), FORM),
    ]
    assert len(set(notices)) == 1
    assert notices[0].employees == tuple(dict.fromkeys(ids))
