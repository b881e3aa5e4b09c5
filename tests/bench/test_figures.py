"""A figure says by itself whether it was met, and the file only ever grows."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.bench.figures import COLUMNS, Figure, Target, append, percentile
from tests.bench.wire import Wire


def test_a_miss_is_reported_as_a_miss() -> None:
    assert Figure("p50", 25.1, "ms", target=Target("<=", 25)).met is False
    assert Figure("p50", 25.0, "ms", target=Target("<=", 25)).met is True
    assert Figure("throughput", 89, "/s", 100, Target(">=", 0.9, of="ratio")).met is False
    assert Figure("throughput", 89, "/s", 100).met is None


@pytest.mark.parametrize(("percent", "value"), [(50, 5), (90, 9), (99, 10), (100, 10), (1, 1)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, value: int) -> None:
    assert percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], percent) == value


def test_results_are_added_below_the_former_ones(tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    append("calls", [Figure("writes", 0, "calls", target=Target("<=", 0))], "quiet", file)
    append("calls", [Figure("writes", 1, "calls", 1, Target("<=", 0), "why")], "busy", file)
    with file.open(newline="") as lines:
        head, first, second = csv.reader(lines)
    assert tuple(head) == COLUMNS
    assert first[2:] == ["calls", "writes", "0", "calls", "", "", "<= 0", "yes", "quiet"]
    assert second[2:] == ["calls", "writes", "1", "calls", "1", "1.000", "<= 0", "no", "why; busy"]


@pytest.mark.parametrize("cut", [10, 30, 60, 1000])
def test_an_answer_counts_once_it_is_here_in_full(cut: int) -> None:
    statuses: list[int] = []
    wire = Wire(statuses.append, lambda: None)
    answer = b'HTTP/1.1 200 OK\r\nServer: Rosterbook\r\ncontent-Length: 12\r\n\r\n{"result":1}'
    for _ in range(2):
        wire.data_received(answer[:cut])
        if cut < len(answer):
            wire.data_received(answer[cut:])
    assert statuses == [200, 200]
