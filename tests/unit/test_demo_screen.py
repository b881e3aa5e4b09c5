"""The live view of the demo, in terminals of several sizes."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from agents.demo.equal import Comparison
from agents.demo.screen import screen
from agents.demo.stage import Stage
from agents.demo.watch import SHOWN, Seen, Watch

PEOPLE = {"1": SimpleNamespace(values={"firstName": "花子" * 6, "lastName": "Schröder"})}
STAGE = cast(
    "Stage",
    SimpleNamespace(
        installation=SimpleNamespace(address=lambda _: "127.0.0.1:43903", kafka="127.0.0.1:46405"),
        data="rosterbook-demo-qy5t15dq",
        vendors=SimpleNamespace(
            calls_per_minute=6000, zoho_calls=282, bamboohr=SimpleNamespace(company=SimpleNamespace(people=PEOPLE))
        ),
    ),
)


@pytest.mark.parametrize(("width", "height", "rows"), [(80, 24, 12), (120, 40, SHOWN), (200, 60, SHOWN)])
def test_all_of_it_fits_the_terminal_and_times_are_whole(width: int, height: int, rows: int) -> None:
    watch = Watch("")
    for second in range(SHOWN):
        watch.latencies_ms.append(100.0 * second)
        changed = "status, hireDate, employmentHistoryStatus"
        moment = datetime(2026, 3, 4, 9, 15, second, tzinfo=UTC)
        watch.latest.append(Seen(moment, "1", changed, "deactivated", changed, 12345.0))
    console = Console(width=width, height=height, force_terminal=False)
    with console.capture() as printed:
        console.print(screen(STAGE, watch, "A marriage", Comparison(125, 126, 1, 0, 2), width, height))
    lines = printed.get().splitlines()
    assert len(lines) <= height
    assert sum("deactivated" in line and line.rstrip().endswith("12345") for line in lines) == rows
    assert f"09:15:{SHOWN - 1:02}" in lines[-5]
    assert "3 still differ" in lines[-3]
    assert lines[-2].startswith("Latency of these: p50 ")
