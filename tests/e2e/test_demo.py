"""`rosterbook demo` as a program runs it."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from tests.e2e.processes import Ended, processes_of, rosterbook

EMPLOYEES = 60


def data_folder(ended: Ended) -> Path:
    found = re.search(r"Data folder (\S+)", ended.err)
    assert found is not None, ended.err
    return Path(found[1])


@pytest.mark.timeout(200)
async def test_demo_ends_by_itself_with_its_figures_as_the_last_words(tmp_path: Path) -> None:
    """Two at once, which must not get in each other's way."""
    play = ("demo", "--exit-when-synced", "--json", "--employees")
    ended, other = await asyncio.gather(
        rosterbook(*play, str(EMPLOYEES), deadline=180, TMPDIR=str(tmp_path)),
        rosterbook(*play, "1", deadline=180, TMPDIR=str(tmp_path)),
    )
    for one, least in ((ended, EMPLOYEES), (other, 1)):
        assert one.code == 0, one.err
        assert one.out.count("\n") == 1
        figures = json.loads(one.out)
        assert set(figures) == {
            "employees",
            "contacts",
            "missing",
            "duplicates",
            "wrong",
            "zoho_calls",
            "latency_ms",
        }
        assert (figures["missing"], figures["duplicates"], figures["wrong"]) == (0, 0, 0)
        assert figures["employees"] >= least
        assert figures["contacts"] >= figures["employees"]
        assert figures["zoho_calls"] >= figures["contacts"]
        assert 0 < figures["latency_ms"]["p50"] <= figures["latency_ms"]["p99"]
        assert "Traceback" not in one.err
        for vendor, path in (("BambooHR", "/acme"), ("Zoho", "/books/v3")):
            assert re.search(rf"^{vendor}'s sandbox answers at http://127\.0\.0\.1:\d+{path}$", one.err, re.MULTILINE)
        assert not processes_of(data_folder(one))
        assert (data_folder(one) / "logs" / "worker.log").exists()
    assert data_folder(ended) != data_folder(other)
    addresses = [re.findall(r"127\.0\.0\.1:\d+", one.err) for one in (ended, other)]
    assert addresses[0]
    assert not set(addresses[0]) & set(addresses[1])
