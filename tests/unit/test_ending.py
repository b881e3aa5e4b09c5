"""How a worker ends: what a person is told, and whether it may be started again."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from faust.exceptions import ConsistencyError

from agents import ending
from agents.ending import AGAIN, BY_HAND, end_at_once, sentence
from stream.errors import ActionNeeded, LogUnavailable, NewerRecord

DATA = Path("state")
FULL = "The disk that holds state is full: make room; the worker starts again by itself."


class Ended(BaseException):
    pass


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LogUnavailable("Kafka is away."), AGAIN),
        (OSError(errno.ENOSPC, "x"), AGAIN),
        (KeyError("x"), AGAIN),
        (ActionNeeded("Do this."), BY_HAND),
        (NewerRecord("Update Rosterbook."), BY_HAND),
        (ConsistencyError("x"), BY_HAND),
    ],
)
def test_it_is_started_again_unless_only_a_person_can_help(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    codes: list[int] = []

    def leave(code: int) -> None:
        codes.append(code)
        raise Ended

    monkeypatch.setattr(ending, "leave", leave)
    with pytest.raises(Ended):
        end_at_once(error, DATA)
    assert codes == [code]


def test_a_full_disk_is_told_from_whatever_reports_it() -> None:
    assert sentence(OSError(errno.ENOSPC, "x"), DATA) == FULL
    assert sentence(Exception("IO error: No space left on device: While appending to file"), DATA) == FULL
    wrapped = RuntimeError("crashed")
    wrapped.__cause__ = OSError(errno.EDQUOT, "x")
    assert sentence(wrapped, DATA) == FULL
    assert "ulimit -f" in sentence(OSError(errno.EFBIG, "x"), DATA)


def test_an_error_of_ours_is_told_in_its_own_words_and_an_unknown_one_without_its_values() -> None:
    assert sentence(ActionNeeded("Do this."), DATA) == "Do this."
    unknown = sentence(KeyError("ada@acme.test"), DATA)
    assert "KeyError" in unknown
    assert "ada" not in unknown
