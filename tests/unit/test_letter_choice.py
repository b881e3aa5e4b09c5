"""How a command line says which dead letters it means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agents.cli.letter_choice import Filter, moment, named
from stream.core.letters import Wanted, letters
from stream.errors import UsageError
from tests.fake_clock import START
from tests.unit.test_letters import letter


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T09:15", datetime(2026, 3, 1, 9, 15, tzinfo=UTC)),
        ("2026-03-01T09:15+02:00", datetime(2026, 3, 1, 7, 15, tzinfo=UTC)),
        (" 90m ", START - timedelta(minutes=90)),
        ("12h", START - timedelta(hours=12)),
        ("7d", START - timedelta(days=7)),
    ],
)
def test_a_time_is_a_day_a_moment_or_an_age(text: str, means: datetime) -> None:
    assert moment(text, START) == means


@pytest.mark.parametrize("text", ["", "yesterday", "7 d", "-3d", "2026-13-01", "0001-01-01T00:00+14:00", "999999d"])
def test_anything_else_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="A time is 2026-03-04"):
        moment(text, START)


def test_letters_are_named_by_their_ids_each_once() -> None:
    found = letters([letter(1), letter(2)], [])
    assert [one.id for one in named(["0:2", "0:1", "0:2"], found)] == ["0:2", "0:1"]
    with pytest.raises(UsageError, match="There is no dead letter 0:9"):
        named(["0:9"], found)
    for wrong in ("", "1", "a:b", "1:2:3", "-1:2"):
        with pytest.raises(UsageError, match="partition and offset"):
            named([wrong], found)


def test_a_filter_says_what_is_wanted() -> None:
    wanted = Filter(connection="acme", since="1d").wanted(("open",), START)
    assert wanted == Wanted(connection="acme", since=START - timedelta(days=1), states=frozenset(("open",)))
