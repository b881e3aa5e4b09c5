"""The signature of a delivery, by the vendor's rule, and its time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stream.bamboohr.signature import AHEAD, instant, is_of_our_time, is_signed, keyed, sign

KEY = b"0123456789abcdef0123456789abcdef"
BODY = (
    b'{"type":"employee.updated","timestamp":"2026-03-04T09:15:00+0000",'
    b'"data":{"companyId":"9001","employeeId":"42","changedFields":["department","jobTitle"]}}'
)
TIMESTAMP = "1772615700"
SIGNATURE = "ac3395df7a79c3e7350074c532adbeeb33768467cdcf97d2ee28944acbd09256"
NOW = datetime(2026, 3, 4, 9, 15, tzinfo=UTC)
SIX_HOURS = timedelta(hours=6)


def test_signs_body_and_timestamp_text_with_the_text_of_the_key() -> None:
    assert sign(KEY, BODY, TIMESTAMP) == SIGNATURE
    assert is_signed([keyed(KEY)], BODY, TIMESTAMP, SIGNATURE)


@pytest.mark.parametrize(
    ("keys", "body", "timestamp", "signature"),
    [
        ([KEY], BODY + b" ", TIMESTAMP, SIGNATURE),
        ([KEY], BODY, TIMESTAMP + "0", SIGNATURE),
        ([KEY], BODY, TIMESTAMP, SIGNATURE[:-1] + "7"),
        ([KEY], BODY, TIMESTAMP, SIGNATURE[:-1]),
        ([KEY], BODY, TIMESTAMP, ""),
        ([KEY], BODY, TIMESTAMP, "é" * 64),
        ([KEY], BODY, TIMESTAMP, "\udcff" * 64),
        ([bytes.fromhex(KEY.decode())], BODY, TIMESTAMP, SIGNATURE),
        ([], BODY, TIMESTAMP, SIGNATURE),
    ],
)
def test_refuses_what_differs_in_anything(keys: list[bytes], body: bytes, timestamp: str, signature: str) -> None:
    assert not is_signed([keyed(key) for key in keys], body, timestamp, signature)


def test_accepts_any_of_several_keys() -> None:
    assert is_signed([keyed(b"new"), keyed(KEY)], BODY, TIMESTAMP, SIGNATURE)
    assert is_signed([keyed(KEY), keyed(b"old")], BODY, TIMESTAMP, SIGNATURE)


@pytest.mark.parametrize("text", ["1772615700", "2026-03-04T09:15:00Z", "2026-03-04T10:15:00+0100", "2026-03-04 09:15"])
def test_reads_both_forms_of_time(text: str) -> None:
    assert instant(text) == NOW


@pytest.mark.parametrize("text", ["", "soon", "-5", "٣٤", "9" * 30, "9" * 5000, "0001-01-01T00:00:00+23:59", "\ud800"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert instant(text) is None


@pytest.mark.parametrize(
    ("age", "accepted"),
    [
        (timedelta(0), True),
        (SIX_HOURS, True),
        (SIX_HOURS + timedelta(seconds=1), False),
        (-AHEAD, True),
        (-AHEAD - timedelta(seconds=1), False),
    ],
)
def test_time_is_within_the_age_and_a_little_ahead(age: timedelta, accepted: bool) -> None:
    assert is_of_our_time(NOW - age, NOW, SIX_HOURS) is accepted


def test_age_zero_allows_any_time_but_not_none() -> None:
    assert is_of_our_time(instant("0"), NOW, timedelta(0))
    assert not is_of_our_time(instant("soon"), NOW, timedelta(0))
