"""Fixtures that every test may ask for, and what surrounds each."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from tests.kafka_broker import kafka

__all__ = ["kafka"]

settings.register_profile("beside others", deadline=None)  # an example waits for whatever else the machine does
settings.load_profile("beside others")


@pytest.fixture(autouse=True)
def logging_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command that is run within a test sets up the logging of the process, which is that test's alone: a logger that
    is kept for good would speak past whoever captures the log later.
    """
    configure, before = structlog.configure, structlog.get_config()
    root, ours = logging.getLogger(), logging.getLogger("rosterbook")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    monkeypatch.setattr(structlog, "configure", lambda **more: configure(**more | {"cache_logger_on_first_use": False}))
    yield
    configure(**before)
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
