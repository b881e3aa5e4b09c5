"""For every record there is one canonical form, from which it is read again as it was."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any, get_args, get_origin

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AwareDatetime, JsonValue

from stream.codec import canonical, decode, fingerprint
from stream.records import (
    AnyRecord,
    BambooHrSettings,
    Mapping,
    OAuthClient,
    QuietHours,
    Reconciling,
    Record,
    Sealed,
    Source,
)
from stream.topics import TOPIC_OF

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
st.register_type_strategy(str, TEXT)
st.register_type_strategy(int, st.integers(0, 2**53))
SEALED = st.builds(Sealed, key=TEXT, box=TEXT)
CLIENTS = st.builds(OAuthClient, client_id=SEALED, client_secret=SEALED, refresh_token=SEALED)
st.register_type_strategy(
    BambooHrSettings,
    st.builds(BambooHrSettings, subdomain=TEXT, api_key=SEALED, oauth=st.none())
    | st.builds(BambooHrSettings, subdomain=TEXT, api_key=st.none(), oauth=CLIENTS),
)
SOURCES = st.one_of(*(st.builds(Source, **{name: TEXT}) for name in ("field", "value", "text")))
DAYS = st.integers(0, 366)
st.register_type_strategy(
    Mapping,  # whose types alone say too little of what it takes
    st.builds(
        Mapping,
        contact_type=st.sampled_from(["vendor", "customer"]),
        name=st.none() | TEXT,
        fields=st.dictionaries(TEXT, SOURCES, max_size=3),
        leavers=st.sampled_from(["inactive", "leave"]),
        days_before_start=DAYS,
        days_after_leaving=DAYS,
        scope=st.lists(TEXT, max_size=2).map(tuple),
    ),
)
MINUTES = st.integers(0, 24 * 60 - 1)
st.register_type_strategy(
    Reconciling,
    st.builds(
        Reconciling,
        every=st.none() | st.integers(60, 86_400),
        cron=st.none() | TEXT,
        quiet=st.lists(st.builds(QuietHours, begin=MINUTES, end=MINUTES), max_size=2).map(tuple),
        time_zone=TEXT,
    ),
)
TIMES = st.datetimes(timezones=st.just(UTC))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
st.register_type_strategy(AwareDatetime, TIMES)  # within the models that records hold


def whole(kind: type[Record]) -> st.SearchStrategy[Record]:
    """Records of a kind, with every field given."""
    fields: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        if name == "schema_version":
            continue
        fields[name] = _of(field.annotation)
    return st.fixed_dictionaries(fields).map(lambda values: kind(**values))


def _of(annotation: Any) -> st.SearchStrategy[Any]:
    """Times are aware and in UTC; the rest is what the types say."""
    parts = get_args(annotation)
    if annotation is AwareDatetime or annotation is datetime:
        return TIMES
    if JsonValue in parts:
        return st.dictionaries(TEXT, JSON, max_size=3)
    if get_origin(annotation) is tuple and Ellipsis in parts:
        return st.lists(_of(parts[0]), max_size=2).map(tuple)
    return st.none() | TIMES if AwareDatetime in parts else st.from_type(annotation)


@pytest.mark.parametrize("kind", list(TOPIC_OF), ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_a_record_is_read_from_its_canonical_form_whatever_the_order_of_its_keys(
    kind: type[Record], data: st.DataObject
) -> None:
    record: Any = data.draw(whole(kind))
    topic, value = TOPIC_OF[kind], canonical(record)

    again: AnyRecord = decode(topic, value)
    assert again == record
    assert canonical(again) == value
    fields = list(orjson.loads(value).items())
    random.Random(data.draw(st.integers())).shuffle(fields)
    shuffled = decode(topic, orjson.dumps(dict(fields), option=orjson.OPT_INDENT_2))
    assert (shuffled, canonical(shuffled), fingerprint(shuffled)) == (record, value, fingerprint(record))
