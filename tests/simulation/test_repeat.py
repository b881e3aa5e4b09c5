"""A run can be repeated exactly: a seed says everything that happens in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.script import drawn
from tests.simulation.world import run

SEED, CHANGES = 3, 120
ELSEWHERE = f"""
from tests.simulation.script import drawn
from tests.simulation.tally import prepare
from tests.simulation.world import run
prepare()
print(run(drawn({SEED}, {CHANGES})).digest)
"""


@pytest.fixture(scope="module")
def digest() -> str:
    return run(drawn(SEED, CHANGES)).digest


def test_the_same_seed_leaves_the_same_log(digest: str) -> None:
    assert run(drawn(SEED, CHANGES)).digest == digest


def test_the_same_seed_leaves_the_same_log_in_another_process(digest: str) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    root = Path(__file__).parents[2]
    said = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == digest


def test_another_seed_leaves_another_log(digest: str) -> None:
    assert run(drawn(SEED + 1, CHANGES)).digest != digest
