"""The demo's figures where both sides differ for good; Kafka and the processes are played here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import agents.demo.run
from agents.cli import run
from agents.demo.vendors import Vendors
from agents.demo.watch import Watch
from stream.errors import BrokerFailed


class Stage:
    """Sandboxes that nobody calls: no contact is ever made. broken: why the installation gave up."""

    broken: BrokerFailed | None = None

    def __init__(self, data: Path, *, say: Callable[[str], None]) -> None:
        self.vendors = Vendors(calls_per_minute=6000)

    async def __aenter__(self) -> Stage:
        failed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.broken is not None:
            failed.set_result(self.broken)
        self.installation = SimpleNamespace(kafka="", failed=failed)
        return self

    async def __aexit__(self, *_: object) -> None: ...


class NothingSeen(Watch):
    async def start(self) -> None: ...


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (None, "Nothing has moved for 0 s and both sides differ"),
        (BrokerFailed("The disk is full."), "The disk is full."),
    ],
)
def test_where_both_sides_differ_for_good_the_figures_are_the_last_words_and_it_exits_1(
    broken: BrokerFailed | None,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("os.environ", {})
    monkeypatch.setattr(Stage, "broken", broken)
    monkeypatch.setattr(agents.demo.run, "Stage", Stage)
    monkeypatch.setattr(agents.demo.run, "Watch", NothingSeen)
    monkeypatch.setattr(agents.demo.run, "configure_logging", lambda *_, **__: None)
    monkeypatch.setattr(agents.demo.run, "STILL_S", 0.0)
    assert run(["demo", "--employees", "3", "--exit-when-synced", "--json"]) == 1
    out, err = capsys.readouterr()
    figures = {"contacts": 0, "duplicates": 0, "wrong": 0, "zoho_calls": 0, "latency_ms": {"p50": None, "p99": None}}
    assert json.loads(out) == figures | {"employees": 3, "missing": 3}
    assert out.count("\n") == 1
    assert why in err.splitlines()[-1]
