"""The search for marked secrets finds them whatever they are wrapped in: else the test that uses it could not fail."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE
from urllib.parse import quote_plus, urlencode

import pytest

from tests.e2e.marks import Marks, files, processes

SECRET = "1000.ä/b+c d~e=f?g"
MARKS = Marks({"the secret": SECRET, "another": "never-anywhere-at-all"})

WRAPPED: dict[str, Callable[[str], bytes]] = {
    "as it is": lambda text: f"reason: {text}!".encode(),
    "in lower case": lambda text: text.lower().encode(),
    "in json": lambda text: json.dumps({"reason": [text]}).encode(),
    "in a url": lambda text: f"https://x/?token={quote_plus(text)}&y".encode(),
    "in a form": lambda text: urlencode({"refresh_token": text, "z": "1"}).encode(),
    "in hex": lambda text: text.encode().hex().encode(),
    **{
        f"in base64 after {n} bytes": lambda text, n=n: base64.b64encode(b"x" * n + text.encode() + b":tail")  # type: ignore[misc]
        for n in range(4)
    },
    "in base64 for urls": lambda text: base64.urlsafe_b64encode(f"u:{text}:p".encode()),
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_a_secret_is_found_however_it_is_written(wrap: Callable[[str], bytes]) -> None:
    assert MARKS.found([("here", b"\0\1" + wrap(SECRET) + b"\xff"), ("there", b"nothing")]) == ["the secret in here"]


def test_a_secret_is_found_in_files_and_in_processes(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_text(f"said: {SECRET}")
    (tmp_path / "0.index").write_text(SECRET)
    assert MARKS.found(files(tmp_path)) == ["the secret in logs/a.log"]
    inner = "print('here', flush=True); input()"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}, sys.argv[1]], check=True)"
    with subprocess.Popen([sys.executable, "-c", script, SECRET], stdin=PIPE, stdout=PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n"
        found = MARKS.found(processes(child.pid))
        child.communicate(b"\n")
    assert {line.partition(" of ")[0] for line in found} == {"the secret in command line"}


def test_a_value_that_might_be_found_by_chance_is_refused() -> None:
    with pytest.raises(AssertionError, match="too short"):
        Marks({"pin": "1234"})
