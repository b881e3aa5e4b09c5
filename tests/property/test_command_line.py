"""Whatever is typed behind `rosterbook`: it ends with 0, 1 or 2 and a sentence, never with a traceback."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import cyclopts
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.cli import GROUPS, build, run

RUN_ON = ("demo", "up", "kafka", "gateway", "worker", "sandbox")
"""Commands that run until somebody stops them: their arguments are read as they are, and then they return at once."""
VERBS = [
    "rebuild",
    "list",
    "show",
    "add",
    "redrive",
    "drop",
    "approve",
    "reject",
    "apply",
    "check",
    "bamboohr",
    "zoho",
    "--help",
    "-h",
    "--version",
]
OPTIONS = [
    "--json",
    "--limit",
    "--since",
    "--until",
    "--all",
    "--yes",
    "--dry-run",
    "--state",
    "--port",
    "--employees",
    "--holder",
    "--seen",
]
MORE = [
    "--",
    "-",
    "--=",
    "--limit=-1",
    "--since=7d",
    "0:1",
    "9:9999999999",
    "1",
    "-1",
    "x.toml",
    "/",
    "",
    "\0",
    "é",
    "{}",
]
words = st.sampled_from(VERBS + OPTIONS + MORE) | st.text(max_size=12)
WHOLE = [
    "connection list",
    "connection show x",
    "connection add x.toml",
    "connection add",
    "connection show",
    "dead-letters show",
    "topics check",
    "topics apply",
    "tables rebuild",
    "tables rebuild --yes",
    "dead-letters list",
    "dead-letters show 0:1",
    "dead-letters redrive",
    "dead-letters redrive --all --dry-run",
    "dead-letters drop 0:1",
    "holds",
    "holds acme --json",
    "holds approve acme leaver-17@42 --no-wait",
    "holds approve address-17-23 --holder 17",
    "holds reject --yes",
    "sandbox zoho --port 0",
    "demo --employees 5",
    "up",
]
"""Lines that are right, to which more is added."""
given_values = st.sampled_from(["1", "7d", "2026-03-04", "open", "zoho"]) | st.text(max_size=8)
parts = st.one_of(
    st.just(["--json"]),
    st.tuples(st.sampled_from(["--connection", "--stage", "--error", "--since", "--limit", "--by"]), given_values).map(
        lambda option: [f"{option[0]}={option[1]}"]
    ),
    words.map(lambda word: [word]),
)
lines = st.one_of(
    st.lists(words, max_size=6),
    st.tuples(st.sampled_from(WHOLE), st.lists(parts, max_size=2)).map(
        lambda line: [*line[0].split(), *(word for part in line[1] for word in part)]
    ),
    st.tuples(st.sampled_from([group.replace("_", "-") for group in GROUPS]), st.lists(words, max_size=6)).map(
        lambda line: [line[0], *line[1]]
    ),
)


def nothing(command: Any) -> Any:
    """A command with the same arguments that does nothing."""

    @wraps(command)
    async def ended(*_: Any, **__: Any) -> None:
        assert inspect.signature(command)

    return ended


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[cyclopts.App]:
    """The whole command line, in an empty folder where nothing runs."""
    with pytest.MonkeyPatch.context() as patched:
        folder: Path = tmp_path_factory.mktemp("empty")
        patched.chdir(folder)
        for name in ("ROSTERBOOK_KAFKA", "ROSTERBOOK_LOG_LEVEL"):
            patched.delenv(name, raising=False)
        patched.setenv("ROSTERBOOK_DATA", str(folder / "state"))
        found = build()
        for name in RUN_ON:
            silence(found[name])
        yield found


def silence(app: cyclopts.App) -> None:
    if app.default_command is not None:
        app.default_command = nothing(app.default_command)
    for name in app:
        if not name.startswith("-"):
            silence(app[name])


@settings(max_examples=200)
@given(lines)
def test_any_arguments_end_in_a_code_and_a_sentence(app: cyclopts.App, line: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        said: list[str] = []
        patched.setattr("sys.stderr", Heard(said, "backslashreplace"))
        patched.setattr("sys.stdout", Heard(said, "strict"))
        code = run(line, app)
    text = "".join(said)
    assert code in (0, 1, 2)
    assert "Traceback" not in text
    assert "internal error" not in text
    assert code == 0 or text.count("\n") == 1


class Heard:
    """A stream of text that is remembered. errors: what it does with what is no text, as Python's own streams do."""

    encoding = "utf-8"

    def __init__(self, said: list[str], errors: str) -> None:
        self._said = said
        self._errors = errors

    def write(self, text: str) -> int:
        text.encode(self.encoding, self._errors)
        self._said.append(text)
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        return False
