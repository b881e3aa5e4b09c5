"""What a simulated worker logs is no news."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from tests.simulation.tally import prepare


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    prepare()
    yield
    structlog.reset_defaults()
