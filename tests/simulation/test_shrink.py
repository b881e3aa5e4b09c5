"""A failing script is made as short as it can be, and what is printed runs it again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation.__main__ import as_python
from tests.simulation.protections import create_without_search
from tests.simulation.script import Script, drawn
from tests.simulation.shrink import shrunk
from tests.simulation.world import run


def test_what_does_not_matter_is_left_out() -> None:
    script = drawn(1, 60)
    matter = (script.entries[7], script.entries[31], script.entries[-1])
    found = shrunk(script, lambda shorter: set(matter) <= set(shorter.entries))
    assert found == replace(script, entries=matter)


def test_without_tries_nothing_is_left_out() -> None:
    script = drawn(1, 10)
    assert shrunk(script, lambda _: True, tries=0) == script
    assert shrunk(script, lambda _: True).entries == ()


def test_a_run_that_fails_still_fails_when_shrunk_and_can_be_run_from_what_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    create_without_search(monkeypatch)

    def fails(script: Script) -> bool:
        return any("contacts were created for one key" in violation.what for violation in run(script).violations)

    script = drawn(3, 60, {"vendor": 1}, ("applied and lost",))
    assert fails(script)
    found = shrunk(script, fails)
    assert len(found.entries) <= 4
    exec(as_python(found), {})  # noqa: S102  # what a person would run
    assert capsys.readouterr().out == f"{run(found).violations}\n"
