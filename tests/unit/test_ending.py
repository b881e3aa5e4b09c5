"""How a worker ends: what a person is told, and whether it may be started again."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest
from faust.exceptions import ConsistencyError

from agents import ending
from agents.ending import AGAIN, BY_HAND, end_at_once, sentence
from stream.errors import ActionNeeded, LogUnavailable, NewerRecord
from stream.vault.vault import new_keyset
from tests.e2e.processes import environment

DATA = Path("state")
FULL = "The disk that holds state is full: make room; the worker starts again by itself."


WRITES_NOTHING = """
import resource, sys
from agents.cli import run
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
sys.exit(run(["worker"]))
"""


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


def test_a_worker_that_may_write_nothing_says_so_at_the_start(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WRITES_NOTHING],
        env=environment(ROSTERBOOK_DATA=str(tmp_path), ROSTERBOOK_METRICS_PORT="0", ROSTERBOOK_VAULT_KEYS=new_keyset()),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == AGAIN
    assert ended.stderr.splitlines()[-1] == (
        f"The worker may not write more into a file of {tmp_path}: raise the file-size limit (ulimit -f)."
    )
